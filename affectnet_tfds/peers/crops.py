"""Crops of peers: HSEmotion's, DAN's, DDAMFN++'s and EmoNet's own arithmetic, for --like.

Owns where each takes a face from and how it resizes, pixel for pixel, so that their published
weights and numbers can be compared on crops of the same kind. Approximating them by a margin and an
alignment of ours was rejected: theirs differ in the rounding, the interpolation and the template.

Frames are the peers': a landmark's coordinates are indices of pixels, without the half pixel that
`face_alignment` keeps. An image is decoded at full size, as OpenCV and Pillow do it for them.

hsemotion  the face box, stretched to a square (av-savchenko/face-emotion-recognition,
           src/affectnet/train_emotions.ipynb: img[y:y+h, x:x+w], cv2.resize)
dan        the whole image, as the release of 224 pixels has it (yaoing/DAN, affectnet.py:
           transforms.Resize((224, 224)) of a Pillow image); POSTER++ takes the same
ddamfn     five landmarks, by least squares to the nearest of five poses (SainingZhang/DDAMFN,
           DDAMFN++/Retinaface_alignment_ver2.0/face_align_v2.0.py); without them the whole image
emonet     a square of 10/11 of the sum of both sides of the box around the 68 landmarks
           (face-analysis/emonet, data_augmentation.py: 200 * (w + h) / 220)
"""

from collections.abc import Mapping
from typing import NamedTuple

import cv2
import numpy as np
import PIL.Image

Box = tuple[float, float, float, float]
"""x, y, width, height in pixels of the image."""

SETTINGS: Mapping[str, Mapping[str, float | bool]] = {
    "hsemotion": {"image_size": 224, "margin_frac": 0.0, "align": False},
    "dan": {"image_size": 224, "margin_frac": 0.0, "align": False},
    "ddamfn": {"image_size": 112, "margin_frac": 0.0, "align": True},
    "emonet": {"image_size": 256, "margin_frac": 0.0, "align": False},
}
"""The job's crop settings that each peer's crops have; its arithmetic stands for the other two."""

_POSES = np.array(
    [
        [(55.550, 49.477), (62.116, 49.339), (38.075, 70.237), (55.017, 92.262), (61.466, 92.979)],
        [(47.241, 48.598), (72.887, 49.540), (40.555, 71.067), (47.423, 93.643), (71.236, 94.353)],
        [(33.566, 40.559), (78.321, 40.559), (55.338, 64.967), (38.479, 90.276), (73.591, 90.276)],
        [(39.516, 49.540), (65.162, 48.598), (71.849, 71.067), (41.167, 94.353), (64.980, 93.643)],
        [(50.225, 49.339), (56.791, 49.477), (74.266, 70.237), (50.875, 92.979), (65.317, 92.262)],
    ]
)
"""DDAMFN++'s templates at 112 pixels, from the left profile to the right: eyes, nose, mouth."""

_EMONET_SIDE = 200 / 220


class Rectangle(NamedTuple):
    """A rectangle in the image, stretched to a square; `smooth`: by Pillow, which antialiases."""

    x: int
    y: int
    width: int
    height: int
    smooth: bool

    def outline(self) -> np.ndarray:
        """Return its upper left, upper right and lower left corners: float[3, 2], (x, y)."""
        right, bottom = self.x + self.width, self.y + self.height
        return np.array([(self.x, self.y), (right, self.y), (self.x, bottom)], np.float64)

    def points(self, points: np.ndarray) -> np.ndarray:
        """Map float[N, 2] (x, y) image pixels to fractions of the crop, float32[N, 2]."""
        inside = (points - (self.x, self.y)) / (self.width, self.height)
        mapped: np.ndarray = inside.astype(np.float32)
        return mapped

    def crop(self, pixels: np.ndarray, *, image_size: int) -> np.ndarray:
        """Cut uint8[S, S, 3] out of uint8[H, W, 3], an image at full size."""
        inside = pixels[self.y : self.y + self.height, self.x : self.x + self.width]
        size = (image_size, image_size)
        if self.smooth:
            resized = PIL.Image.fromarray(inside).resize(size, PIL.Image.Resampling.BILINEAR)
            return np.array(resized)
        return cv2.resize(np.ascontiguousarray(inside), size, interpolation=cv2.INTER_LINEAR)


