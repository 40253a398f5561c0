"""Image decoding: stored bytes to pixels of the training size, decoded no larger than needed.

Owns the choice of the inverse DCT: a JPEG is decoded straight to the next larger eighth of its size
that still has the training size's pixels, and only the rest is resized. Decoding all of it and
resizing (tf.io.decode_jpeg and tf.image.resize) was rejected: from 224 to 112 pixels it costs five
times as much, and TensorFlow's own ratios are only 1, 1/2, 1/4 and 1/8. At full size the pixels are
exactly those of OpenCV and Pillow. The fast DCT, which tfds.load takes, was rejected: it saves next
to no time, and its levels are off by one on average, so that a network would be trained on other
pixels than it is given later.
"""

import dataclasses
from collections.abc import Callable

import cv2
import numpy as np
import simplejpeg

from affectnet_tfds import image_codec, invalid_example

Decode = Callable[[memoryview], np.ndarray]
"""Stored bytes to uint8[S, S, 3] RGB."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stored:
    """Stored form of images: their side, and whether as plain uint8 rather than JPEG or PNG."""

    size_px: int
    is_raw: bool = False


def to_size(stored: Stored, *, size_px: int) -> Decode:
    """Return the function that decodes stored images to a training size.

    Against decoding everything and averaging (INTER_AREA), pixels differ by 2 of 255 on average at
    48 px and by less than 1 from 64 px on (from 224; a test on photographs holds this).
    tf.image.resize differs as much.
    """

    def decode(content: memoryview) -> np.ndarray:
        if stored.is_raw:
            pixels = image_codec.decode_raw(content, image_size=stored.size_px)
        elif image_codec.is_jpeg(content):
            pixels = _jpeg(content, size_px=size_px)
        else:
            pixels = _lenient(content)
        return _resized(pixels, size_px=size_px)

    return decode


def _jpeg(content: memoryview, *, size_px: int) -> np.ndarray:
    try:
        pixels: np.ndarray = simplejpeg.decode_jpeg(content, min_width=size_px, min_height=size_px)
    except ValueError:
        # Some JPEGs have faults that OpenCV tolerates and simplejpeg does not.
        return _lenient(content)
    return pixels


def _lenient(content: memoryview) -> np.ndarray:
    try:
        return image_codec.decode_leniently(content)
    except invalid_example.InvalidExample as error:
        raise ValueError(
            f"a stored image cannot be decoded: {error}; 'python -m pipeline.verify' names it"
        ) from error


def _resized(pixels: np.ndarray, *, size_px: int) -> np.ndarray:
    side = pixels.shape[0]
    if side == size_px:
        return pixels
    interpolation = cv2.INTER_AREA if side > size_px else cv2.INTER_LINEAR
    return cv2.resize(pixels, (size_px, size_px), interpolation=interpolation)
