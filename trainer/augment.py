"""Random changes to a batch of pictures, on the device that trains on them.

Owns flip, shift, turn, scale and light, each a function of (seed, epoch, place) and done to the whole batch at once.
Augmenting single pictures in the input pipeline was rejected: it takes CPU cores from decoding.
"""

import math

import tensorflow as tf

from trainer import noise

_TURN_DEGREES, _SHIFT_FRAC, _SCALE_FRAC, _LIGHT_FRAC = 10.0, 0.06, 0.08, 0.2
"""At strength 1, each at most this much either way."""


def augment(images: tf.Tensor, *, draw: noise.Draw, strength: float) -> tf.Tensor:
    """Change pictures at random.

    Args:
      images: uint8[B, S, S, 3].
      draw: whose numbers.
      strength: 0 leaves the pictures alone, 1 suits faces.

    Returns:
      float32[B, S, S, 3] in 0..255.
    """
    images = tf.cast(images, tf.float32)
    if strength == 0:
        return images
    number = noise.uniform(draw, stream=0, shape=tf.stack([tf.shape(images)[0], 8]))
    amount = strength * (2 * number - 1)  # [B, 8] in -strength..strength
    images = warp(images, flip=number[:, 0] < 0.5, amount=amount[:, 1:5])
    return light(images, amount=amount[:, 5:7])


def warp(images: tf.Tensor, *, flip: tf.Tensor, amount: tf.Tensor) -> tf.Tensor:
    """Flip, turn, scale and shift pictures about their centres; the edge is repeated outwards.

    Args:
      images: float32[B, S, S, 3].
      flip: bool[B].
      amount: float32[B, 4]: turn, scale, shift in x and in y, each as a multiple of its range.
    """
    size = tf.cast(tf.shape(images)[1], tf.float32)
    angle = amount[:, 0] * (_TURN_DEGREES * math.pi / 180)
    scale = 1 + amount[:, 1] * _SCALE_FRAC
    mirror = tf.where(flip, -1.0, 1.0)
    xx, xy = mirror * scale * tf.cos(angle), -mirror * scale * tf.sin(angle)
    yx, yy = scale * tf.sin(angle), scale * tf.cos(angle)
    centre = (size - 1) / 2
    x0 = centre - (xx + xy) * centre + amount[:, 2] * _SHIFT_FRAC * size
    y0 = centre - (yx + yy) * centre + amount[:, 3] * _SHIFT_FRAC * size
    zero = tf.zeros_like(angle)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([xx, xy, x0, yx, yy, y0, zero, zero], axis=1),
        output_shape=tf.shape(images)[1:3],
        interpolation="BILINEAR",
        fill_mode="NEAREST",
        fill_value=0.0,
    )


def light(images: tf.Tensor, *, amount: tf.Tensor) -> tf.Tensor:
    """Change brightness and contrast.

    Args:
      images: float32[B, S, S, 3] in 0..255.
      amount: float32[B, 2]: brightness and contrast, each as a multiple of its range.
    """
    shift, gain = tf.split(amount[:, :, None, None] * _LIGHT_FRAC, 2, axis=1)
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return tf.clip_by_value((images - mean) * (1 + gain) + mean + 255 * shift, 0, 255)
