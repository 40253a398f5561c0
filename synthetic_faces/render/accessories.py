"""Painting of accessories (beards, glasses, freckles) and of occluders (hands, masks, paper, hair).

Owns what is added to a finished face. Nothing here moves a landmark.
"""

import numpy as np

from synthetic_faces.canvas import curves, paint
from synthetic_faces.subject import anatomy, subjects

_STUBBLE_OPACITY = 90.0
_BEARD_OPACITY = 225.0
_LENS = {"round": 1.0, "square": 0.45, "dark": 0.55}
OCCLUDERS: tuple[str, ...] = ("hand", "mask", "paper", "hair")


def paint_beard(canvas: paint.Canvas, subject: subjects.Subject) -> None:
    """Paint hair on chin, cheeks or upper lip, but not on the lips."""
    style = subject.look.beard
    if style == "none":
        return
    mask = np.zeros(canvas.shape[:2], np.uint8)
    opacity = _STUBBLE_OPACITY if style == "stubble" else _BEARD_OPACITY
    if style in ("stubble", "full"):
        paint.fill(mask, _jaw_beard(subject), opacity)
    if style == "goatee":
        paint.fill(
            mask,
            [
                subject.near(57, -0.16, 0.06),
                subject.near(57, 0.16, 0.06),
                subject.landmarks[9],
                subject.landmarks[7],
            ],
            opacity,
        )
    moustache = [subject.near(50, 0, -0.07), subject.near(51, 0, -0.05), subject.near(52, 0, -0.07)]
    ends = [subject.near(48, 0.0, -0.02), *moustache, subject.near(54, 0.0, -0.02)]
    paint.stroke(mask, ends, opacity, width_px=0.13 * subject.unit_px, taper=0.5)
    layer = canvas.copy()
    paint.flood(layer, paint.scaled(subject.look.hair, 0.85))
    paint.blend(canvas, layer, paint.soften(mask, sigma_px=0.03 * subject.unit_px))


def _jaw_beard(subject: subjects.Subject) -> anatomy.Points:
    points = subject.landmarks
    upper = [
        subject.near(54, 0.12, 0.02),
        subject.near(57, 0.1, 0.03),
        subject.near(57, -0.1, 0.03),
        subject.near(48, -0.12, 0.02),
    ]
    return np.concatenate([curves.through(points[2:15]), np.array(upper)])


def paint_freckles(
    canvas: paint.Canvas, subject: subjects.Subject, *, rng: np.random.Generator
) -> None:
    """Paint freckles on the cheeks and the nose."""
    if not subject.look.freckled:
        return
    for side in rng.choice([-1.0, 1.0], size=36):
        point = subject.project((side * rng.uniform(0.05, 0.65), rng.uniform(0.25, 0.7), 0.3))
        radius = float(rng.uniform(0.008, 0.02))
        dot = curves.ellipse(
            point, subject.pose.across(radius, 0), subject.pose.across(0, radius), steps=8
        )
        paint.fill(canvas, dot, paint.scaled(subject.look.skin, 0.7))


def paint_glasses(canvas: paint.Canvas, subject: subjects.Subject) -> None:
    """Paint the frame, and the lenses if they are dark."""
    style = subject.look.glasses
    if style == "none":
        return
    colour = paint.scaled(subject.look.cloth, 0.35)
    for eye, side in zip(anatomy.EYES, (-1, 1), strict=True):
        lens = _lens(subject, eye, roundness=_LENS[style])
        if style == "dark":
            paint.fill(canvas, lens, (30, 26, 26))
        paint.ribbon(
            canvas, np.concatenate([lens, lens[:1]]), colour, half_width_px=0.02 * subject.unit_px
        )
        temple = [
            lens[np.argmax((lens - lens.mean(axis=0)) @ subject.pose.across(side, 0))],
            subject.project((side * 1.0, -0.05, -0.4)),
        ]
        paint.stroke(canvas, temple, colour, width_px=0.035 * subject.unit_px, taper=0)
    bridge = [
        subject.project((-0.17, 0.0, 0.42)),
        subject.project((0, -0.05, 0.46)),
        subject.project((0.17, 0.0, 0.42)),
    ]
    paint.stroke(canvas, bridge, colour, width_px=0.035 * subject.unit_px, taper=0)


def _lens(subject: subjects.Subject, eye: tuple[int, ...], *, roundness: float) -> anatomy.Points:
    """Return a lens around an eye: a superellipse, 1 for a circle, smaller for squarer."""
    centre = subject.model[list(eye)].mean(axis=0)
    angle = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    cos, sin = (np.sign(f) * np.abs(f) ** roundness for f in (np.cos(angle), np.sin(angle)))
    points = np.stack(
        [centre[0] + 0.27 * cos, centre[1] + 0.02 + 0.225 * sin, np.full(36, 0.38)], axis=1
    )
    return subject.project(points)


def paint_occluder(
    canvas: paint.Canvas, subject: subjects.Subject, kind: str, *, rng: np.random.Generator
) -> None:
    """Hide part of the face behind one of OCCLUDERS."""
    if kind == "mask":
        mask = np.concatenate([curves.through(subject.landmarks[1:16]), subject.landmarks[[28]]])
        paint.fill(canvas, mask, paint.mixed(subject.look.cloth, (220, 220, 215), 0.6))
    elif kind == "hand":
        _paint_hand(canvas, subject, rng=rng)
    elif kind == "paper":
        slope = float(rng.uniform(-0.3, 0.3))
        top = float(rng.choice([-0.35, 0.55]))
        corners = [
            (-1.5, top - slope),
            (1.5, top + slope),
            (1.5, top + 1.3 + slope),
            (-1.5, top + 1.3 - slope),
        ]
        paint.fill(
            canvas,
            [subject.near(28, x, y) for x, y in corners],
            paint.mixed(subject.look.cloth, (240, 240, 240), 0.5),
        )
    else:
        for x in rng.uniform(-0.9, 0.9, size=26):
            lock = [
                subject.near(27, x, -1.2),
                subject.near(28, x * 1.1, -0.2),
                subject.near(33, x * 0.9, 0.5),
            ]
            paint.stroke(
                canvas,
                lock,
                paint.scaled(subject.look.hair, float(rng.uniform(0.6, 1.3))),
                width_px=0.09 * subject.unit_px,
            )


def _paint_hand(
    canvas: paint.Canvas, subject: subjects.Subject, *, rng: np.random.Generator
) -> None:
    side = float(rng.choice([-1, 1]))
    low = float(rng.choice([0.1, 0.75]))
    skin = paint.scaled(subject.look.skin, 0.93)
    paint.fill(
        canvas,
        curves.ellipse(
            subject.near(28, side * 1.0, low + 0.1),
            subject.pose.across(0.5, 0),
            subject.pose.across(0, 0.42),
        ),
        skin,
    )
    for finger in range(4):
        height = low - 0.24 + 0.2 * finger
        tip = subject.near(28, -side * float(rng.uniform(0.3, 0.6)), height)
        line = np.stack([subject.near(28, side * 0.9, height), tip])
        paint.stroke(
            canvas, line, paint.scaled(skin, 0.6), width_px=0.24 * subject.unit_px, taper=0.25
        )
        paint.stroke(canvas, line, skin, width_px=0.2 * subject.unit_px, taper=0.25)
