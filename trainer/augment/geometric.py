"""Geometric augmentation: flip, rotate, scale, translate, shear and crop in one resampling.

Owns the affine transformation. One resampling for all of them rather than one each: every further
one would blur.
"""

import math

import tensorflow as tf

ROTATION_DEGREES, SCALE_FRAC, SHIFT_FRAC, _SHEAR_FRAC = 10.0, 0.08, 0.06, 0.1
"""An amount of 1 changes an image by this much."""


def warp(
    images: tf.Tensor,
    *,
    flip: tf.Tensor,
    amount: tf.Tensor,
    crop_px: int | None = None,
    place: tf.Tensor | None = None,
) -> tf.Tensor:
    """Flip, rotate, scale, translate and shear images about their centres; edges are repeated.

    Args:
      images: float32[B, S, S, 3].
      flip: bool[B].
      amount: float32[B, 5]: rotation, scale, translation in x and in y, shear, each as a multiple
        of its range.
      crop_px: N, the side of the part that is returned; None: all of it.
      place: float32[B, 2], whole numbers 0..S - N: x and y of the part's corner.

    Returns:
      float32[B, N, N, 3].
    """
    size = images.shape[1]
    side = size if crop_px is None else crop_px
    angle = amount[:, 0] * (ROTATION_DEGREES * math.pi / 180)
    scale = 1 + amount[:, 1] * SCALE_FRAC
    shear = amount[:, 4] * _SHEAR_FRAC
    mirror = tf.where(flip, -1.0, 1.0)
    yx, yy = scale * tf.sin(angle), scale * tf.cos(angle)
    xx, xy = mirror * (yy + shear * yx), mirror * (shear * yy - yx)
    centre, middle = (size - 1) / 2, (side - 1) / 2
    x0 = centre - (xx + xy) * middle + amount[:, 2] * SHIFT_FRAC * size
    y0 = centre - (yx + yy) * middle + amount[:, 3] * SHIFT_FRAC * size
    if place is not None:
        offset = place - (size - side) / 2
        x0, y0 = x0 + offset[:, 0], y0 + offset[:, 1]
    zero = tf.zeros_like(angle)
    warped = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([xx, xy, x0, yx, yy, y0, zero, zero], axis=1),
        output_shape=[side, side],
        interpolation="BILINEAR",
        fill_mode="NEAREST",
        fill_value=0.0,
    )
    return tf.ensure_shape(warped, [images.shape[0], side, side, 3])
