"""Image augmentation of a batch, on the device that trains on it.

Owns which transformation is applied to which image and how strongly: a function of (seed, epoch,
position), drawn for the whole batch at once. The transformations are in `geometric`, `photometric`,
`random_erasing` and `mixup`. Augmenting single images in the input pipeline was rejected: it takes
CPU cores from decoding.
"""

import numpy as np
import tensorflow as tf

from trainer.augment import geometric, mixup, photometric, random_erasing
from trainer.config import training_config
from trainer.distributed import example_rng

_MAIN, _COLOUR, _CHOICE, _ERASE, _MIX, _CROP, _TONE = range(7)
"""Streams of random numbers; see `example_rng`."""

_NUM_KINDS = 10
"""Kinds of RandAugment: rotation, scale, translation in x and y, shear; gamma, local contrast;
saturation, hue; sharpness. Brightness and contrast, which the others have in the place of the
tones, are undone where images are standardised."""
_GEOMETRY, _LIGHT, _HUE, _SHARPNESS = slice(0, 5), slice(5, 7), slice(7, 9), 9


def augment(
    images: tf.Tensor,
    *,
    rng: example_rng.ExampleRng,
    settings: training_config.Augmentation,
    crop_px: int | None = None,
    is_gray: bool = False,
) -> tf.Tensor:
    """Augment each image at random.

    Args:
      images: uint8[B, S, S, 3].
      rng: random numbers of these examples.
      settings: which transformations, and their strength.
      crop_px: N, the side of the part of each image that is returned, from a place drawn for it;
        None: all of it, N = S.
      is_gray: whether the network makes them gray, so that colours need no change.

    Returns:
      float32[B, N, N, 3] in 0..255.
    """
    images = tf.cast(images, tf.float32)
    count = images.shape[0]
    amount = tf.zeros([count, _NUM_KINDS])
    if settings.randaugment:
        amount = _random_kinds(rng, count=count, settings=settings, is_gray=is_gray)
    elif settings.augment:
        amount = _all_kinds(rng, count=count, settings=settings)
    # Geometry first: contrast is then about the mean of what the network is given.
    if settings.augment or crop_px is not None:
        images = _geometric(images, rng=rng, amount=amount, settings=settings, crop_px=crop_px)
    if settings.augment:
        images = _photometric(images, rng=rng, amount=amount, settings=settings)
    if settings.erase_prob:
        # Last, so that the rectangle is filled with the mean colour of the image as it ends up.
        uniform = _uniform(rng, stream=_ERASE, count=count, each=8)
        images = random_erasing.erase(images, uniform=uniform, prob=settings.erase_prob)
    return images


def _geometric(
    images: tf.Tensor,
    *,
    rng: example_rng.ExampleRng,
    amount: tf.Tensor,
    settings: training_config.Augmentation,
    crop_px: int | None,
) -> tf.Tensor:
    """Flip, move and crop; amount: float32[B, kinds], which only --augment uses."""
    count, size = images.shape[:2]
    flip, geometry = tf.zeros([count], tf.bool), tf.zeros([count, 5])
    if settings.augment:
        flip = settings.flip & (_uniform(rng, stream=_MAIN, count=count, each=8)[:, 0] < 0.5)
        geometry = _in_ranges(amount[:, _GEOMETRY], settings=settings)
    place = None
    if crop_px is not None:
        drawn = _uniform(rng, stream=_CROP, count=count, each=2)
        place = tf.floor(drawn * (size - crop_px + 1))
    return geometric.warp(images, flip=flip, amount=geometry, crop_px=crop_px, place=place)


