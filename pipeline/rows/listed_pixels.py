"""Pixels in a list: images whose gray values are a field of a CSV row, as in Kaggle's fer2013.csv.

Owns the path of such an image, `fer2013.csv//18-8123`: its list, and the bytes of the field. No
other path has two slashes (annotations.relative_path), so that a row stays a row like any other:
its image is read when its shard is written. It becomes a BMP, which is lossless and whose bytes
follow from the pixels alone. Unpacking a list into files first was rejected: 35,887 of them, for
what the list can be asked for directly.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.rows import annotations

_SEPARATOR = "//"


class Field(NamedTuple):
    """Bytes start..stop of a list: the field that holds an image's pixels."""

    file: str
    start: int
    stop: int

    @property
    def path(self) -> str:
        """The path of the image."""
        return f"{self.file}{_SEPARATOR}{self.start}-{self.stop}"


def parse(path: str) -> Field | None:
    """Return the field that a path names, or None for the path of a file."""
    file, separator, places = path.rpartition(_SEPARATOR)
    if not separator:
        return None
    start, _, stop = places.partition("-")
    return Field(file, int(start), int(stop))


def as_image(text: bytes) -> bytes | annotations.InvalidExample:
    """Return the BMP file of a square image, or the defect of its pixels.

    Args:
      text: gray values 0..255, row by row, separated by spaces.
    """
    words = text.strip(b" \"'[]").split()
    side = math.isqrt(len(words))
    try:
        pixels = bytes(map(int, words))
    except ValueError:
        pixels = b""
    if not pixels or side * side != len(pixels):
        return annotations.InvalidExample(
            "bad pixels",
            "pixels must be numbers 0..255, as many as a square has: got "
            f"{len(words):,}, which begin with {text[:20].decode('ascii', 'replace')!r}",
        )
    square = np.frombuffer(pixels, np.uint8).reshape(side, side)
    return cv2.imencode(".bmp", square)[1].tobytes()
