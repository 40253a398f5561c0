"""Facial action units and the displacement of the landmarks that each causes.

Owns the action units in use and their displacements at full intensity. Numbers and names are those
of the Facial Action Coding System (Ekman & Friesen 1978; Ekman, Friesen & Hager 2002); the
displacements are drawn after the manual's descriptions, in half face widths. Blend shapes of a 3-D
scan were rejected: they would look better, but need a licence.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from synthetic_faces.subject import anatomy


class Sides(NamedTuple):
    """Intensity of an action unit, 0..1, on the left and right of the image (not the person's)."""

    left: float
    right: float

    @property
    def mean(self) -> float:
        """Return the intensity on the midline."""
        return (self.left + self.right) / 2


Activity = Mapping[int, Sides]
"""Action unit number → its intensity; units that are absent are at rest."""

NAMES: dict[int, str] = {
    1: "inner brow raiser", 2: "outer brow raiser", 4: "brow lowerer", 5: "upper lid raiser",
    6: "cheek raiser", 7: "lid tightener", 9: "nose wrinkler", 10: "upper lip raiser",
    12: "lip corner puller", 14: "dimpler", 15: "lip corner depressor", 16: "lower lip depressor",
    17: "chin raiser", 20: "lip stretcher", 23: "lip tightener", 25: "lips part", 26: "jaw drop",
    27: "mouth stretch", 43: "eyes closed",
}  # fmt: skip

# Action unit → landmark of the image's left half or the midline → (dx, dy).
_MOVES: dict[int, dict[int, tuple[float, float]]] = {
    1: {21: (0.01, -0.20), 20: (0, -0.13), 19: (0, -0.04)},
    2: {17: (0, -0.11), 18: (0, -0.17), 19: (0, -0.14), 20: (0, -0.05)},
    4: {21: (0.07, 0.17), 20: (0.06, 0.15), 19: (0.04, 0.11), 18: (0.02, 0.06), 17: (0.01, 0.01)},
    5: {37: (0, -0.075), 38: (0, -0.075)},
    6: {40: (0, -0.05), 41: (0, -0.065), 36: (0, -0.01)},
    7: {40: (0, -0.045), 41: (0, -0.045), 37: (0, 0.025), 38: (0, 0.03)},
    9: {
        31: (-0.03, -0.09), 32: (-0.01, -0.08), 33: (0, -0.07), 30: (0, -0.05), 29: (0, -0.03),
        49: (-0.01, -0.10), 50: (0, -0.10), 51: (0, -0.09), 61: (0, -0.07), 62: (0, -0.07),
        60: (0, -0.02),
        20: (0.03, 0.08), 21: (0.05, 0.11), 19: (0.01, 0.04),
        40: (0, -0.05), 41: (0, -0.04), 38: (0, 0.03), 37: (0, 0.02),
    },
    10: {49: (-0.02, -0.11), 50: (0, -0.12), 51: (0, -0.11), 61: (0, -0.10), 62: (0, -0.10),
         31: (-0.02, -0.03)},
    12: {
        48: (-0.15, -0.17), 60: (-0.15, -0.16), 49: (-0.08, -0.05), 59: (-0.09, -0.06),
        61: (-0.04, -0.01),
        67: (-0.04, 0.02), 58: (-0.03, 0.015), 57: (0, 0.02), 66: (0, 0.015), 50: (-0.02, 0.01),
        51: (0, 0.015),
        3: (-0.015, -0.01), 4: (-0.02, -0.01),
    },
    14: {48: (-0.09, -0.03), 60: (-0.08, -0.03), 49: (-0.04, 0.01), 59: (-0.04, -0.02)},
    15: {48: (0.01, 0.17), 60: (0.01, 0.16), 49: (0, 0.05), 59: (-0.01, 0.08), 58: (0, 0.02),
         61: (0, 0.01)},
    16: {59: (-0.01, 0.10), 58: (-0.01, 0.13), 57: (0, 0.13), 67: (0, 0.12), 66: (0, 0.12)},
    17: {58: (0, -0.06), 57: (0, -0.07), 59: (0, -0.03), 67: (0, -0.02), 66: (0, -0.02),
         62: (0, -0.02),
         61: (0, -0.02), 8: (0, -0.04), 7: (0, -0.03)},
    20: {48: (-0.16, 0.04), 60: (-0.15, 0.04), 49: (-0.08, 0.03), 59: (-0.10, 0),
         58: (-0.03, -0.01),
         50: (-0.02, 0.015)},
    23: {49: (0.02, 0.045), 50: (0.01, 0.055), 51: (0, 0.05), 59: (0.02, -0.045),
         58: (0.01, -0.075), 57: (0, -0.075),
         48: (0.05, 0), 60: (0.04, 0)},
    25: {67: (0, 0.08), 66: (0, 0.08), 58: (0, 0.07), 57: (0, 0.07), 59: (0, 0.045), 61: (0, -0.01),
         62: (0, -0.01)},
    26: {
        67: (-0.02, 0.21), 66: (0, 0.24), 58: (0, 0.22), 57: (0, 0.23), 59: (0.01, 0.16),
        48: (0.04, 0.09), 60: (0.04, 0.10), 61: (-0.02, 0),
        4: (0, 0.05), 5: (0, 0.10), 6: (0, 0.15), 7: (0, 0.18), 8: (0, 0.19), 3: (0.01, 0.02),
    },
    27: {
        67: (-0.03, 0.36), 66: (0, 0.41), 58: (-0.02, 0.37), 57: (0, 0.40), 59: (0.01, 0.28),
        48: (0.09, 0.16), 60: (0.09, 0.17), 49: (0.02, 0.01), 61: (-0.02, 0), 62: (0, -0.01),
        4: (0.01, 0.08), 5: (0.01, 0.16), 6: (0, 0.23), 7: (0, 0.27), 8: (0, 0.28), 3: (0.02, 0.03),
    },
    43: {37: (0, 0.14), 38: (0, 0.14)},
}  # fmt: skip

_LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))
_LIPS = ((61, 67), (62, 66), (63, 65), (50, 61), (51, 62), (52, 63), (67, 58), (66, 57), (65, 56))
_LIP_MIN = 0.02


