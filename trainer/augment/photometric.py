"""Photometric augmentation: brightness, contrast, gamma, saturation, hue, sharpness of a batch.

Owns the arithmetic on float32[B, S, S, 3] in 0..255. Hue is rotated in YIQ, which takes one matrix;
HSV, which needs branches in every pixel, was rejected.
"""

import math

import numpy as np
import tensorflow as tf

from affectnet_tfds import luma

_LIGHT_FRAC, _SATURATION_FRAC, _HUE_DEGREES, _SHARPNESS_FRAC = 0.2, 0.4, 12.0, 0.8
_GAMMA_OCTAVES, _LOCAL_OCTAVES = 0.5, 0.5
"""An amount of 1 changes an image by this much."""

_MOST_LIGHT = 1.0
"""Amounts of brightness and contrast are cut off here: at 3, random ones clipped half of the pixels
in 23 % of FER2013's faces, and so cut off in 2 %."""

_NEIGHBOURHOODS = 8
"""Local contrast is about the means of this many parts of an image's side."""

_YIQ = np.array([luma.LUMA, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], np.float32)
"""RGB to luma and two coordinates of colour (the NTSC standard of 1953)."""

_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13
"""Smoothing kernel of Pillow's ImageFilter.SMOOTH; sharpening moves away from its result."""


def light(images: tf.Tensor, *, amount: tf.Tensor) -> tf.Tensor:
    """Change brightness and contrast; amount: float32[B, 2], each as a multiple of its range."""
    bounded = tf.clip_by_value(amount, -_MOST_LIGHT, _MOST_LIGHT)
    shift, gain = tf.split(bounded[:, :, None, None] * _LIGHT_FRAC, 2, axis=1)
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    # Two sums kept apart: TensorFlow would add the smaller terms first, with other last digits.
    contrasted = tf.ensure_shape((images - mean) * (1 + gain) + mean, images.shape)
    return tf.clip_by_value(contrasted + 255 * shift, 0, 255)


def tone(images: tf.Tensor, *, amount: tf.Tensor) -> tf.Tensor:
    """Change gamma and local contrast; amount: float32[B, 2], each as a multiple of its range.

    Local contrast is unsharp masking with a wide blur (Gonzalez and Woods 2018, "Digital Image
    Processing", section 3.6): differences from the mean of the neighbourhood grow or shrink, by a
    power of 2, so that no strength takes them away.
    """
    octaves, gain = tf.split(amount[:, :, None, None], 2, axis=1)
    images = 255 * (tf.clip_by_value(images, 0, 255) / 255) ** (2 ** (octaves * _GAMMA_OCTAVES))
    part = max(images.shape[1] // _NEIGHBOURHOODS, 1)
    means = tf.nn.avg_pool2d(images, ksize=part, strides=part, padding="SAME")
    smooth = tf.image.resize(means, images.shape[1:3])
    return tf.clip_by_value(smooth + (images - smooth) * 2 ** (gain * _LOCAL_OCTAVES), 0, 255)


def colour(images: tf.Tensor, *, amount: tf.Tensor) -> tf.Tensor:
    """Change saturation and hue; amount: float32[B, 2], each as a multiple of its range."""
    gain = 1 + amount[:, 0] * _SATURATION_FRAC
    angle = amount[:, 1] * (_HUE_DEGREES * math.pi / 180)
    cos, sin = gain * tf.cos(angle), gain * tf.sin(angle)
    one, zero = tf.ones_like(gain), tf.zeros_like(gain)
    rotation = tf.reshape(
        tf.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos], axis=1), [-1, 3, 3]
    )
    matrix = tf.constant(np.linalg.inv(_YIQ)) @ rotation @ tf.constant(_YIQ)  # [B, 3, 3]
    return tf.clip_by_value(tf.einsum("bhwc,bdc->bhwd", images, matrix), 0, 255)


def sharpness(images: tf.Tensor, *, amount: tf.Tensor) -> tf.Tensor:
    """Blur (amount below 0) or sharpen; amount: float32[B], as a multiple of its range."""
    kernel = tf.constant(np.repeat(_SMOOTH[:, :, None, None], 3, axis=2))
    padded = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="SYMMETRIC")
    smooth = tf.nn.depthwise_conv2d(padded, kernel, strides=[1, 1, 1, 1], padding="VALID")
    gain = 1 + amount[:, None, None, None] * _SHARPNESS_FRAC
    return tf.clip_by_value(smooth + (images - smooth) * gain, 0, 255)
