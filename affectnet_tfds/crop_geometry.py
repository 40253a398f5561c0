"""Crop geometry: the square around a face box, cropping with padding, resizing, mirroring.

Owns what these do to pixels and to landmarks. Pure functions of arrays and numbers, so that a crop
is the same on any worker. It is part of the data contract, because a new photograph must be cropped
for a trained network exactly as the job does (face_crop).

Frames: an image is indexed [row, column] = [y, x]; boxes are (x, y, width, height) in pixels of
the image as stored. AffectNet's boxes were annotated on stored pixels, so EXIF orientation is not
applied.
"""

from typing import NamedTuple

import cv2
import numpy as np

from affectnet_tfds import image_codec, invalid_example

Box = tuple[float, float, float, float]
"""x, y, width, height."""


MIN_BOX_SIDE = 8
"""Smallest longer side of a face box, in pixels: smaller faces show no expression."""


MAX_CROP_RATIO = 64
"""Largest side of a crop over the shorter side of its image: of 224 pixels, 3 would be image."""


SMALL_CROP = 160
"""Crops below this size, in pixels, are cut from an image decoded to twice the size."""

_EXIF_WITHIN = 65536
"""Bytes in which EXIF data begin: metadata precede the pixels, in segments up to this long."""


MAX_PADDED_PIXELS = 25_000_000
"""Larger squares that leave the image are cut from a smaller copy, which bounds the memory."""


LINEAR_RATIO = 1.34
"""Up to this ratio of old to new side, interpolation between four neighbours is enough."""

# dlib's 68 points, as numbered in iBUG 300-W: entry i is the point that i becomes when the face is
# mirrored.
MIRRORED_POINTS = np.array(
    [
        *range(16, -1, -1),  # jaw
        *range(26, 16, -1),  # brows
        *range(27, 31),  # bridge of the nose
        *range(35, 30, -1),  # nostrils
        *(45, 44, 43, 42, 47, 46),  # left eye in the image becomes the right one
        *(39, 38, 37, 36, 41, 40),
        *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),  # outer lip
        *(64, 63, 62, 61, 60, 67, 66, 65),  # inner lip
    ]
)


class Square(NamedTuple):
    """A square in image pixels: its upper left corner and its side. May leave the image."""

    x: int
    y: int
    side: int

    def outline(self) -> np.ndarray:
        """Return its upper left, upper right and lower left corners: float[3, 2], (x, y)."""
        return np.array(
            [(self.x, self.y), (self.x + self.side, self.y), (self.x, self.y + self.side)],
            np.float64,
        )


def in_pixels(fractions: Box, *, picture_size: tuple[int, int]) -> Box:
    """Convert a box from fractions of the image's width and height to pixels."""
    (x, y, box_width, box_height), (width, height) = fractions, picture_size
    return x * width, y * height, box_width * width, box_height * height


