"""Measured attributes of a face: size, turn of the head, brightness, colour or gray.

Owns how each is measured while the image is in memory, and its text in the record. Angles are
rounded to degrees and brightness to whole numbers, so that the last digits of a processor's
arithmetic do not decide the bytes of a shard.
"""

import math
from collections.abc import Callable, Collection
from typing import NamedTuple

import numpy as np

from affectnet_tfds import features, luma

_HEAD = {
    30: (0.0, 0.0, 0.0),  # tip of the nose
    8: (0.0, 330.0, 65.0),  # chin
    36: (-225.0, -170.0, 135.0),  # outer corners of the eyes
    45: (225.0, -170.0, 135.0),
    48: (-150.0, 150.0, 125.0),  # corners of the mouth
    54: (150.0, 150.0, 125.0),
}
"""Landmark → place in a head that looks at the camera: right, down and away, in no unit.

The six points that tutorials of OpenCV's solvePnP pass on as the anthropometric head.
"""

_GRAY_SPREAD = 16
"""Largest difference of a pixel's channels in a gray image, noise of compression included."""

_GRAY_FRAC = 0.99
"""Share of the pixels that have to be gray."""


class Measurable(NamedTuple):
    """What attributes are measured on.

    Attributes:
      face: uint8[S, S, 3], the crop, RGB.
      box_px: longer side of the face box in the image, of the image where there is no box.
      points: float[68, 2], landmarks in pixels of the image, or None.
    """

    face: np.ndarray
    box_px: float
    points: np.ndarray | None


def measure(of: Measurable, *, names: Collection[str]) -> tuple[tuple[str, str], ...]:
    """Return name and text of the attributes called so; "" for one that cannot be measured."""
    return tuple((name, _MEASURES[name](of)) for name in names)


def yaw_deg(points: np.ndarray) -> float:
    """Return by how many degrees a head is turned to either side, -90..90, from its landmarks.

    Positive looks to the image's right. Scaled orthographic projection: the first two rows of a
    rotation are fitted to the head's points by least squares (DeMenthon and Davis 1995,
    "Model-based object pose in 25 lines of code", the first step).

    Args:
      points: float[68, 2], (x, y) in pixels.
    """
    head = np.array([*_HEAD.values()])
    seen = np.asarray(points, np.float64)[[*_HEAD]]
    rows = np.linalg.pinv(head - head.mean(axis=0)) @ (seen - seen.mean(axis=0))  # [3, 2]
    across, down = rows.T / np.maximum(np.linalg.norm(rows, axis=0)[:, None], 1e-9)
    away = np.cross(across, down)  # Direction from the camera, in the head's frame.
    return math.degrees(math.atan2(away[0], away[2]))


def is_gray(face: np.ndarray) -> bool:
    """Return whether a face, uint8[S, S, 3], is gray, whatever its file's format."""
    spread = face.max(axis=2) - face.min(axis=2)
    return bool(np.mean(spread <= _GRAY_SPREAD) >= _GRAY_FRAC)


def brightness(face: np.ndarray) -> float:
    """Return the mean luma of a face, uint8[S, S, 3] RGB: 0..255."""
    return float(face.reshape(-1, 3).mean(axis=0) @ luma.LUMA)


def _yaw(of: Measurable) -> str:
    return "" if of.points is None else f"{abs(yaw_deg(of.points)):.0f}"


_MEASURES: dict[str, Callable[[Measurable], str]] = {
    "face_px": lambda of: f"{of.box_px:.0f}",
    "yaw_deg": _yaw,
    "brightness": lambda of: f"{brightness(of.face):.0f}",
    "colour": lambda of: "gray" if is_gray(of.face) else "colour",
}
assert tuple(_MEASURES) == features.MEASURED_GROUPS
