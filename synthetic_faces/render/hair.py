"""Painting of hair, caps and scarves, behind the head and over the forehead.

Owns one shape a style. None of them covers a brow for good: the expression must stay visible.
"""

import numpy as np

from synthetic_faces.canvas import curves, paint
from synthetic_faces.render import head_shape
from synthetic_faces.subject import anatomy, subjects

# By style, in half face widths: thickness of the hair above the skull, lower end of the hair behind
# the head (styles that are absent have none), height of the hair line above the temples.
_VOLUME: dict[str, float] = {
    "cropped": 0.03, "short": 0.09, "swept": 0.15, "fringe": 0.12, "long": 0.15, "bob": 0.17,
    "curly": 0.30, "cap": 0.10, "scarf": 0.13,
}  # fmt: skip
_HANG: dict[str, float] = {"long": 1.9, "bob": 1.15, "scarf": 1.75, "curly": 0.55}
_FOREHEAD: dict[str, float] = {
    "cropped": 0.80, "short": 0.72, "swept": 0.70, "fringe": 0.65, "long": 0.76, "bob": 0.67,
    "curly": 0.70, "cap": 0.68, "scarf": 0.72,
}  # fmt: skip


def paint_behind(canvas: paint.Canvas, subject: subjects.Subject) -> None:
    """Paint the hair that hangs behind face and neck."""
    style = subject.look.hair_style
    if style not in _HANG:
        return
    grow = _VOLUME[style]
    low = _HANG[style]
    over = head_shape.crown(subject, grow=grow + 0.06)
    sides = subject.project(
        [
            (1.12 + grow, low * 0.6, -0.5),
            (0.95 + grow, low, -0.5),
            (-0.95 - grow, low, -0.5),
            (-1.12 - grow, low * 0.6, -0.5),
        ]
    )
    paint.fill(
        canvas, curves.loop(np.concatenate([over, sides])), paint.scaled(_colour(subject), 0.7)
    )


def paint_front(
    canvas: paint.Canvas, subject: subjects.Subject, *, rng: np.random.Generator
) -> None:
    """Paint the hair on the head down to the hair line."""
    style = subject.look.hair_style
    if style == "bald":
        return
    outer = head_shape.crown(subject, grow=_VOLUME[style], count=13)
    line = _hair_line(subject, rng=rng)
    if style == "curly":
        _paint_curls(canvas, subject, outer, rng=rng)
    paint.fill(
        canvas,
        np.concatenate([curves.through(outer), curves.through(line)[::-1]]),
        _colour(subject),
    )
    if style in ("cap", "scarf"):
        _paint_hem(canvas, subject, line)
    else:
        _paint_strands(canvas, subject, outer, line, rng=rng)


def _colour(subject: subjects.Subject) -> paint.Colour:
    look = subject.look
    if look.hair_style in ("cap", "scarf"):
        return paint.mixed(look.cloth[::-1], (120, 110, 120), 0.25)
    if look.hair_style == "cropped":
        return paint.mixed(look.hair, look.skin, 0.25)
    return look.hair


def _hair_line(subject: subjects.Subject, *, rng: np.random.Generator) -> anatomy.Points:
    """Return the edge of the hair on the forehead from left to right, float[13, 2]."""
    style = subject.look.hair_style
    angle = np.linspace(0, np.pi, 13)
    rise = np.sin(angle) ** 0.5 * _FOREHEAD[style]
    if style == "swept":
        rise *= 1 + 0.22 * np.cos(angle) * rng.choice([-1, 1])
    if style in ("fringe", "bob"):
        rise = np.minimum(rise, _FOREHEAD[style]) + rng.uniform(-0.03, 0.03, size=13)
    temple = (subject.model[0] + subject.model[16]) / 2
    width = abs(subject.model[16, 0]) * (1.02 - 0.05 * np.sin(angle))
    points = np.stack(
        [-np.cos(angle) * width, temple[1] - 0.05 - rise, -0.33 + 0.5 * np.sin(angle)], axis=1
    )
    return subject.project(points)


def _paint_curls(
    canvas: paint.Canvas,
    subject: subjects.Subject,
    outer: paint.Points,
    *,
    rng: np.random.Generator,
) -> None:
    for centre in curves.through(outer)[::3]:
        radius = rng.uniform(0.12, 0.2)
        curl = curves.ellipse(
            centre, subject.pose.across(radius, 0), subject.pose.across(0, radius), steps=14
        )
        paint.fill(canvas, curl, paint.scaled(_colour(subject), float(rng.uniform(0.8, 1.05))))


def _paint_hem(canvas: paint.Canvas, subject: subjects.Subject, line: paint.Points) -> None:
    dark = paint.scaled(_colour(subject), 0.72)
    paint.ribbon(canvas, curves.through(line), dark, half_width_px=0.05 * subject.unit_px)
    if subject.look.hair_style == "scarf":
        for edge in (range(0, 6), range(11, 17)):
            paint.ribbon(
                canvas,
                curves.through(subject.landmarks[list(edge)]),
                _colour(subject),
                half_width_px=0.05 * subject.unit_px,
            )


def _paint_strands(
    canvas: paint.Canvas,
    subject: subjects.Subject,
    outer: paint.Points,
    line: paint.Points,
    *,
    rng: np.random.Generator,
) -> None:
    """Draw strands from the crown to the hair line, lighter and darker than the hair."""
    roots = curves.through(outer)
    ends = curves.through(line)
    for tone in (0.7, 0.85, 1.15, 1.35):
        index = rng.integers(6, len(roots) - 6, size=8)
        start = roots[index] * 0.92 + ends[index] * 0.08
        end = ends[index]
        bend = (start + end) / 2 + rng.uniform(-0.05, 0.05, size=(8, 2)) * subject.unit_px
        lines = list(np.stack([start, bend, end], axis=1))
        paint.hairs(
            canvas, lines, paint.scaled(_colour(subject), tone), width_px=0.018 * subject.unit_px
        )
