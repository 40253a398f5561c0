"""Painting of eyes and brows.

Owns lids, iris, gaze, lashes and the hair of the brows. Lids run through landmarks 36..47, brows
along 17..26.
"""

import numpy as np

from synthetic_faces.canvas import curves, paint
from synthetic_faces.subject import anatomy, subjects

_WHITE: paint.Colour = (226, 232, 234)
_IRIS_RADIUS = 0.125


def paint_eyes(
    canvas: paint.Canvas, subject: subjects.Subject, *, gaze: tuple[float, float]
) -> None:
    """Paint both eyes; `gaze` is their direction, -1..1 to the right and down."""
    for eye in anatomy.EYES:
        points = subject.landmarks[list(eye)]
        outline = np.concatenate([curves.through(points[:4]), curves.through(points[[3, 4, 5, 0]])])
        ball = _EyeBall(subject, points, gaze)
        paint.inside(canvas, outline, ball.show)
        _paint_lids(canvas, subject, points)


def paint_brows(
    canvas: paint.Canvas, subject: subjects.Subject, *, rng: np.random.Generator
) -> None:
    """Paint the brows as a band with single hairs over it."""
    colour = paint.mixed(
        paint.scaled(subject.look.hair, 0.75), paint.scaled(subject.look.skin, 0.3), 0.5
    )
    half = 0.047 * subject.unit_px * subject.look.brow_weight
    for rows in (range(17, 22), range(26, 21, -1)):
        spine = curves.through(subject.landmarks[list(rows)])
        widths = half * np.interp(
            np.linspace(0, 1, len(spine)), [0, 0.35, 0.85, 1], [0.25, 1.0, 1.15, 0.7]
        )
        paint.ribbon(canvas, spine, colour, half_width_px=widths)
        _paint_brow_hairs(canvas, spine, colour=paint.scaled(colour, 0.84), half_px=half, rng=rng)


class _EyeBall:
    """Visible part of one eyeball."""

    def __init__(
        self, subject: subjects.Subject, points: anatomy.Points, gaze: tuple[float, float]
    ) -> None:
        self._subject = subject
        corners = (points[0] + points[3]) / 2
        self._iris = corners + subject.pose.across(0.05 * gaze[0], 0.02 * gaze[1] - 0.015)

    def show(self, canvas: paint.Canvas) -> None:
        """Paint the white, the iris, the pupil and the lamp's reflection."""
        look = self._subject.look
        paint.flood(canvas, paint.mixed(_WHITE, look.skin, 0.12))
        self._disc(canvas, self._iris, 1.0, paint.scaled(look.iris, 0.45))
        self._disc(canvas, self._iris, 0.86, look.iris)
        self._disc(canvas, self._iris, 0.42, (14, 12, 12))
        reflection = self._iris + self._subject.pose.across(0.035, -0.045)
        self._disc(canvas, reflection, 0.2, (250, 250, 250))

    def _disc(
        self, canvas: paint.Canvas, centre: anatomy.Points, scale: float, colour: paint.Colour
    ) -> None:
        radius = _IRIS_RADIUS * scale
        across = self._subject.pose.across(radius, 0)
        down = self._subject.pose.across(0, radius)
        paint.fill(canvas, curves.ellipse(centre, across, down), colour)


def _paint_lids(canvas: paint.Canvas, subject: subjects.Subject, points: anatomy.Points) -> None:
    unit = subject.unit_px
    dark = paint.scaled(subject.look.skin, 0.22)
    paint.stroke(canvas, points[:4], dark, width_px=0.05 * unit, taper=0.5)
    paint.stroke(
        canvas, points[[3, 4, 5, 0]], paint.scaled(subject.look.skin, 0.55), width_px=0.022 * unit
    )
    crease = points[:4] + subject.pose.across(0, -0.055) * np.array([[0.5], [1], [1], [0.3]])
    paint.stroke(canvas, crease, paint.scaled(subject.look.skin, 0.66), width_px=0.022 * unit)


def _paint_brow_hairs(
    canvas: paint.Canvas,
    spine: paint.Points,
    *,
    colour: paint.Colour,
    half_px: float,
    rng: np.random.Generator,
) -> None:
    index = rng.integers(1, len(spine) - 1, size=9)
    along = spine[index] - spine[index - 1]
    lift = along[:, ::-1] * [1, -1] * rng.uniform(-0.5, 0.5, size=(9, 1))
    start = spine[index] - lift
    paint.hairs(
        canvas,
        list(np.stack([start, start - along * 1.6 + lift], axis=1)),
        colour,
        width_px=half_px * 0.4,
    )
