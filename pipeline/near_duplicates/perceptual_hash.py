"""Perceptual hash of a face crop: signs of its low frequencies, unchanged by mirroring.

Owns what two versions of one picture have in common. The hash has the sign of each coefficient of a
discrete cosine transform (pHash: Zauner 2010, section 3.2.1), of the whole crop and of nine windows
of WINDOW of its side, so that a crop of the picture is near one of them. Mirroring changes the sign
of every odd horizontal frequency and of no even one: the two kinds are kept apart, and a mirrored
picture is found by the same bits. dHash and block means were rejected: at the same number of bits
they hardly find crops (docs/benchmarks.md).
"""

import itertools

import cv2
import numpy as np

SIDE = 32
"""Side of the gray image that is transformed, in pixels."""

ROWS, COLUMNS = 10, 12
"""Vertical and horizontal frequencies that are kept, in half periods of the crop."""

WINDOW = 0.95
"""Side of the windows, as a fraction of the crop's."""

NUM_WINDOWS = 10
"""The whole crop, which is the first, and nine windows in it."""

NUM_ODD_BITS = ROWS * COLUMNS // 2
"""Bits that mirroring inverts."""

HASH = np.dtype([("even", "<u8", (NUM_WINDOWS,)), ("odd", "<u8", (NUM_WINDOWS,))])
"""Bits of the even and of the odd horizontal frequencies, of each window; 0: no hash."""

LEAST_CONTRAST = 4.0
"""Standard deviation in gray levels below which an image is flat and has no hash."""

_SCALE = 1024


def of(face: np.ndarray) -> np.ndarray:
    """Return the HASH of uint8[S, S, 3], a face crop."""
    found: np.ndarray = of_thumbnails(thumbnail(face, side=SIDE)[None])[0]
    return found


def of_thumbnails(gray: np.ndarray) -> np.ndarray:
    """Return HASH[N] of uint8[N, SIDE, SIDE], the thumbnails of face crops.

    The sums are exact, so that they are the same on every processor and for any N: all factors are
    whole numbers, and no sum exceeds what a double holds. Many at once cost a quarter of each
    alone.
    """
    result = np.zeros(len(gray), HASH)
    values = gray.astype(np.float64)
    by_window = _DOWN @ (values @ _ACROSS.T)
    signs = (by_window > 0).reshape(len(gray), -1)[:, _ORDER]  # bool[N, window, even or odd, bits]
    signs[..., 0, 0] = False  # The mean, which brightness alone decides.
    packed = np.packbits(signs, axis=-1).view(">u8")[..., 0]
    result["even"], result["odd"] = packed[..., 0], packed[..., 1]
    result[_are_flat(values)] = 0
    return result


def _are_flat(gray: np.ndarray) -> np.ndarray:
    """Return which images, float64[N, SIDE, SIDE], have less than LEAST_CONTRAST: bool[N]."""
    pixels = gray.reshape(len(gray), -1)
    sums = pixels.sum(axis=1)
    squares = np.einsum("np,np->n", pixels, pixels)
    count = SIDE**2
    flat: np.ndarray = count * squares - sums**2 < (LEAST_CONTRAST * count) ** 2
    return flat


def thumbnail(face: np.ndarray, *, side: int) -> np.ndarray:
    """Return uint8[side, side], the gray image of uint8[S, S, 3]."""
    small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)


def _cosines(count: int) -> np.ndarray:
    """Return the basis of the type II DCT, in whole numbers: float64[count, SIDE]."""
    places = 2 * np.arange(SIDE) + 1
    waves = np.cos(np.pi * places * np.arange(count)[:, None] / (2 * SIDE))
    return np.round(_SCALE * waves)


def _sampling(offset: float) -> np.ndarray:
    """Return the linear interpolation of a window that begins at a fraction of the side."""
    at = (offset + WINDOW * (np.arange(SIDE) + 0.5) / SIDE) * SIDE - 0.5
    low = np.clip(np.floor(at).astype(int), 0, SIDE - 2)
    weight = np.round(_SCALE * np.clip(at - low, 0, 1))
    matrix = np.zeros((SIDE, SIDE))
    matrix[np.arange(SIDE), low] = _SCALE - weight
    matrix[np.arange(SIDE), low + 1] += weight
    return matrix


def _transforms(count: int) -> np.ndarray:
    """Return the transform of the whole side, and of three windows: float64[4 * count, SIDE]."""
    rest = 1 - WINDOW
    whole = _SCALE * np.eye(SIDE)
    samplings = [whole, *(_sampling(offset) for offset in (0, rest / 2, rest))]
    return np.concatenate([_cosines(count) @ sampling for sampling in samplings])


def _order() -> np.ndarray:
    """Return where each bit is in the table of all windows' coefficients: int[10, 2, 60]."""
    table = np.arange(16 * ROWS * COLUMNS).reshape(4, ROWS, 4, COLUMNS)
    places = [(0, 0), *itertools.product((1, 2, 3), repeat=2)]
    windows = [table[down, :, across] for down, across in places]
    return np.array([[window[:, kind::2].reshape(-1) for kind in (0, 1)] for window in windows])


_DOWN, _ACROSS = _transforms(ROWS), _transforms(COLUMNS)
_ORDER = _order()
