"""Paints the mouth: lips along landmarks 48..59, and what shows between 60..67.

Owns: lips, teeth, tongue. Teeth show when the lips part; the tongue when the jaw drops.
"""

import numpy as np

from synthetic_faces.canvas import curves, paint
from synthetic_faces.subject import anatomy, subjects

_DARK: paint.Colour = (24, 14, 48)
_TEETH: paint.Colour = (214, 230, 236)
_TONGUE: paint.Colour = (104, 92, 186)


def paint_mouth(canvas: paint.Canvas, sitter: subjects.Sitter) -> None:
    """Paint lips first, then the opening between them."""
    points, look = sitter.landmarks, sitter.look
    top = curves.through(points[48:55])
    bottom = curves.through(points[[54, 55, 56, 57, 58, 59, 48]])
    seam = curves.through(points[[64, 65, 66, 67, 60]])
    paint.fill(canvas, np.concatenate([top, bottom]), look.lips)
    upper = np.concatenate([top, curves.through(points[[64, 63, 62, 61, 60]])])
    paint.fill(canvas, upper, paint.scaled(look.lips, 0.84))
    glow = [
        sitter.near(58, 0.02, -0.035),
        sitter.near(57, 0, -0.035),
        sitter.near(56, -0.02, -0.035),
    ]
    paint.stroke(
        canvas, glow, paint.mixed(look.lips, (235, 235, 245), 0.3), width_px=0.035 * sitter.unit_px
    )
    opening = np.concatenate([curves.through(points[60:65]), seam])
    paint.inside(canvas, opening, _Inside(sitter).show)
    _paint_seam(canvas, sitter)


def opening(landmarks: anatomy.Points) -> float:
    """Return how far the inner lips stand apart, in the landmarks' own unit."""
    return float(np.linalg.norm(landmarks[66] - landmarks[62]))


class _Inside:
    """What shows between the lips."""

    def __init__(self, sitter: subjects.Sitter) -> None:
        self._sitter = sitter
        self._gap = opening(sitter.landmarks) / sitter.unit_px

    def show(self, canvas: paint.Canvas) -> None:
        """Paint the dark, the tongue and both rows of teeth."""
        paint.flood(canvas, _DARK)
        if self._gap > 0.2:
            centre = self._sitter.near(66, 0, 0.02)
            paint.fill(
                canvas,
                curves.ellipse(
                    centre, self._sitter.pose.across(0.2, 0), self._sitter.pose.across(0, 0.12)
                ),
                _TONGUE,
            )
        self._teeth(canvas, [60, 61, 62, 63, 64], min(0.10, self._gap * 0.6))
        if self._sitter.level(16) + self._sitter.level(20) > 0.3:
            self._teeth(canvas, [60, 67, 66, 65, 64], -min(0.10, self._gap * 0.45))

    def _teeth(self, canvas: paint.Canvas, row: list[int], height: float) -> None:
        gum = self._sitter.landmarks[row]
        edge = gum + np.array([[0.0], [1.0], [1.0], [1.0], [0.0]]) * self._sitter.pose.across(
            0, height
        )
        paint.fill(
            canvas, np.concatenate([curves.through(gum), curves.through(edge)[::-1]]), _TEETH
        )
        if self._gap > 0.09:
            spine, reach = curves.through(gum)[3:-3:3], self._sitter.pose.across(0, height)
            lines = list(np.stack([spine, spine + reach], axis=1))
            paint.hairs(
                canvas, lines, paint.scaled(_TEETH, 0.86), width_px=0.012 * self._sitter.unit_px
            )


def _paint_seam(canvas: paint.Canvas, sitter: subjects.Sitter) -> None:
    """Draw the line between closed lips, and the shadow in the corners."""
    dark = paint.scaled(sitter.look.lips, 0.38)
    closed = opening(sitter.landmarks) < 0.04 * sitter.unit_px
    line = sitter.landmarks[[48, 60, 61, 62, 63, 64, 54]]
    paint.stroke(
        canvas, line, dark, width_px=(0.032 if closed else 0.014) * sitter.unit_px, taper=0.4
    )
    for corner, inner in ((48, 60), (54, 64)):
        paint.stroke(
            canvas,
            sitter.landmarks[[corner, inner]],
            dark,
            width_px=0.045 * sitter.unit_px,
            taper=0.6,
        )
