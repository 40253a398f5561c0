"""Painting of neck, shoulders, ears and the skin of the head.

Owns the outline of the head above the jaw line, which has no landmarks; hair, caps and scarves
follow it.
"""

import numpy as np

from synthetic_faces.canvas import curves, paint
from synthetic_faces.subject import anatomy, subjects

_EAR = ((-0.97, -0.08), (-1.13, -0.12), (-1.19, 0.10), (-1.12, 0.36), (-1.00, 0.50), (-0.94, 0.40))
_CROWN_HEIGHT = 1.22


def crown(subject: subjects.Subject, *, grow: float = 0.0, count: int = 9) -> anatomy.Points:
    """Return the outline of the crown from the left temple to the right, float[count, 2], pixels.

    Args:
      subject: the face.
      grow: distance from the skull, in half face widths.
      count: number of points.
    """
    angle = np.linspace(0, np.pi, count)
    temple = (subject.model[0] + subject.model[16]) / 2
    width = abs(subject.model[16, 0] - subject.model[0, 0]) / 2 + grow
    across = -np.cos(angle) * width
    up = temple[1] - np.sin(angle) ** 0.9 * (_CROWN_HEIGHT + grow)
    return subject.project(
        np.stack([across, up, np.full(count, -0.36) + 0.15 * np.sin(angle)], axis=1)
    )


def paint_body(canvas: paint.Canvas, subject: subjects.Subject) -> None:
    """Paint shoulders and neck, which stay upright in the image when the head turns."""
    chin = subject.landmarks[8]
    left = subject.landmarks[4]
    right = subject.landmarks[12]
    unit = subject.unit_px
    middle = (left + right) / 2
    width = np.linalg.norm(right - left) / 2 * 0.82
    foot = np.array([middle[0], max(chin[1], middle[1]) + 0.5 * unit])
    shoulders = curves.ellipse(foot + [0, 2.9 * unit], [2.0 * unit, 0], [0, 2.8 * unit], steps=40)
    paint.fill(canvas, shoulders, subject.look.cloth)
    neck = [
        middle - [width, 0],
        middle + [width, 0],
        foot + [width * 1.15, 0],
        foot - [width * 1.15, 0],
    ]
    paint.fill(canvas, neck, paint.scaled(subject.look.skin, 0.74))
    collar = curves.ellipse(foot, [width * 1.2, 0], [0, 0.28 * unit])
    paint.fill(canvas, collar, paint.scaled(subject.look.skin, 0.80))


def paint_ears(canvas: paint.Canvas, subject: subjects.Subject) -> None:
    """Paint both ears; the head, painted after them, covers part of them."""
    scale = abs(subject.model[0, 0])
    for side in (1, -1):
        outline = np.array([(x * scale * side, y, -0.42) for x, y in _EAR])
        points = subject.project(outline)
        paint.fill(canvas, curves.loop(points), paint.scaled(subject.look.skin, 0.88))
        inner = points.mean(axis=0) + (points - points.mean(axis=0)) * 0.55
        paint.fill(canvas, curves.loop(inner), paint.scaled(subject.look.skin, 0.74))


def outline(subject: subjects.Subject) -> anatomy.Points:
    """Return the head's outline: the jaw's landmarks, closed over the crown."""
    over = crown(subject)[::-1]
    return np.concatenate([curves.through(subject.landmarks[:17]), curves.through(over)[3:-3]])


def paint_skin(canvas: paint.Canvas, subject: subjects.Subject) -> None:
    """Paint the head in one colour."""
    paint.fill(canvas, outline(subject), subject.look.skin)