def _photometric(
    images: tf.Tensor,
    *,
    rng: example_rng.ExampleRng,
    amount: tf.Tensor,
    settings: training_config.Augmentation,
) -> tf.Tensor:
    """Change light, tones and colours; amount: float32[B, kinds]."""
    count = images.shape[0]
    if settings.randaugment:
        images = photometric.tone(images, amount=amount[:, _LIGHT])
        images = photometric.colour(images, amount=amount[:, _HUE])
        images = photometric.sharpness(images, amount=amount[:, _SHARPNESS])
    else:
        images = photometric.light(images, amount=amount[:, _LIGHT])
    if settings.color_jitter:
        drawn = _both_ways(rng, stream=_COLOUR, count=count)
        images = photometric.colour(images, amount=settings.color_jitter * drawn)
    if settings.tone_jitter:
        drawn = _both_ways(rng, stream=_TONE, count=count)
        images = photometric.tone(images, amount=settings.tone_jitter * drawn)
    return images


def _both_ways(rng: example_rng.ExampleRng, *, stream: int, count: int) -> tf.Tensor:
    """Return amounts of two kinds, each from -1 to 1: float32[B, 2]."""
    return 2 * _uniform(rng, stream=stream, count=count, each=4)[:, :2] - 1


def _in_ranges(amount: tf.Tensor, *, settings: training_config.Augmentation) -> tf.Tensor:
    """Return amounts of geometric kinds, float32[B, 5], with the ranges that the settings name."""
    usual = (geometric.ROTATION_DEGREES, geometric.SCALE_FRAC, *[geometric.SHIFT_FRAC] * 2, 1.0)
    asked = (
        settings.rotation_degrees,
        settings.scale_frac,
        settings.shift_frac,
        settings.shift_frac,
        None,
    )
    factors = [
        1.0 if mine is None else mine / (each * settings.augment)
        for mine, each in zip(asked, usual, strict=True)
    ]
    return amount if set(factors) == {1.0} else amount * tf.constant(factors)


def mix(
    images: tf.Tensor, *, rng: example_rng.ExampleRng, settings: training_config.Augmentation
) -> mixup.MixedBatch:
    """Mix each image, float32[B, S, S, 3], with its partner's."""
    uniform = _uniform(rng, stream=_MIX, count=images.shape[0], each=4)
    return mixup.mix(images, uniform=uniform, mixup=settings.mixup, cutmix=settings.cutmix)


def _all_kinds(
    rng: example_rng.ExampleRng, *, count: int, settings: training_config.Augmentation
) -> tf.Tensor:
    """Return amounts up to the strength of the geometric kinds but shear, and of light: [B, 7]."""
    main = settings.augment * (2 * _uniform(rng, stream=_MAIN, count=count, each=8) - 1)
    return tf.concat([main[:, 1:5], tf.zeros([count, 1]), main[:, 5:7]], axis=1)


def _random_kinds(
    rng: example_rng.ExampleRng,
    *,
    count: int,
    settings: training_config.Augmentation,
    is_gray: bool,
) -> tf.Tensor:
    """Return plus or minus the strength for kinds drawn per image, 0 for the others: [B, kinds].

    Cubuk et al. 2020 (arXiv:1909.13719), section 3, with kinds that can be applied to a whole
    batch; each at most once, and those of colour not at all in gray.
    """
    uniform = _uniform(rng, stream=_CHOICE, count=count, each=2 * _NUM_KINDS)
    order = uniform[:, :_NUM_KINDS]
    num_kinds = settings.randaugment
    if is_gray:
        is_colour = np.isin(np.arange(_NUM_KINDS), np.arange(_NUM_KINDS)[_HUE])
        order += tf.constant(is_colour, tf.float32)  # Behind all others.
        num_kinds = min(num_kinds, _NUM_KINDS - int(is_colour.sum()))
    rank = tf.argsort(tf.argsort(order, axis=1), axis=1)
    sign = tf.where(uniform[:, _NUM_KINDS:] < 0.5, -1.0, 1.0)
    return settings.augment * sign * tf.cast(rank < num_kinds, tf.float32)


def _uniform(rng: example_rng.ExampleRng, *, stream: int, count: int, each: int) -> tf.Tensor:
    return example_rng.uniform(rng, stream=stream, shape=(count, each))
