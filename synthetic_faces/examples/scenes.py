"""Composes the picture of a row: a face, or none, somewhere in a picture of some size.

Owns: what a row becomes, and the annotation that goes with it. Annotations are read off the model
that is painted, so they are exact; the box alone is loosened, as a detector's would be.
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


@dataclasses.dataclass(frozen=True)
class Annotation:
    """What a release says about a picture.

    `box_xywh` and `landmarks`, float[68, 2] rounded to hundredths, are in picture pixels and may
    leave the picture. Valence and arousal are in [-1, 1], or labels.NO_VALUE.
    """

    row: dataset_rows.Row
    width: int
    height: int
    box_xywh: tuple[int, int, int, int]
    landmarks: anatomy.Points
    valence: float
    arousal: float


def draw(row: dataset_rows.Row, *, seed: int) -> tuple[bytes, Annotation]:
    """Return the file bytes of a row's picture, and its annotation."""
    rng = dataset_rows.picture_generator(seed=seed, index=row.index)
    width, height = (int(side) for side in rng.integers(*_SIDE_PX, size=2))
    expression = expressions.draw_expression(row.code, rng=rng)
    sitter = _draw_sitter(expression, width=width, height=height, rng=rng)
    canvas = backgrounds.paint_background(width=width, height=height, rng=rng)
    spoilt = _paint_scene(canvas, sitter, code=row.code, rng=rng)
    camera = camera_lib.draw_camera(rng, spoilt=spoilt)
    photograph = camera_lib.expose(canvas, camera, rng=rng)
    encoded = camera_lib.encode(photograph, suffix=row.suffix, jpeg_quality=camera.jpeg_quality)
    points = np.round(sitter.landmarks, 2)
    box = _box(points, rng=rng)
    return encoded, Annotation(
        row, width, height, box, points, expression.valence, expression.arousal
    )


def _draw_sitter(
    expression: expressions.Expression, *, width: int, height: int, rng: np.random.Generator
) -> subjects.Sitter:
    unit_px = min(width, height) * float(rng.uniform(0.22, 0.36))
    edge = unit_px * (0.45 if rng.random() < _LEAVING_SHARE else 1.05)
    centre = (
        _between(edge, width - edge, rng=rng),
        _between(edge * 1.15, height - edge * 1.15, rng=rng),
    )
    pose = poses.draw_pose(rng, scale_px=unit_px, centre_xy=centre)
    shape = anatomy.draw_shape(rng)
    return subjects.seat(
        shape, look=appearance.draw_look(rng), activity=expression.activity, pose=pose
    )


def _between(low: float, high: float, *, rng: np.random.Generator) -> float:
    return float(rng.uniform(low, high)) if low < high else (low + high) / 2


def _paint_scene(
    canvas: paint.Canvas, sitter: subjects.Sitter, *, code: int, rng: np.random.Generator
) -> bool:
    """Paint what the code asks for; return whether the photograph is to be spoilt as well."""
    if code == expressions.NO_FACE:
        for _ in range(int(rng.integers(0, 4))):
            backgrounds.paint_thing(canvas, rng=rng)
        return False
    doubtful = code == expressions.UNCERTAIN
    disguise = str(rng.choice(["glasses", "blur", *accessories.OCCLUDERS])) if doubtful else ""
    if disguise == "glasses":
        sitter = dataclasses.replace(sitter, look=dataclasses.replace(sitter.look, glasses="dark"))
    render_face.paint_person(canvas, sitter, light=lighting.draw_light(rng), rng=rng)
    if disguise in accessories.OCCLUDERS:
        accessories.paint_occluder(canvas, sitter, disguise, rng=rng)
    return disguise == "blur"


def _box(landmarks: anatomy.Points, *, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Return a whole-pixel box around the landmarks, each side off by up to a tenth; a few points
    may lie outside."""
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    size = high - low
    x, y = low - size * rng.uniform([-0.03, -0.02], [0.06, 0.09])
    right, bottom = high + size * rng.uniform(-0.03, 0.06, size=2)
    return round(x), round(y), round(right) - round(x), round(bottom) - round(y)
