"""The light on a face: where it comes from, and the soft shade it leaves.

Owns: shading by the form of the head. The head is taken for an ellipsoid lit by one lamp and an
even sky (Lambert's law); its hollows (eye sockets, beside the nose, under the lip) are darkened by
hand.
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
    """A lamp. `direction_xyz` points from the face to it (unit length); `contrast` 0 is flat, 1 is
    stage light."""

    direction_xyz: tuple[float, float, float]
    contrast: float


def draw_light(rng: np.random.Generator) -> Light:
    """Draw a lamp somewhere before the face, more often above than below."""
    x, y, z = rng.uniform(-1, 1), rng.uniform(-1.0, 0.45), rng.uniform(0.3, 1.0)
    length = float(np.sqrt(x * x + y * y + z * z))
    return Light(
        (float(x) / length, float(y) / length, float(z) / length), float(rng.uniform(0.15, 0.7))
    )


def hollows(canvas: paint.Canvas, sitter: subjects.Sitter) -> paint.Canvas:
    """Return the shade of what lies deep in the face and of what stands out."""
    shade = paint.shade_like(canvas)
    unit = sitter.unit_px
    for eye in anatomy.EYES:
        middle = sitter.landmarks[list(eye)].mean(axis=0)
        paint.fill(shade, _oval(sitter, middle, 0.30, 0.19), paint.LIT - 26)
    for cheek, side in ((41, -1), (46, 1)):
        paint.fill(
            shade, _oval(sitter, sitter.near(cheek, 0.04 * side, 0.36), 0.22, 0.17), paint.LIT + 9
        )
    paint.fill(shade, _oval(sitter, sitter.near(27, 0, -0.62), 0.45, 0.25), paint.LIT + 8)
    paint.fill(shade, _oval(sitter, sitter.near(57, 0, 0.09), 0.22, 0.06), paint.LIT - 30)
    paint.fill(shade, _oval(sitter, sitter.near(33, 0, 0.08), 0.16, 0.07), paint.LIT - 16)
    return paint.soften(shade, sigma_px=0.075 * unit)


def paint_light(canvas: paint.Canvas, sitter: subjects.Sitter, light: Light) -> None:
    """Light the head and what is close around it."""
    height, width = canvas.shape[:2]
    normals, reach = _head_normals(sitter, width=width, height=height)
    lit = normals @ np.array(light.direction_xyz)
    gain = np.minimum(1 + light.contrast * (np.maximum(lit, -0.15) - 0.66) * reach, _GAIN_MAX)
    grid = np.clip(gain * paint.LIT, 0, 255).astype(np.uint8)
    shade = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    paint.multiply(canvas, np.asarray(shade, dtype=np.uint8))


def _head_normals(
    sitter: subjects.Sitter, *, width: int, height: int
) -> tuple[anatomy.Points, anatomy.Points]:
    """Return surface normals, [g, g, 3], on a coarse grid over the picture, and how far light
    counts, [g, g]."""
    xs, ys = np.meshgrid(
        (np.arange(_GRID) + 0.5) * width / _GRID, (np.arange(_GRID) + 0.5) * height / _GRID
    )
    offset = np.stack([xs, ys], axis=-1) - sitter.at((0.0, 0.2, 0.0))
    cos, sin = np.cos(sitter.pose.roll_rad), np.sin(sitter.pose.roll_rad)
    own = offset @ np.array([[cos, -sin], [sin, cos]]) / (sitter.unit_px * np.array([1.15, 1.6]))
    radius = np.linalg.norm(own, axis=-1)
    flat = own / np.maximum(radius, 1.0)[..., np.newaxis]
    depth = np.sqrt(np.maximum(0.0, 1 - (flat**2).sum(axis=-1)))
    x, y = flat[..., 0], flat[..., 1]
    normals = np.stack([x * cos - y * sin, x * sin + y * cos, depth], axis=-1)
    return normals, np.clip((1.9 - radius) / 0.6, 0, 1)


def _oval(
    sitter: subjects.Sitter, middle: anatomy.Points, half_width: float, half_height: float
) -> anatomy.Points:
    return curves.ellipse(
        middle, sitter.pose.across(half_width, 0), sitter.pose.across(0, half_height)
    )
