"""From a picture's stored bytes to pixels of the training size, decoding no more than that size
needs.

Owns the choice of the inverse DCT: a JPEG is decoded straight to the next larger eighth of its size
that still has the training size's pixels, and only the rest is resized. Decoding all of it and
resizing (tf.io.decode_jpeg and tf.image.resize) was rejected: from 224 to 112 pixels it costs five
times as much, and TensorFlow's own ratios are only 1, 1/2, 1/4 and 1/8. At full size the pixels are
exactly those of tfds.load (whose decoder takes the fast DCT as well).
"""

import dataclasses
from collections.abc import Callable

import cv2
import numpy as np
import simplejpeg

_JPEG_BEGINS = b"\xff\xd8\xff"

Decode = Callable[[memoryview], np.ndarray]
"""Stored bytes to uint8[S, S, 3] RGB."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stored:
    """How pictures are stored: their side, and whether as plain uint8 rather than JPEG or PNG."""

    size_px: int
    is_raw: bool = False


def to_size(stored: Stored, *, size_px: int) -> Decode:
    """Return the function that decodes stored pictures to a training size.

    Against decoding everything and averaging (INTER_AREA), pixels differ by 2 of 255 on average at
    48 px and by less than 1 from 64 px on (from 224; a test on photographs holds this).
    tf.image.resize differs as much.
    """
    decode = (
        _raw(stored.size_px)
        if stored.is_raw
        else (lambda content: _encoded(content, size_px=size_px))
    )
    return lambda content: _resized(decode(content), size_px=size_px)


def _raw(size_px: int) -> Decode:
    return lambda content: np.frombuffer(content, np.uint8).reshape(size_px, size_px, 3)


def _encoded(content: memoryview, *, size_px: int) -> np.ndarray:
    return _jpeg(content, size_px=size_px) if content[:3] == _JPEG_BEGINS else _opencv(content)


def _jpeg(content: memoryview, *, size_px: int) -> np.ndarray:
    try:
        return simplejpeg.decode_jpeg(content, min_width=size_px, min_height=size_px, fastdct=True)
    except ValueError:  # Faults that a strict decoder does not pass over.
        return _opencv(content)


def _opencv(content: memoryview) -> np.ndarray:
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    if pixels is None:
        raise ValueError(
            "a stored picture cannot be decoded; 'python -m pipeline.verify' says which"
        )
    return pixels


def _resized(pixels: np.ndarray, *, size_px: int) -> np.ndarray:
    side = pixels.shape[0]
    if side == size_px:
        return pixels
    return cv2.resize(
        pixels,
        (size_px, size_px),
        interpolation=cv2.INTER_AREA if side > size_px else cv2.INTER_LINEAR,
    )
