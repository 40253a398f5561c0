"""Mixup and cutmix: every picture is mixed with its partner's, and so is what it is called.

Owns who is whose partner, and the mixing. Partners are neighbours in the epoch's random order,
places 2k and 2k + 1: a replica always holds both, however many share the batch, so the result does
not depend on them. A permutation of the batch, as usual, was rejected: the partner would be on
another replica, or another partner.
"""

import dataclasses
import functools

import numpy as np
import tensorflow as tf
from scipy import special

from trainer.augment import random_erasing

_QUANTILES = 4096


@dataclasses.dataclass(frozen=True, kw_only=True)
class MixedBatch:
    """Mixed pictures, and the share that is each one's own; the rest is its partner's."""

    images: tf.Tensor  # float32[B, S, S, 3]
    share: tf.Tensor  # float32[B] in 0..1


def mix(images: tf.Tensor, *, number: tf.Tensor, mixup: float, cutmix: float) -> MixedBatch:
    """Mix every picture with its partner's; where both ways are on, each by the toss of a coin.

    Args:
      images: float32[B, S, S, 3], B even.
      number: float32[B, 4] in [0, 1): share, which way, and the centre of the patch in y and in x.
      mixup: alpha of mixup, 0 for none.
      cutmix: alpha of cutmix, 0 for none.
    """
    if not (mixup and cutmix):
        return (
            _mixup(images, number=number, alpha=mixup)
            if mixup
            else _cutmix(images, number=number, alpha=cutmix)
        )
    whole = _mixup(images, number=number, alpha=mixup)
    patched = _cutmix(images, number=number, alpha=cutmix)
    heads = number[:, 1] < 0.5
    return MixedBatch(
        images=tf.where(heads[:, None, None, None], whole.images, patched.images),
        share=tf.where(heads, whole.share, patched.share),
    )


def partners(values: tf.Tensor) -> tf.Tensor:
    """Return each one's partner's value: of [B, ...], rows 2k and 2k + 1 change places."""
    pairs = tf.reshape(values, tf.concat([[-1, 2], tf.shape(values)[1:]], axis=0))
    return tf.reshape(tf.reverse(pairs, axis=[1]), tf.shape(values))


def beta(number: tf.Tensor, *, alpha: float) -> tf.Tensor:
    """Turn numbers in [0, 1) into draws of Beta(alpha, alpha), by its quantiles between 4096 exact
    ones."""
    table = tf.constant(_quantiles(alpha))
    place = number * _QUANTILES
    below = tf.cast(place, tf.int32)
    low, high = tf.gather(table, below), tf.gather(table, below + 1)
    return low + (high - low) * (place - tf.cast(below, tf.float32))


def _mixup(images: tf.Tensor, *, number: tf.Tensor, alpha: float) -> MixedBatch:
    """Zhang et al. 2018 (arXiv:1710.09412), section 2: x = s x_i + (1 - s) x_j, s of Beta(alpha,
    alpha)."""
    share = beta(number[:, 0], alpha=alpha)
    weight = share[:, None, None, None]
    return MixedBatch(images=weight * images + (1 - weight) * partners(images), share=share)


def _cutmix(images: tf.Tensor, *, number: tf.Tensor, alpha: float) -> MixedBatch:
    """Yun et al. 2019 (arXiv:1905.04899), Eqs. 1 and 2: a patch of the partner's, its area 1 - s
    before the cut."""
    side = tf.sqrt(1 - beta(number[:, 0], alpha=alpha))
    top, left = number[:, 2] - side / 2, number[:, 3] - side / 2
    patch = random_erasing.inside(tf.shape(images)[1], top=top, left=left, height=side, width=side)
    share = 1 - tf.reduce_mean(tf.cast(patch, tf.float32), axis=[1, 2])
    return MixedBatch(images=tf.where(patch[..., None], partners(images), images), share=share)


@functools.cache
def _quantiles(alpha: float) -> np.ndarray:
    return special.betaincinv(alpha, alpha, np.linspace(0, 1, _QUANTILES + 1)).astype(np.float32)