def square(box: Box | None, *, picture_size: tuple[int, int], margin_frac: float) -> Square:
    """Return the square to crop: centred on the box, its longer side plus a margin on each side.

    Args:
      box: (x, y, width, height); None: the whole image, without margin.
      picture_size: (width, height) in pixels.
      margin_frac: margin on each side, as a fraction of the box's longer side.

    Raises:
      invalid_example.InvalidExample: if the box is too small, has no pixel in the image, or is so
        large, or the image so narrow, that next to nothing of the square would be image.
    """
    width, height = picture_size
    most = MAX_CROP_RATIO * min(width, height)
    if box is None:
        side = max(width, height)
        if side > most:
            detail = (
                f"the longer side may be {MAX_CROP_RATIO} times the shorter: got {width} x {height}"
            )
            raise invalid_example.InvalidExample("picture too narrow", detail)
        return Square((width - side) // 2, (height - side) // 2, side)
    x, y, box_width, box_height = box
    if max(box_width, box_height) < MIN_BOX_SIDE:
        detail = f"a box must be {MIN_BOX_SIDE} pixels or more: got {box_width:g} x {box_height:g}"
        raise invalid_example.InvalidExample("box too small", detail)
    if x >= width or y >= height or x + box_width <= 0 or y + box_height <= 0:
        place = f"{x:g}, {y:g} of {box_width:g} x {box_height:g}"
        detail = f"the box at {place} has no pixel in {width} x {height}"
        raise invalid_example.InvalidExample("box outside the picture", detail)
    if not max(box_width, box_height) * (1 + 2 * margin_frac) <= most:  # NaN too.
        detail = (
            f"a crop of {width} x {height} may have a side of {most:,}: the box of "
            f"{box_width:g} x {box_height:g} with its margin has a longer one"
        )
        raise invalid_example.InvalidExample("box too large", detail)
    side = max(1, round(max(box_width, box_height) * (1 + 2 * margin_frac)))
    left, top = round(x + box_width / 2 - side / 2), round(y + box_height / 2 - side / 2)
    return Square(left, top, side)


def part_needed(scale: float, *, image_size: int) -> float:
    """Return the fraction of its size that an image must be decoded to, for crops at a scale.

    The square is cut to whole pixels of the decoded image; in small crops half such a pixel would
    be visible, so they are cut from twice as many.
    """
    return scale * (2 if image_size < SMALL_CROP else 1)


def shrunk(area: Square, factor: float) -> Square:
    """Return the square in an image decoded to a fraction of its size, in whole pixels."""
    return Square(round(area.x * factor), round(area.y * factor), max(1, round(area.side * factor)))


def crop(pixels: np.ndarray, area: Square, *, image_size: int) -> np.ndarray:
    """Crop a square of uint8[H, W, 3] and resize it to uint8[S, S, 3], black outside the image."""
    height, width = pixels.shape[:2]
    leaves = min(area.x, area.y) < 0 or area.x + area.side > width or area.y + area.side > height
    if leaves and area.side**2 > MAX_PADDED_PIXELS and area.side > 2 * image_size:
        factor = 2 * image_size / area.side
        smaller = (max(1, round(width * factor)), max(1, round(height * factor)))
        pixels = cv2.resize(pixels, smaller, interpolation=cv2.INTER_AREA)
        return crop(pixels, shrunk(area, factor), image_size=image_size)
    x0, y0 = max(area.x, 0), max(area.y, 0)
    x1, y1 = min(area.x + area.side, width), min(area.y + area.side, height)
    if x0 >= x1 or y0 >= y1:  # Of a box at the edge, nothing is left in a smaller image.
        return np.zeros((image_size, image_size, 3), np.uint8)
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
    uses enough of the pixels while the ratio is small. Enlarging looks better with INTER_CUBIC.
    """
    if ratio < 1:
        return cv2.INTER_CUBIC
    return cv2.INTER_LINEAR if ratio <= LINEAR_RATIO else cv2.INTER_AREA


def crop_points(points: np.ndarray | None, area: Square) -> np.ndarray:
    """Return landmarks as fractions of the crop, float32[68, 2] in 0..1, NaN without any."""
    if points is None:
        return np.full((len(MIRRORED_POINTS), 2), np.nan, np.float32)
    inside = (points - np.array([area.x, area.y], np.float32)) / np.float32(area.side)
    fractions: np.ndarray = inside.astype(np.float32)
    return fractions


def mirror(pixels: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mirror a crop and its landmarks (fractions of it); a left eye becomes a right eye."""
    swapped = points[MIRRORED_POINTS] * np.array([-1, 1], np.float32) + np.array([1, 0], np.float32)
    return np.ascontiguousarray(pixels[:, ::-1]), swapped


def bbox_fractions(box: Box | None, *, picture_size: tuple[int, int]) -> tuple[float, ...]:
    """Return (ymin, xmin, ymax, xmax) as fractions of the image, clamped to it."""
    if box is None:
        return 0.0, 0.0, 1.0, 1.0
    (x, y, box_width, box_height), (width, height) = box, picture_size
    corners = (y / height, x / width, (y + box_height) / height, (x + box_width) / width)
    return tuple(min(max(value, 0.0), 1.0) for value in corners)


def is_stored_as_is(
    content: bytes, header: image_codec.Header, area: Square, *, image_size: int
) -> bool:
    """Return whether an image is its own crop and is stored without a second encoding.

    It must be a plain JPEG of the crop's size, without EXIF data, whose orientation other readers
    would apply.
    """
    whole = area == Square(0, 0, image_size) and header.size == (image_size, image_size)
    return whole and header.is_plain_jpeg and b"Exif\0" not in content[:_EXIF_WITHIN]
