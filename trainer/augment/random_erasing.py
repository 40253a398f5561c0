"""Random erasing: a rectangle of a picture is blotted out, so that no part of a face becomes the
only one looked at.

Owns the rectangle and its colour.
"""

import math

import tensorflow as tf

_AREA = (0.02, 0.33)
_ASPECT = 0.3
"""Zhong et al. 2020 (arXiv:1708.04896), section 3.2, but for the largest area, which there is 0.4
and here a third."""


def erase(images: tf.Tensor, *, number: tf.Tensor, prob: float) -> tf.Tensor:
    """Blot out a rectangle of some pictures with the picture's mean colour, which the network sees
    as nothing.

    Zhong et al. 2020, Algorithm 1, except that a rectangle that would not fit is cut to the picture
    rather than drawn again, and that its colour is the mean rather than noise (their variant RE-M).

    Args:
      images: float32[B, S, S, 3] in 0..255.
      number: float32[B, 5] in [0, 1): whether, area, aspect, and where in y and in x.
      prob: share of the pictures that lose a rectangle.
    """
    area = _AREA[0] + (_AREA[1] - _AREA[0]) * number[:, 1]
    aspect = tf.exp((2 * number[:, 2] - 1) * math.log(1 / _ASPECT))
    height, width = (tf.minimum(tf.sqrt(side), 1.0) for side in (area * aspect, area / aspect))
    top, left = number[:, 3] * (1 - height), number[:, 4] * (1 - width)
    hole = inside(tf.shape(images)[1], top=top, left=left, height=height, width=width)
    hole = tf.logical_and(hole, (number[:, 0] < prob)[:, None, None])
    return tf.where(hole[..., None], tf.reduce_mean(images, axis=[1, 2], keepdims=True), images)


def inside(
    size: tf.Tensor, *, top: tf.Tensor, left: tf.Tensor, height: tf.Tensor, width: tf.Tensor
) -> tf.Tensor:
    """Return which pixels have their centre in a rectangle given in fractions, float32[B] each:
    bool[B, S, S]."""
    centres = (tf.range(tf.cast(size, tf.float32)) + 0.5) / tf.cast(size, tf.float32)
    rows, columns = (
        tf.logical_and(centres >= first[:, None], centres < (first + length)[:, None])
        for first, length in ((top, height), (left, width))
    )
    return tf.logical_and(rows[:, :, None], columns[:, None, :])