class Warp(NamedTuple):
    """An affine map from pixels of the image to those of a crop of `size_px`: ((a, b, c), ...)."""

    rows: tuple[tuple[float, float, float], tuple[float, float, float]]
    size_px: int

    @property
    def matrix(self) -> np.ndarray:
        """The map, float[2, 3]."""
        return np.array(self.rows, np.float64)

    def outline(self) -> np.ndarray:
        """Return the crop's upper left, upper right and lower left corners: float[3, 2], (x, y)."""
        corners = np.array([(0, 0), (1, 0), (0, 1)]) * self.size_px - self.matrix[:, 2]
        outline: np.ndarray = corners @ np.linalg.inv(self.matrix[:, :2]).T
        return outline

    def points(self, points: np.ndarray) -> np.ndarray:
        """Map float[N, 2] (x, y) image pixels to fractions of the crop, float32[N, 2]."""
        mapped = (points @ self.matrix[:, :2].T + self.matrix[:, 2]) / self.size_px
        fractions: np.ndarray = mapped.astype(np.float32)
        return fractions

    def crop(self, pixels: np.ndarray, *, image_size: int) -> np.ndarray:
        """Cut uint8[S, S, 3] out of uint8[H, W, 3], an image at full size; black outside it."""
        return cv2.warpAffine(pixels, self.matrix, (image_size, image_size))


Place = Rectangle | Warp
"""Place of a crop in an image."""


def locate(
    peer: str,
    *,
    box: Box | None,
    points: np.ndarray | None,
    five: np.ndarray | None,
    picture_size: tuple[int, int],
) -> Place:
    """Return where a peer takes a face from.

    Args:
      peer: a name of SETTINGS.
      box: of the face, with pixels in the image; None: the whole image.
      points: 68 landmarks, float[68, 2], (x, y) in pixels; None where there are fewer.
      five: eyes, nose and corners of the mouth, float[5, 2]; None without landmarks.
      picture_size: (width, height) in pixels.
    """
    size_px = int(SETTINGS[peer]["image_size"])
    if peer == "ddamfn":
        return _nearest_pose(five, size_px=size_px) or _whole(picture_size, smooth=False)
    if peer == "emonet":
        around = box if points is None else _box_around(points)
        return _emonet(around, size_px=size_px) or _whole(picture_size, smooth=False)
    if peer == "dan" or box is None:
        return _whole(picture_size, smooth=peer == "dan")
    return _inside(box, picture_size=picture_size)


def _whole(picture_size: tuple[int, int], *, smooth: bool) -> Rectangle:
    return Rectangle(0, 0, *picture_size, smooth)


def _inside(box: Box, *, picture_size: tuple[int, int]) -> Rectangle:
    """Return what a slice by the whole numbers of a box takes of an image: a pixel at least."""
    width, height = picture_size
    x, y, box_width, box_height = map(int, box)
    left, top = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
    right, bottom = min(max(x + box_width, left + 1), width), max(y + box_height, top + 1)
    return Rectangle(left, top, right - left, min(bottom, height) - top, smooth=False)


def _box_around(points: np.ndarray) -> Box:
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return float(left), float(top), float(right - left), float(bottom - top)


def _emonet(box: Box | None, *, size_px: int) -> Warp | None:
    """Return the map of a square about a box; None without one, or of less than a pixel."""
    if box is None or not (side := _EMONET_SIDE * (box[2] + box[3])) >= 1:
        return None
    scale = size_px / side
    centre_x, centre_y = box[0] + box[2] / 2, box[1] + box[3] / 2
    rows = (
        (scale, 0.0, size_px * (0.5 - centre_x / side)),
        (0.0, scale, size_px * (0.5 - centre_y / side)),
    )
    return Warp(rows, size_px)


def _nearest_pose(five: np.ndarray | None, *, size_px: int) -> Warp | None:
    """Return the map to the pose that the landmarks, as whole numbers, come nearest to."""
    if five is None:
        return None
    source = np.trunc(five)
    if not ((source - source.mean(axis=0)) ** 2).sum() >= 1:  # All within a pixel.
        return None
    poses = _POSES * (size_px / 112)
    maps = [_similarity(source, pose, size_px=size_px) for pose in poses]
    errors = [
        np.linalg.norm(each.points(source) * size_px - pose, axis=1).sum()
        for each, pose in zip(maps, poses, strict=True)
    ]
    return maps[int(np.argmin(errors))]


def _similarity(source: np.ndarray, target: np.ndarray, *, size_px: int) -> Warp:
    """Return the similarity of least squares: Umeyama 1991, in its closed form for the plane."""
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    (x, y), (u, v) = (source - source_mean).T, (target - target_mean).T
    spread = float((x * x + y * y).sum())
    a, b = float((x * u + y * v).sum()) / spread, float((x * v - y * u).sum()) / spread
    shift = target_mean - np.array([(a, -b), (b, a)]) @ source_mean
    return Warp(((a, -b, float(shift[0])), (b, a, float(shift[1]))), size_px)
