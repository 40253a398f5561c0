"""Comparison of pixels: whether two face crops show one picture, whole or cropped, or mirrored.

Owns the last word on a pair of candidates. Two photographs of one face agree in their low
frequencies, which are what the hashes see; one picture agrees in its detail too. So the detail is
correlated, at the best of a few scales and shifts.
"""

from collections.abc import Iterator

import cv2
import numpy as np

SIDE = 64
"""Side of the gray images that are compared, in pixels."""

LEAST_CORRELATION = 0.88
"""Correlation of the detail from which on two crops show one picture."""

_SCALES = (1.0, 0.975, 0.95)
"""Sides of the window of one crop that the other may show, as fractions."""

_SHIFT = 2
"""Pixels of the border that are left out, and by which the window may be shifted at scale 1."""

_FINE, _COARSE = 1.0, 6.0
"""Standard deviations, in pixels, of the blurs between which the detail lies."""


_NOISE = 2.0
"""Gray levels of contrast that are not amplified: noise and traces of compression."""


def detail(gray: np.ndarray) -> np.ndarray:
    """Return the detail of uint8[SIDE, SIDE] in units of the contrast around it, float32.

    So that the border of a picture, which many have at the same place, weighs as much as a cheek.
    """
    values = gray.astype(np.float32)
    fine = cv2.GaussianBlur(values, (0, 0), _FINE) - cv2.GaussianBlur(values, (0, 0), _COARSE)
    contrast = cv2.GaussianBlur(fine * fine, (0, 0), _COARSE)
    return fine / np.sqrt(contrast + _NOISE**2)


def are_one(one: np.ndarray, other: np.ndarray, *, mirrored: bool) -> bool:
    """Return whether two details are of one picture, whichever of them is a crop."""
    return any(found >= LEAST_CORRELATION for found in correlations(one, other, mirrored=mirrored))


def correlations(one: np.ndarray, other: np.ndarray, *, mirrored: bool) -> Iterator[float]:
    """Yield the correlation of two details at the best shift of each scale, the whole first."""
    other = np.ascontiguousarray(other[:, ::-1]) if mirrored else other
    for scale in _SCALES:
        for whole, part in ((one, other), (other, one)):
            yield _in_window(whole, part, scale=scale)


def _in_window(whole: np.ndarray, part: np.ndarray, *, scale: float) -> float:
    """Return the correlation with the best window of an image, as if `part` showed only that."""
    side = round(SIDE * scale)
    resized = cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA)
    template = resized[_SHIFT:-_SHIFT, _SHIFT:-_SHIFT]
    if template.std() == 0:
        return 0.0
    return float(cv2.matchTemplate(whole, template, cv2.TM_CCOEFF_NORMED).max())