def both(intensity: float) -> Sides:
    """Return the same intensity on both sides."""
    return Sides(left=intensity, right=intensity)


def intensity(activity: Activity, unit: int) -> float:
    """Return the mean intensity of a unit, 0 where it is at rest."""
    if unit not in activity:
        return 0.0
    return activity[unit].mean


def displace(points: anatomy.Points, activity: Activity) -> anatomy.Points:
    """Return the landmarks, float[68, 3], displaced by the active units."""
    moved: anatomy.Points = points.copy()
    for unit, sides in activity.items():
        left = _LEFT_MOVES[unit]
        moved[:, :2] += left * sides.left + _mirrored(left) * sides.right
    _separate_lids_and_lips(moved)
    return moved


def _separate_lids_and_lips(points: anatomy.Points) -> None:
    """Keep lids and lips from passing through each other."""
    for upper, lower in _LIDS:
        points[upper, 1] = min(points[upper, 1], points[lower, 1] - 0.012)
    for upper, lower in _LIPS:
        is_inner = upper >= 60 and lower >= 60  # The inner lips may touch.
        gap = 0.0 if is_inner else _LIP_MIN
        points[lower, 1] = max(points[lower, 1], points[upper, 1] + gap)


def _mirrored(moves: anatomy.Points) -> anatomy.Points:
    return moves[anatomy.MIRROR] * [-1, 1]


def _left_moves(unit: int) -> anatomy.Points:
    moves = np.zeros((anatomy.NUM_LANDMARKS, 2))
    for landmark, move in _MOVES[unit].items():
        # Both sides move the midline: each does half.
        moves[landmark] = np.array(move) * (0.5 if landmark in anatomy.MIDLINE else 1.0)
    return moves


_LEFT_MOVES = {unit: _left_moves(unit) for unit in _MOVES}
