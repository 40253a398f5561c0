"""Lighting of a face: direction and contrast of the lamp, and the shading of the head.

The head is shaded as an ellipsoid lit by one lamp and a uniform sky (Lambert's law); its hollows
(eye sockets, beside the nose, under the lip) are darkened separately.
"""

import dataclasses

import cv2
import numpy as np

from synthetic_faces.canvas import curves, paint
from synthetic_faces.subject import anatomy, subjects

_GRID = 28
_GAIN_MAX = 1.12


@dataclasses.dataclass(frozen=True)
class Light:
    """A lamp: unit vector from the face towards it, and contrast from 0 (flat) to 1 (harsh)."""

    direction_xyz: tuple[float, float, float]
    contrast: float


def draw_light(rng: np.random.Generator) -> Light:
    """Draw a lamp in front of the face, more often above than below."""
    x, y, z = rng.uniform([-1, -1.0, 0.3], [1, 0.45, 1.0]).tolist()
    length = float(np.sqrt(x * x + y * y + z * z))
    return Light((x / length, y / length, z / length), float(rng.uniform(0.15, 0.7)))


def hollows(canvas: paint.Canvas, subject: subjects.Subject) -> paint.Canvas:
    """Return the shade of the face's hollows and of its raised parts."""
    shade = paint.shade_like(canvas)
    unit = subject.unit_px
    for eye in anatomy.EYES:
        middle = subject.landmarks[list(eye)].mean(axis=0)
        paint.fill(shade, _oval(subject, middle, 0.30, 0.19), paint.NEUTRAL - 26)
    for cheek, side in ((41, -1), (46, 1)):
        paint.fill(
            shade,
            _oval(subject, subject.near(cheek, 0.04 * side, 0.36), 0.22, 0.17),
            paint.NEUTRAL + 9,
        )
    paint.fill(shade, _oval(subject, subject.near(27, 0, -0.62), 0.45, 0.25), paint.NEUTRAL + 8)
    paint.fill(shade, _oval(subject, subject.near(57, 0, 0.09), 0.22, 0.06), paint.NEUTRAL - 30)
    paint.fill(shade, _oval(subject, subject.near(33, 0, 0.08), 0.16, 0.07), paint.NEUTRAL - 16)
    return paint.soften(shade, sigma_px=0.075 * unit)


def paint_light(canvas: paint.Canvas, subject: subjects.Subject, light: Light) -> None:
    """Light the head and its close surroundings."""
    height, width = canvas.shape[:2]
    normals, reach = _head_normals(subject, width=width, height=height)
    lit = normals @ np.array(light.direction_xyz)
    gain = np.minimum(1 + light.contrast * (np.maximum(lit, -0.15) - 0.66) * reach, _GAIN_MAX)
    grid = np.clip(gain * paint.NEUTRAL, 0, 255).astype(np.uint8)
    shade = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    paint.multiply(canvas, np.asarray(shade, dtype=np.uint8))


def _head_normals(
    subject: subjects.Subject, *, width: int, height: int
) -> tuple[anatomy.Points, anatomy.Points]:
    """Return surface normals, [g, g, 3], on a coarse grid over the image, and weights, [g, g]."""
    xs, ys = np.meshgrid(
        (np.arange(_GRID) + 0.5) * width / _GRID, (np.arange(_GRID) + 0.5) * height / _GRID
    )
    offset = np.stack([xs, ys], axis=-1) - subject.project((0.0, 0.2, 0.0))
    cos = np.cos(subject.pose.roll_rad)
    sin = np.sin(subject.pose.roll_rad)
    own = offset @ np.array([[cos, -sin], [sin, cos]]) / (subject.unit_px * np.array([1.15, 1.6]))
    radius = np.linalg.norm(own, axis=-1)
    flat = own / np.maximum(radius, 1.0)[..., np.newaxis]
    depth = np.sqrt(np.maximum(0.0, 1 - (flat**2).sum(axis=-1)))
    x, y = np.moveaxis(flat, -1, 0)
    normals = np.stack([x * cos - y * sin, x * sin + y * cos, depth], axis=-1)
    return normals, np.clip((1.9 - radius) / 0.6, 0, 1)


def _oval(
    subject: subjects.Subject, middle: anatomy.Points, half_width: float, half_height: float
) -> anatomy.Points:
    return curves.ellipse(
        middle, subject.pose.across(half_width, 0), subject.pose.across(0, half_height)
    )
