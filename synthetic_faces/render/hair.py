"""Paints hair, caps and scarves: what lies behind the head, and what lies over the forehead.

Owns: one shape a style. None of them covers a brow for good: the expression must stay visible.
"""

import numpy as np

from synthetic_faces.canvas import curves, paint
from synthetic_faces.render import head_shape
from synthetic_faces.subject import anatomy, subjects

# Style -> how far the hair stands off the skull, and how low it hangs behind, in half face widths
# (None: not at all).
_VOLUME: dict[str, float] = {
    "cropped": 0.03, "short": 0.09, "swept": 0.15, "fringe": 0.12, "long": 0.15, "bob": 0.17, "curly": 0.30,
    "cap": 0.10, "scarf": 0.13,
}  # fmt: skip
_HANG: dict[str, float] = {"long": 1.9, "bob": 1.15, "scarf": 1.75, "curly": 0.55}
_FOREHEAD: dict[str, float] = {
    "cropped": 0.80, "short": 0.72, "swept": 0.70, "fringe": 0.65, "long": 0.76, "bob": 0.67, "curly": 0.70,
    "cap": 0.68, "scarf": 0.72,
}  # fmt: skip


def paint_behind(canvas: paint.Canvas, sitter: subjects.Sitter) -> None:
    """Paint the hair that hangs behind face and neck."""
    style = sitter.look.hair_style
    if style not in _HANG:
        return
    grow, low = _VOLUME[style], _HANG[style]
    over = head_shape.crown(sitter, grow=grow + 0.06)
    sides = sitter.at(
        [
            (1.12 + grow, low * 0.6, -0.5),
            (0.95 + grow, low, -0.5),
            (-0.95 - grow, low, -0.5),
            (-1.12 - grow, low * 0.6, -0.5),
        ]
    )
    paint.fill(
        canvas, curves.loop(np.concatenate([over, sides])), paint.scaled(_colour(sitter), 0.7)
    )


def paint_front(canvas: paint.Canvas, sitter: subjects.Sitter, *, rng: np.random.Generator) -> None:
    """Paint the hair on the head down to the hair line."""
    style = sitter.look.hair_style
    if style == "bald":
        return
    outer, line = (
        head_shape.crown(sitter, grow=_VOLUME[style], count=13),
        _hair_line(sitter, rng=rng),
    )
    if style == "curly":
        _paint_curls(canvas, sitter, outer, rng=rng)
    paint.fill(
        canvas, np.concatenate([curves.through(outer), curves.through(line)[::-1]]), _colour(sitter)
    )
    if style in ("cap", "scarf"):
        _paint_hem(canvas, sitter, line)
    else:
        _paint_strands(canvas, sitter, outer, line, rng=rng)


def _colour(sitter: subjects.Sitter) -> paint.Colour:
    look = sitter.look
    if look.hair_style in ("cap", "scarf"):
        return paint.mixed(look.cloth[::-1], (120, 110, 120), 0.25)
    return paint.mixed(look.hair, look.skin, 0.25) if look.hair_style == "cropped" else look.hair


def _hair_line(sitter: subjects.Sitter, *, rng: np.random.Generator) -> anatomy.Points:
    """Return the edge of the hair on the forehead from left to right, float[13, 2]."""
    style = sitter.look.hair_style
    angle = np.linspace(0, np.pi, 13)
    rise = np.sin(angle) ** 0.5 * _FOREHEAD[style]
    if style == "swept":
        rise *= 1 + 0.22 * np.cos(angle) * rng.choice([-1, 1])
    if style in ("fringe", "bob"):
        rise = np.minimum(rise, _FOREHEAD[style]) + rng.uniform(-0.03, 0.03, size=13)
    temple = (sitter.model[0] + sitter.model[16]) / 2
    width = abs(sitter.model[16, 0]) * (1.02 - 0.05 * np.sin(angle))
    points = np.stack(
        [-np.cos(angle) * width, temple[1] - 0.05 - rise, -0.33 + 0.5 * np.sin(angle)], axis=1
    )
    return sitter.at(points)


def _paint_curls(
    canvas: paint.Canvas, sitter: subjects.Sitter, outer: paint.Points, *, rng: np.random.Generator
) -> None:
    for place in curves.through(outer)[::3]:
        radius = rng.uniform(0.12, 0.2)
        curl = curves.ellipse(
            place, sitter.pose.across(radius, 0), sitter.pose.across(0, radius), steps=14
        )
        paint.fill(canvas, curl, paint.scaled(_colour(sitter), float(rng.uniform(0.8, 1.05))))


def _paint_hem(canvas: paint.Canvas, sitter: subjects.Sitter, line: paint.Points) -> None:
    dark = paint.scaled(_colour(sitter), 0.72)
    paint.ribbon(canvas, curves.through(line), dark, half_width_px=0.05 * sitter.unit_px)
    if sitter.look.hair_style == "scarf":
        for edge in (range(0, 6), range(11, 17)):
            paint.ribbon(
                canvas,
                curves.through(sitter.landmarks[list(edge)]),
                _colour(sitter),
                half_width_px=0.05 * sitter.unit_px,
            )


def _paint_strands(
    canvas: paint.Canvas,
    sitter: subjects.Sitter,
    outer: paint.Points,
    line: paint.Points,
    *,
    rng: np.random.Generator,
) -> None:
    """Draw strands from the crown to the hair line, lighter and darker than the hair."""
    roots, ends = curves.through(outer), curves.through(line)
    for tone in (0.7, 0.85, 1.15, 1.35):
        place = rng.integers(6, len(roots) - 6, size=8)
        start, end = roots[place] * 0.92 + ends[place] * 0.08, ends[place]
        bend = (start + end) / 2 + rng.uniform(-0.05, 0.05, size=(8, 2)) * sitter.unit_px
        lines = list(np.stack([start, bend, end], axis=1))
        paint.hairs(
            canvas, lines, paint.scaled(_colour(sitter), tone), width_px=0.018 * sitter.unit_px
        )
