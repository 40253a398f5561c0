"""Paints what a face wears: beards, glasses, freckles; and what hides one: hands, masks, paper.

Owns: additions to a finished face. Nothing here moves a landmark.
"""

import numpy as np

from synthetic_faces.canvas import curves, paint
from synthetic_faces.subject import anatomy, subjects

_LENS = {"round": 1.0, "square": 0.45, "dark": 0.55}
OCCLUDERS: tuple[str, ...] = ("hand", "mask", "paper", "hair")


def paint_beard(canvas: paint.Canvas, sitter: subjects.Sitter) -> None:
    """Let hair grow on chin, cheeks or upper lip, the lips left free."""
    style = sitter.look.beard
    if style == "none":
        return
    mask, dense = np.zeros(canvas.shape[:2], np.uint8), 90.0 if style == "stubble" else 225.0
    if style in ("stubble", "full"):
        paint.fill(mask, _jaw_beard(sitter), dense)
    if style == "goatee":
        paint.fill(
            mask,
            [
                sitter.near(57, -0.16, 0.06),
                sitter.near(57, 0.16, 0.06),
                sitter.landmarks[9],
                sitter.landmarks[7],
            ],
            dense,
        )
    moustache = [sitter.near(50, 0, -0.07), sitter.near(51, 0, -0.05), sitter.near(52, 0, -0.07)]
    ends = [sitter.near(48, 0.0, -0.02), *moustache, sitter.near(54, 0.0, -0.02)]
    paint.stroke(mask, ends, dense, width_px=0.13 * sitter.unit_px, taper=0.5)
    layer = canvas.copy()
    paint.flood(layer, paint.scaled(sitter.look.hair, 0.85))
    paint.blend(canvas, layer, paint.soften(mask, sigma_px=0.03 * sitter.unit_px))


def _jaw_beard(sitter: subjects.Sitter) -> anatomy.Points:
    points = sitter.landmarks
    upper = [
        sitter.near(54, 0.12, 0.02),
        sitter.near(57, 0.1, 0.03),
        sitter.near(57, -0.1, 0.03),
        sitter.near(48, -0.12, 0.02),
    ]
    return np.concatenate([curves.through(points[2:15]), np.array(upper)])


def paint_freckles(
    canvas: paint.Canvas, sitter: subjects.Sitter, *, rng: np.random.Generator
) -> None:
    """Dot the cheeks and the nose."""
    if not sitter.look.freckled:
        return
    for side in rng.choice([-1.0, 1.0], size=36):
        place = sitter.at((side * rng.uniform(0.05, 0.65), rng.uniform(0.25, 0.7), 0.3))
        radius = float(rng.uniform(0.008, 0.02))
        dot = curves.ellipse(
            place, sitter.pose.across(radius, 0), sitter.pose.across(0, radius), steps=8
        )
        paint.fill(canvas, dot, paint.scaled(sitter.look.skin, 0.7))


def paint_glasses(canvas: paint.Canvas, sitter: subjects.Sitter) -> None:
    """Paint the frame, and the lenses if they are dark."""
    style = sitter.look.glasses
    if style == "none":
        return
    colour = paint.scaled(sitter.look.cloth, 0.35)
    for eye, side in zip(anatomy.EYES, (-1, 1), strict=True):
        lens = _lens(sitter, eye, roundness=_LENS[style])
        if style == "dark":
            paint.fill(canvas, lens, (30, 26, 26))
        paint.ribbon(
            canvas, np.concatenate([lens, lens[:1]]), colour, half_width_px=0.02 * sitter.unit_px
        )
        temple = [
            lens[np.argmax((lens - lens.mean(axis=0)) @ sitter.pose.across(side, 0))],
            sitter.at((side * 1.0, -0.05, -0.4)),
        ]
        paint.stroke(canvas, temple, colour, width_px=0.035 * sitter.unit_px, taper=0)
    bridge = [
        sitter.at((-0.17, 0.0, 0.42)),
        sitter.at((0, -0.05, 0.46)),
        sitter.at((0.17, 0.0, 0.42)),
    ]
    paint.stroke(canvas, bridge, colour, width_px=0.035 * sitter.unit_px, taper=0)


def _lens(sitter: subjects.Sitter, eye: tuple[int, ...], *, roundness: float) -> anatomy.Points:
    """Return a lens around an eye: a superellipse, 1 for a circle, smaller for squarer."""
    centre = sitter.model[list(eye)].mean(axis=0)
    angle = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    cos, sin = (np.sign(f) * np.abs(f) ** roundness for f in (np.cos(angle), np.sin(angle)))
    points = np.stack(
        [centre[0] + 0.27 * cos, centre[1] + 0.02 + 0.225 * sin, np.full(36, 0.38)], axis=1
    )
    return sitter.at(points)


def paint_occluder(
    canvas: paint.Canvas, sitter: subjects.Sitter, kind: str, *, rng: np.random.Generator
) -> None:
    """Hide part of the face behind one of OCCLUDERS."""
    if kind == "mask":
        mask = np.concatenate([curves.through(sitter.landmarks[1:16]), sitter.landmarks[[28]]])
        paint.fill(canvas, mask, paint.mixed(sitter.look.cloth, (220, 220, 215), 0.6))
    elif kind == "hand":
        _paint_hand(canvas, sitter, rng=rng)
    elif kind == "paper":
        slope, top = float(rng.uniform(-0.3, 0.3)), float(rng.choice([-0.35, 0.55]))
        corners = [
            (-1.5, top - slope),
            (1.5, top + slope),
            (1.5, top + 1.3 + slope),
            (-1.5, top + 1.3 - slope),
        ]
        paint.fill(
            canvas,
            [sitter.near(28, x, y) for x, y in corners],
            paint.mixed(sitter.look.cloth, (240, 240, 240), 0.5),
        )
    else:
        for x in rng.uniform(-0.9, 0.9, size=26):
            lock = [
                sitter.near(27, x, -1.2),
                sitter.near(28, x * 1.1, -0.2),
                sitter.near(33, x * 0.9, 0.5),
            ]
            paint.stroke(
                canvas,
                lock,
                paint.scaled(sitter.look.hair, float(rng.uniform(0.6, 1.3))),
                width_px=0.09 * sitter.unit_px,
            )


def _paint_hand(canvas: paint.Canvas, sitter: subjects.Sitter, *, rng: np.random.Generator) -> None:
    side, low = float(rng.choice([-1, 1])), float(rng.choice([0.1, 0.75]))
    skin = paint.scaled(sitter.look.skin, 0.93)
    paint.fill(
        canvas,
        curves.ellipse(
            sitter.near(28, side * 1.0, low + 0.1),
            sitter.pose.across(0.5, 0),
            sitter.pose.across(0, 0.42),
        ),
        skin,
    )
    for finger in range(4):
        height = low - 0.24 + 0.2 * finger
        tip = sitter.near(28, -side * float(rng.uniform(0.3, 0.6)), height)
        line = np.stack([sitter.near(28, side * 0.9, height), tip])
        paint.stroke(
            canvas, line, paint.scaled(skin, 0.6), width_px=0.24 * sitter.unit_px, taper=0.25
        )
        paint.stroke(canvas, line, skin, width_px=0.2 * sitter.unit_px, taper=0.25)
