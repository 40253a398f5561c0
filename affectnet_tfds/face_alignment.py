"""Face alignment: fits landmarks to a template by a similarity transform, and warps the face.

Five points stand for the face: the centres of the eyes, the tip of the nose, the corners of the
mouth, all taken from the 68 landmarks. They are brought to the template that face recognition uses
(InsightFace, `arcface_dst` in python-package/insightface/utils/face_align.py, for 112 x 112 crops),
so that models trained there get the crops they were trained on. An affine transform was rejected:
it would fit better and change the expression.
"""

from typing import NamedTuple

import cv2
import numpy as np

TEMPLATE = (
    np.array(
        [
            (38.2946, 51.6963),
            (73.5318, 51.5014),
            (56.0252, 71.7366),
            (41.5493, 92.3655),
            (70.7299, 92.2041),
        ]
    )
    / 112
)
"""(x, y) of right eye, left eye (as the viewer sees them: left, right), nose, mouth corners, as
fractions of a crop."""


class Similarity(NamedTuple):
    """Maps image pixels to fractions of the crop: (x, y) → (a x - b y + tx, b x + a y + ty)."""

    a: float
    b: float
    tx: float
    ty: float

    @property
    def scale(self) -> float:
        """Crop sides per image pixel."""
        return float(np.hypot(self.a, self.b))

    def points(self, points: np.ndarray) -> np.ndarray:
        """Map float[N, 2] (x, y) image pixels to fractions of the crop, float32[N, 2]."""
        turned = points @ np.array([(self.a, self.b), (-self.b, self.a)]) + np.array(
            [self.tx, self.ty]
        )
        mapped: np.ndarray = turned.astype(np.float32)
        return mapped

    def outline(self) -> np.ndarray:
        """Return its upper left, upper right and lower left corners: float[3, 2], (x, y)."""
        turned = np.array([(self.a, self.b), (-self.b, self.a)])
        shifted = np.array([(0, 0), (1, 0), (0, 1)]) - np.array([self.tx, self.ty])
        corners: np.ndarray = shifted @ np.linalg.inv(turned)
        return corners

    def matrix(self, image_size: int, shrunk: float) -> np.ndarray:
        """Return the 2x3 matrix from pixel indices of the shrunk image to those of the crop.

        An index is half a pixel less than the coordinate of the pixel's centre.
        """
        linear = np.array([(self.a, -self.b), (self.b, self.a)]) * image_size / shrunk
        shift = np.array([self.tx, self.ty]) * image_size + linear @ np.array([0.5, 0.5]) - 0.5
        return np.column_stack([linear, shift])


def five_points(points: np.ndarray) -> np.ndarray:
    """Return eye centres, nose tip and mouth corners, float[5, 2].

    From 68 landmarks in dlib's order; five points are returned as they are.
    """
    if len(points) == len(TEMPLATE):
        return np.asarray(points, dtype=np.float64)
    eyes = [points[36:42].mean(axis=0), points[42:48].mean(axis=0)]
    return np.array([*eyes, points[30], points[48], points[54]], dtype=np.float64)


def fit(
    points: np.ndarray, *, picture_size: tuple[int, int], margin_frac: float
) -> Similarity | None:
    """Return the similarity that brings landmarks nearest to the template.

    None if they are all one point, or their mean is outside the image.

    Least squares over rotation, scale and shift, without reflection (Umeyama 1991, IEEE PAMI 13(4),
    Eqs. 40-43, in its closed form for the plane).

    Args:
      points: float[68, 2] or the five, (x, y) in image pixels.
      picture_size: (width, height) in pixels.
      margin_frac: widens the crop on each side, as in crop_geometry.square; 0 is the template's
        own crop.
    """
    source = five_points(points)
    target = (TEMPLATE - 0.5) / (1 + 2 * margin_frac) + 0.5
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    (x, y), (u, v) = (source - source_mean).T, (target - target_mean).T
    spread = float((x * x + y * y).sum())
    inside = 0 <= source_mean[0] < picture_size[0] and 0 <= source_mean[1] < picture_size[1]
    if spread < 1 or not inside:  # Below 1, the points lie within a pixel of each other.
        return None
    a, b = float((x * u + y * v).sum()) / spread, float((x * v - y * u).sum()) / spread
    tx, ty = target_mean - np.array(
        [a * source_mean[0] - b * source_mean[1], b * source_mean[0] + a * source_mean[1]]
    )
    return Similarity(a, b, float(tx), float(ty))


def crop(
    pixels: np.ndarray, similarity: Similarity, *, image_size: int, decoded: float = 1.0
) -> np.ndarray:
    """Warp uint8[H, W, 3] to uint8[S, S, 3], black outside the image.

    `decoded` is the fraction of its size that the image was decoded to; the similarity is that of
    the whole image.

    warpAffine samples and does not average, so an image more than twice too large is first shrunk
    by averaging.
    """
    shrink = max(1, int(decoded / (similarity.scale * image_size)))
    if shrink > 1:
        height, width = (max(1, round(n / shrink)) for n in pixels.shape[:2])
        scale_x, scale_y = width / pixels.shape[1], height / pixels.shape[0]
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        factor = decoded * (scale_x + scale_y) / 2
    else:
        factor = decoded
    matrix = similarity.matrix(image_size, factor)
    return cv2.warpAffine(pixels, matrix, (image_size, image_size), flags=cv2.INTER_LINEAR)
