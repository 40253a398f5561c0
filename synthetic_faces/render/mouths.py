"""Painting of the mouth: lips along landmarks 48..59, and the opening between 60..67.

Owns lips, teeth and tongue. Teeth are visible when the lips part; the tongue when the jaw drops.
"""

import numpy as np

from synthetic_faces.canvas import curves, paint
from synthetic_faces.subject import anatomy, subjects

_DARK: paint.Colour = (24, 14, 48)
_TEETH: paint.Colour = (214, 230, 236)
_TONGUE: paint.Colour = (104, 92, 186)


def paint_mouth(canvas: paint.Canvas, subject: subjects.Subject) -> None:
    """Paint lips first, then the opening between them."""
    points = subject.landmarks
    look = subject.look
    top = curves.through(points[48:55])
    bottom = curves.through(points[[54, 55, 56, 57, 58, 59, 48]])
    seam = curves.through(points[[64, 65, 66, 67, 60]])
    paint.fill(canvas, np.concatenate([top, bottom]), look.lips)
    upper = np.concatenate([top, curves.through(points[[64, 63, 62, 61, 60]])])
    paint.fill(canvas, upper, paint.scaled(look.lips, 0.84))
    glow = [
        subject.near(58, 0.02, -0.035),
        subject.near(57, 0, -0.035),
        subject.near(56, -0.02, -0.035),
    ]
    paint.stroke(
        canvas, glow, paint.mixed(look.lips, (235, 235, 245), 0.3), width_px=0.035 * subject.unit_px
    )
    opening = np.concatenate([curves.through(points[60:65]), seam])
    paint.inside(canvas, opening, _Inside(subject).show)
    _paint_seam(canvas, subject)


def opening(landmarks: anatomy.Points) -> float:
    """Return the distance between the inner lips, in the landmarks' own unit."""
    return float(np.linalg.norm(landmarks[66] - landmarks[62]))


class _Inside:
    """Visible part of the mouth between the lips."""

    def __init__(self, subject: subjects.Subject) -> None:
        self._subject = subject
        self._gap = opening(subject.landmarks) / subject.unit_px

    def show(self, canvas: paint.Canvas) -> None:
        """Paint the dark cavity, the tongue and both rows of teeth."""
        paint.flood(canvas, _DARK)
        if self._gap > 0.2:
            centre = self._subject.near(66, 0, 0.02)
            paint.fill(
                canvas,
                curves.ellipse(
                    centre, self._subject.pose.across(0.2, 0), self._subject.pose.across(0, 0.12)
                ),
                _TONGUE,
            )
        self._teeth(canvas, [60, 61, 62, 63, 64], min(0.10, self._gap * 0.6))
        if self._subject.intensity(16) + self._subject.intensity(20) > 0.3:
            self._teeth(canvas, [60, 67, 66, 65, 64], -min(0.10, self._gap * 0.45))

    def _teeth(self, canvas: paint.Canvas, row: list[int], height: float) -> None:
        gum = self._subject.landmarks[row]
        edge = gum + np.array([[0.0], [1.0], [1.0], [1.0], [0.0]]) * self._subject.pose.across(
            0, height
        )
        paint.fill(
            canvas, np.concatenate([curves.through(gum), curves.through(edge)[::-1]]), _TEETH
        )
        if self._gap > 0.09:
            spine = curves.through(gum)[3:-3:3]
            tip = spine + self._subject.pose.across(0, height)
            lines = list(np.stack([spine, tip], axis=1))
            paint.hairs(
                canvas, lines, paint.scaled(_TEETH, 0.86), width_px=0.012 * self._subject.unit_px
            )


def _paint_seam(canvas: paint.Canvas, subject: subjects.Subject) -> None:
    """Draw the line between closed lips, and the shadow in the corners."""
    dark = paint.scaled(subject.look.lips, 0.38)
    width = 0.014
    if opening(subject.landmarks) < 0.04 * subject.unit_px:
        width = 0.032  # Closed lips show one thick line.
    line = subject.landmarks[[48, 60, 61, 62, 63, 64, 54]]
    paint.stroke(canvas, line, dark, width_px=width * subject.unit_px, taper=0.4)
    for corner, inner in ((48, 60), (54, 64)):
        paint.stroke(
            canvas,
            subject.landmarks[[corner, inner]],
            dark,
            width_px=0.045 * subject.unit_px,
            taper=0.6,
        )
