"""From the bytes of a picture to the bytes of a face crop.

Owns: decoding whatever the extension says, the square around a box, cropping with padding,
mirroring, encoding, and what all of these do to landmarks. Pure functions of bytes and numbers, so
that a crop is the same on any worker. It is part of the data contract, since whoever shows a
trained network a new photograph must cut it as the job does (`crops`).

Frames: a picture is indexed [row, column] = [y, x]; boxes are (x, y, width, height) in pixels of
the picture as stored. AffectNet's boxes were annotated on stored pixels, so EXIF orientation is not
applied.
"""

from typing import NamedTuple

import cv2
import numpy as np

from affectnet_tfds import image_codec, invalid_example

Box = tuple[float, float, float, float]
"""x, y, width, height."""


MIN_BOX_SIDE = 8
"""Boxes smaller than this, in pixels, hold no expression."""


SMALL_CROP = 160

_EXIF_WITHIN = 65536
"""Metadata stand before the pixels, each segment at most this long."""


LINEAR_RATIO = 1.34
"""Up to this ratio, four neighbours of a point are enough to sample it (a third of the pixels fall
between)."""

# dlib's 68 points, as numbered in iBUG 300-W: entry i is the point that i becomes when the face is
# mirrored.
MIRRORED_POINTS = np.array(
    [
        *range(16, -1, -1),  # jaw
        *range(26, 16, -1),  # brows
        *range(27, 31),  # bridge of the nose
        *range(35, 30, -1),  # nostrils
        *(45, 44, 43, 42, 47, 46),  # left eye in the picture becomes the right one
        *(39, 38, 37, 36, 41, 40),
        *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),  # outer lip
        *(64, 63, 62, 61, 60, 67, 66, 65),  # inner lip
    ]
)


class Square(NamedTuple):
    """A square in picture pixels: its left upper corner and its side. May leave the picture."""

    x: int
    y: int
    side: int

    def outline(self) -> np.ndarray:
        """Return its corners left above, right above and left below: float[3, 2], (x, y) in picture
        pixels."""
        return np.array(
            [(self.x, self.y), (self.x + self.side, self.y), (self.x, self.y + self.side)],
            np.float64,
        )


def in_pixels(fractions: Box, *, picture_size: tuple[int, int]) -> Box:
    """Turn a box in fractions of the picture's width and height into pixels."""
    (x, y, box_width, box_height), (width, height) = fractions, picture_size
    return x * width, y * height, box_width * width, box_height * height


def square(box: Box | None, *, picture_size: tuple[int, int], margin_frac: float) -> Square:
    """Return the square to crop: around the box's centre, as wide as its longer side plus a margin
    on each side.

    Args:
      box: (x, y, width, height); None: the whole picture, without margin.
      picture_size: (width, height) in pixels.
      margin_frac: margin on each side, as a fraction of the box's longer side.

    Raises:
      invalid_example.InvalidExample: if the box is too small, or has no pixel in the picture.
    """
    width, height = picture_size
    if box is None:
        side = max(width, height)
        return Square((width - side) // 2, (height - side) // 2, side)
    x, y, box_width, box_height = box
    if max(box_width, box_height) < MIN_BOX_SIDE:
        detail = f"a box must be {MIN_BOX_SIDE} pixels or more: got {box_width:g} x {box_height:g}"
        raise invalid_example.InvalidExample("box too small", detail)
    if x >= width or y >= height or x + box_width <= 0 or y + box_height <= 0:
        detail = f"the box at {x:g}, {y:g} of {box_width:g} x {box_height:g} has no pixel in {width} x {height}"
        raise invalid_example.InvalidExample("box outside the picture", detail)
    side = max(1, round(max(box_width, box_height) * (1 + 2 * margin_frac)))
    left, top = round(x + box_width / 2 - side / 2), round(y + box_height / 2 - side / 2)
    return Square(left, top, side)


def part_needed(scale: float, *, image_size: int) -> float:
    """Return what part of its size a picture has to be decoded to, for crops that show it at a
    scale.

    The square is cut to whole pixels of what was decoded; in small crops half such a pixel would
    show, so they are cut from twice as many.
    """
    return scale * (2 if image_size < SMALL_CROP else 1)


def shrunk(area: Square, factor: float) -> Square:
    """Return the square in a picture that was decoded to a part of its size, to whole pixels of
    that."""
    return Square(round(area.x * factor), round(area.y * factor), max(1, round(area.side * factor)))


def crop(pixels: np.ndarray, area: Square, *, image_size: int) -> np.ndarray:
    """Cut a square out of uint8[H, W, 3] and resize it to uint8[S, S, 3]; what lies outside the
    picture is black."""
    height, width = pixels.shape[:2]
    x0, y0 = max(area.x, 0), max(area.y, 0)
    x1, y1 = min(area.x + area.side, width), min(area.y + area.side, height)
    inside = pixels[y0:y1, x0:x1]
    if inside.shape[:2] != (area.side, area.side):
        edges = (y0 - area.y, area.y + area.side - y1, x0 - area.x, area.x + area.side - x1)
        inside = cv2.copyMakeBorder(inside, *edges, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    if area.side == image_size:
        return np.ascontiguousarray(inside)
    return cv2.resize(
        inside, (image_size, image_size), interpolation=_interpolation(area.side / image_size)
    )


def _interpolation(ratio: float) -> int:
    """Return how to resize by a ratio of old to new side.

    INTER_AREA averages, and so does not alias, but takes ten times as long as INTER_LINEAR, which
    sees enough of the pixels while the ratio is small. Enlarging looks better with INTER_CUBIC.
    """
    if ratio < 1:
        return cv2.INTER_CUBIC
    return cv2.INTER_LINEAR if ratio <= LINEAR_RATIO else cv2.INTER_AREA


def crop_points(points: np.ndarray | None, area: Square) -> np.ndarray:
    """Return float32[68, 2] landmarks as fractions of the crop (0..1 across it), NaN where there
    are none."""
    if points is None:
        return np.full((len(MIRRORED_POINTS), 2), np.nan, np.float32)
    return ((points - np.array([area.x, area.y], np.float32)) / np.float32(area.side)).astype(
        np.float32
    )


def mirror(pixels: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mirror a crop and its landmarks (fractions of the crop) left to right; a left eye becomes a
    right eye."""
    swapped = points[MIRRORED_POINTS] * np.array([-1, 1], np.float32) + np.array([1, 0], np.float32)
    return np.ascontiguousarray(pixels[:, ::-1]), swapped


def bbox_fractions(box: Box | None, *, picture_size: tuple[int, int]) -> tuple[float, ...]:
    """Return (ymin, xmin, ymax, xmax) as fractions of the picture, clamped to it."""
    if box is None:
        return 0.0, 0.0, 1.0, 1.0
    (x, y, box_width, box_height), (width, height) = box, picture_size
    corners = (y / height, x / width, (y + box_height) / height, (x + box_width) / width)
    return tuple(min(max(value, 0.0), 1.0) for value in corners)


def is_stored_as_is(
    content: bytes, header: image_codec.Header, area: Square, *, image_size: int
) -> bool:
    """Return whether a picture is its own crop: a plain JPEG of that size, to be stored without a
    second encoding.

    Not one with EXIF data, whose orientation other readers would apply.
    """
    whole = area == Square(0, 0, image_size) and header.size == (image_size, image_size)
    return whole and header.is_plain_jpeg and b"Exif\0" not in content[:_EXIF_WITHIN]
