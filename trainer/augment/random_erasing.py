"""Random erasing: a rectangle of the image is filled, so that no single part of a face decides.

Owns the rectangle and its colour.
"""

import math

import tensorflow as tf

_AREA = (0.02, 0.33)
_ASPECT = 0.3
"""Zhong et al. 2020 (arXiv:1708.04896), section 3.2, but for the largest area, which there is 0.4
and here a third."""


def erase(images: tf.Tensor, *, uniform: tf.Tensor, prob: float) -> tf.Tensor:
    """Fill a rectangle of some images with the image's mean colour.

    Zhong et al. 2020, Algorithm 1, except that a rectangle that would not fit is cut to the image
    rather than drawn again, and that its colour is the mean rather than noise (their variant RE-M).

    Args:
      images: float32[B, S, S, 3] in 0..255.
      uniform: float32[B, 5] in [0, 1): whether to erase, area, aspect, position in y and in x.
      prob: probability that an image is erased.
    """
    area = _AREA[0] + (_AREA[1] - _AREA[0]) * uniform[:, 1]
    aspect = tf.exp((2 * uniform[:, 2] - 1) * math.log(1 / _ASPECT))
    height = tf.minimum(tf.sqrt(area * aspect), 1.0)
    width = tf.minimum(tf.sqrt(area / aspect), 1.0)
    top = uniform[:, 3] * (1 - height)
    left = uniform[:, 4] * (1 - width)
    hole = inside(images.shape[1], top=top, left=left, height=height, width=width)
    hole = tf.logical_and(hole, (uniform[:, 0] < prob)[:, None, None])
    return tf.where(hole[..., None], tf.reduce_mean(images, axis=[1, 2], keepdims=True), images)


def inside(
    size: int, *, top: tf.Tensor, left: tf.Tensor, height: tf.Tensor, width: tf.Tensor
) -> tf.Tensor:
    """Return the mask of pixels whose centre is in a rectangle: bool[B, S, S].

    Args:
      size: side of the image in pixels.
      top, left, height, width: float32[B], fractions of the image.
    """
    centres = (tf.range(float(size)) + 0.5) / size
    rows = _between(centres, first=top, length=height)
    columns = _between(centres, first=left, length=width)
    return tf.logical_and(rows[:, :, None], columns[:, None, :])


def _between(centres: tf.Tensor, *, first: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    return tf.logical_and(centres >= first[:, None], centres < (first + length)[:, None])
