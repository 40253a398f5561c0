"""Image and annotation of a row: a face, or none, at a random position in an image of random size.

Owns the composition and its annotation. Annotations are taken from the model that is painted, so
they are exact; only the box is loosened, as a detector's would be.
"""

import dataclasses

import numpy as np

from synthetic_faces.canvas import paint
from synthetic_faces.examples import dataset_rows
from synthetic_faces.render import accessories, backgrounds, lighting, render_face
from synthetic_faces.render import camera as camera_lib
from synthetic_faces.subject import anatomy, appearance, expressions, poses, subjects

_SIDE_PX = (140, 421)
_LEAVING_SHARE = 0.08


ATTRIBUTES = ("age", "skin", "yaw_deg")
"""Who is drawn: years; light, medium or dark; degrees that the head is turned to either side."""


@dataclasses.dataclass(frozen=True)
class Annotation:
    """Annotation of an image.

    `box_xywh` and `landmarks`, float[68, 2] rounded to hundredths, are in image pixels and may
    leave the image. Valence and arousal are in [-1, 1], or labels.NO_VALUE. `attributes` has the
    text of each of ATTRIBUTES, "" for an image without a face.
    """

    row: dataset_rows.Row
    width: int
    height: int
    box_xywh: tuple[int, int, int, int]
    landmarks: anatomy.Points
    valence: float
    arousal: float
    attributes: tuple[str, ...] = ("",) * len(ATTRIBUTES)


def draw(row: dataset_rows.Row, *, seed: int) -> tuple[bytes, Annotation]:
    """Return the file bytes of a row's image, and its annotation."""
    rng = dataset_rows.image_rng(seed=seed, index=row.index)
    width, height = (int(side) for side in rng.integers(*_SIDE_PX, size=2))
    if row.blend:
        expression = expressions.draw_blend(row.blend, rng=rng)
    else:
        expression = expressions.draw_expression(row.code, rng=rng)
    subject = _draw_subject(expression, width=width, height=height, rng=rng)
    canvas = backgrounds.paint_background(width=width, height=height, rng=rng)
    degraded = _paint_scene(canvas, subject, code=row.code, rng=rng)
    camera = camera_lib.draw_camera(rng, degraded=degraded)
    photograph = camera_lib.expose(canvas, camera, rng=rng)
    encoded = camera_lib.encode(photograph, suffix=row.suffix, jpeg_quality=camera.jpeg_quality)
    points = np.round(subject.landmarks, 2)
    box = _box(points, rng=rng)
    return encoded, Annotation(
        row,
        width,
        height,
        box,
        points,
        expression.valence,
        expression.arousal,
        _attributes(subject) if row.code != expressions.NO_FACE else ("",) * len(ATTRIBUTES),
    )


def _attributes(subject: subjects.Subject) -> tuple[str, ...]:
    """Return the text of each of ATTRIBUTES."""
    look = subject.look
    yaw = f"{abs(np.degrees(subject.pose.yaw_rad)):.0f}"
    return str(appearance.age_years(look)), appearance.skin_tone(look.skin), yaw


def _draw_subject(
    expression: expressions.Expression, *, width: int, height: int, rng: np.random.Generator
) -> subjects.Subject:
    unit_px = min(width, height) * float(rng.uniform(0.22, 0.36))
    edge = unit_px * 1.05
    if rng.random() < _LEAVING_SHARE:
        edge = unit_px * 0.45
    centre = (
        _between(edge, width - edge, rng=rng),
        _between(edge * 1.15, height - edge * 1.15, rng=rng),
    )
    pose = poses.draw_pose(rng, scale_px=unit_px, centre_xy=centre)
    shape = anatomy.draw_shape(rng)
    return subjects.make_subject(
        shape, look=appearance.draw_look(rng), activity=expression.activity, pose=pose
    )


def _between(low: float, high: float, *, rng: np.random.Generator) -> float:
    """Draw from low..high, or return the middle where there is no room."""
    if low >= high:
        return (low + high) / 2
    return float(rng.uniform(low, high))


def _paint_scene(
    canvas: paint.Canvas, subject: subjects.Subject, *, code: int, rng: np.random.Generator
) -> bool:
    """Paint the scene of a code, and tell whether the photograph is to be degraded as well."""
    if code == expressions.NO_FACE:
        for _ in range(int(rng.integers(0, 4))):
            backgrounds.paint_distractor(canvas, rng=rng)
        return False
    occlusion = ""
    if code == expressions.UNCERTAIN:
        occlusion = str(rng.choice(["glasses", "blur", *accessories.OCCLUDERS]))
    if occlusion == "glasses":
        subject = dataclasses.replace(
            subject, look=dataclasses.replace(subject.look, glasses="dark")
        )
    render_face.paint_person(canvas, subject, light=lighting.draw_light(rng), rng=rng)
    if occlusion in accessories.OCCLUDERS:
        accessories.paint_occluder(canvas, subject, occlusion, rng=rng)
    return occlusion == "blur"


def _box(landmarks: anatomy.Points, *, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Return a box in whole pixels around most landmarks, each side off by up to a tenth."""
    low = landmarks.min(axis=0)
    high = landmarks.max(axis=0)
    size = high - low
    x, y = low - size * rng.uniform([-0.03, -0.02], [0.06, 0.09])
    right, bottom = high + size * rng.uniform(-0.03, 0.06, size=2)
    return round(x), round(y), round(right) - round(x), round(bottom) - round(y)
