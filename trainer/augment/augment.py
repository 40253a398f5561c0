"""Random changes to a batch of pictures, on the device that trains on them.

Owns who gets how much of which change: a function of (seed, epoch, place), drawn for the whole
batch at once. The changes are `warp`, `shade`, `erase` and `blend`. Augmenting single pictures in
the input pipeline was rejected: it takes CPU cores from decoding.
"""

import tensorflow as tf

from trainer.augment import geometric, mixup, photometric, random_erasing
from trainer.config import training_config
from trainer.distributed import example_rng

_MAIN, _COLOUR, _CHOICE, _ERASE, _BLEND = range(5)
"""Streams of random numbers; see `noise`."""

_NUM_KINDS = 10
"""Turn, scale, shift in x and y, shear; brightness, contrast; saturation, hue; sharpness."""
_GEOMETRY, _LIGHT, _HUE, _SHARPNESS = slice(0, 5), slice(5, 7), slice(7, 9), 9


def augment(
    images: tf.Tensor, *, draw: example_rng.ExampleRng, settings: training_config.Augmentation
) -> tf.Tensor:
    """Change each picture at random.

    Args:
      images: uint8[B, S, S, 3].
      draw: whose numbers.
      settings: how much of what.

    Returns:
      float32[B, S, S, 3] in 0..255.
    """
    images, count = tf.cast(images, tf.float32), tf.shape(images)[0]
    if settings.augment:
        flip = settings.flip & (_numbers(draw, stream=_MAIN, count=count, each=8)[:, 0] < 0.5)
        amounts = _random_kinds if settings.randaugment else _all_kinds
        amount = amounts(draw, count=count, settings=settings)
        images = photometric.light(
            geometric.warp(images, flip=flip, amount=amount[:, _GEOMETRY]), amount=amount[:, _LIGHT]
        )
        if settings.color_jitter or settings.randaugment:
            images = photometric.colour(images, amount=amount[:, _HUE])
        if settings.randaugment:
            images = photometric.sharpness(images, amount=amount[:, _SHARPNESS])
    if settings.erase_prob:
        number = _numbers(draw, stream=_ERASE, count=count, each=8)
        images = random_erasing.erase(images, number=number, prob=settings.erase_prob)
    return images


def mix(
    images: tf.Tensor, *, draw: example_rng.ExampleRng, settings: training_config.Augmentation
) -> mixup.MixedBatch:
    """Mix each picture, float32[B, S, S, 3], with its partner's."""
    number = _numbers(draw, stream=_BLEND, count=tf.shape(images)[0], each=4)
    return mixup.mix(images, number=number, mixup=settings.mixup, cutmix=settings.cutmix)


def _all_kinds(
    draw: example_rng.ExampleRng, *, count: tf.Tensor, settings: training_config.Augmentation
) -> tf.Tensor:
    """Return amounts drawn evenly up to the strength, either way, of all kinds but shear and
    sharpness: [B, kinds]."""
    main = settings.augment * (2 * _numbers(draw, stream=_MAIN, count=count, each=8) - 1)
    jitter = settings.color_jitter * (
        2 * _numbers(draw, stream=_COLOUR, count=count, each=4)[:, :2] - 1
    )
    none = tf.zeros([count, 1])
    return tf.concat([main[:, 1:5], none, main[:, 5:7], jitter, none], axis=1)


def _random_kinds(
    draw: example_rng.ExampleRng, *, count: tf.Tensor, settings: training_config.Augmentation
) -> tf.Tensor:
    """Return the full strength, either way, of some kinds drawn for each picture, and 0 of the
    others: [B, kinds].

    Cubuk et al. 2020 (arXiv:1909.13719), section 3, on kinds that can be done to a whole batch;
    each at most once.
    """
    number = _numbers(draw, stream=_CHOICE, count=count, each=2 * _NUM_KINDS)
    rank = tf.argsort(tf.argsort(number[:, :_NUM_KINDS], axis=1), axis=1)
    sign = tf.where(number[:, _NUM_KINDS:] < 0.5, -1.0, 1.0)
    return settings.augment * sign * tf.cast(rank < settings.randaugment, tf.float32)


def _numbers(
    draw: example_rng.ExampleRng, *, stream: int, count: tf.Tensor, each: int
) -> tf.Tensor:
    return example_rng.uniform(draw, stream=stream, shape=tf.stack([count, each]))
