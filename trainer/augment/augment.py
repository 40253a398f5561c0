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
    count, size = images.shape[:2]
    place = None
    if crop_px is not None:
        drawn = _uniform(rng, stream=_CROP, count=count, each=2)
        place = tf.floor(drawn * (size - crop_px + 1))
    if settings.augment:
        flip = settings.flip & (_uniform(rng, stream=_MAIN, count=count, each=8)[:, 0] < 0.5)
        # Geometry first: contrast is then about the mean of what the network is given.
        if settings.randaugment:
            amount = _random_kinds(rng, count=count, settings=settings, is_gray=is_gray)
        else:
            amount = _all_kinds(rng, count=count, settings=settings)
        images = geometric.warp(
            images,
            flip=flip,
            amount=_in_ranges(amount[:, _GEOMETRY], settings=settings),
            crop_px=crop_px,
            place=place,
        )
        images = _photometric(images, rng=rng, amount=amount, settings=settings)
    elif crop_px is not None:
        images = geometric.warp(
            images,
            flip=tf.zeros([count], tf.bool),
            amount=tf.zeros([count, 5]),
            crop_px=crop_px,
            place=place,
        )
    if settings.erase_prob:
        # Last, so that the rectangle is filled with the mean colour of the image as it ends up.
        uniform = _uniform(rng, stream=_ERASE, count=count, each=8)
        images = random_erasing.erase(images, uniform=uniform, prob=settings.erase_prob)
    return images


def _photometric(
    images: tf.Tensor,
    *,
    rng: example_rng.ExampleRng,
    amount: tf.Tensor,
    settings: training_config.Augmentation,
) -> tf.Tensor:
    """Change light, tones and colours; amount: float32[B, kinds]."""
    if settings.randaugment:
        images = photometric.tone(images, amount=amount[:, _LIGHT])
        images = photometric.colour(images, amount=amount[:, _HUE])
        return photometric.sharpness(images, amount=amount[:, _SHARPNESS])
    images = photometric.light(images, amount=amount[:, _LIGHT])
    if settings.color_jitter:
        images = photometric.colour(images, amount=amount[:, _HUE])
    if settings.tone_jitter:
        drawn = 2 * _uniform(rng, stream=_TONE, count=images.shape[0], each=4)[:, :2] - 1
        images = photometric.tone(images, amount=settings.tone_jitter * drawn)
    return images


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
    """Return amounts up to the strength for all kinds but shear and sharpness: [B, kinds]."""
    main = settings.augment * (2 * _uniform(rng, stream=_MAIN, count=count, each=8) - 1)
    colour = 2 * _uniform(rng, stream=_COLOUR, count=count, each=4)[:, :2] - 1
    jitter = settings.color_jitter * colour
    none = tf.zeros([count, 1])
    return tf.concat([main[:, 1:5], none, main[:, 5:7], jitter, none], axis=1)


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
