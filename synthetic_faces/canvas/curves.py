"""Smooth curves through points, in any coordinate frame.

Owns Catmull-Rom splines. Bezier curves, as most drawing tools have them, were rejected: they do not
pass through their points, and a painted edge has to pass through its landmarks.
"""

import functools

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]

_STEPS = 6


def through(points: npt.ArrayLike) -> Points:
    """Return a smooth open curve (Catmull-Rom spline) through float[n, 2] as float[m, 2]."""
    knots = np.asarray(points, dtype=np.float64)
    smooth: Points = _spline(len(knots)) @ knots
    return smooth


def loop(points: npt.ArrayLike) -> Points:
    """Return a smooth closed curve through the points."""
    knots = np.asarray(points, dtype=np.float64)
    wrapped = np.concatenate([knots[-2:], knots, knots[:2]])
    inner = _spline(len(wrapped)) @ wrapped
    closed: Points = inner[2 * _STEPS : -2 * _STEPS]
    return closed


def ellipse(
    centre: npt.ArrayLike, across: npt.ArrayLike, down: npt.ArrayLike, *, steps: int = 24
) -> Points:
    """Return an ellipse from its centre and its two half axes, as vectors in pixels."""
    points: Points = _circle(steps) @ np.array([across, down]) + np.asarray(centre)
    return points


@functools.lru_cache(maxsize=64)
def _circle(steps: int) -> Points:
    angle = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


@functools.lru_cache(maxsize=64)
def _spline(count: int) -> Points:
    """Return the weights, float[m, count], that carry `count` knots to a Catmull-Rom curve."""
    weights = np.zeros(((count - 1) * _STEPS + 1, count))
    for row in range(len(weights)):
        segment = min(row // _STEPS, count - 2)
        t = row / _STEPS - segment
        for offset, weight in enumerate(_catmull_rom(t), start=-1):
            weights[row, np.clip(segment + offset, 0, count - 1)] += weight
    return weights


def _catmull_rom(t: float) -> tuple[float, float, float, float]:
    return (
        (-(t**3) + 2 * t**2 - t) / 2,
        (3 * t**3 - 5 * t**2 + 2) / 2,
        (-3 * t**3 + 4 * t**2 + t) / 2,
        (t**3 - t**2) / 2,
    )
