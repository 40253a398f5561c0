"""Mixup and CutMix: mix every image, and its label, with its partner's.

Owns the pairing and the mixing. Partners are neighbours in the epoch's random order, positions 2k
and 2k + 1: a replica always holds both, however many share the batch, so the result does not depend
on them. A permutation of the batch, as usual, was rejected: the partner would be on another
replica, or another partner.
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
    """Mixed images, and the share lambda of each that is its own; the rest is its partner's."""

    images: tf.Tensor  # float32[B, S, S, 3]
    lam: tf.Tensor  # float32[B] in 0..1


def mix(images: tf.Tensor, *, uniform: tf.Tensor, mixup: float, cutmix: float) -> MixedBatch:
    """Mix every image with its partner's; where both methods are on, each with probability 1/2.

    Args:
      images: float32[B, S, S, 3], B even.
      uniform: float32[B, 4] in [0, 1): lambda, method, and the centre of the patch in y and in x.
      mixup: alpha of mixup, 0 for none.
      cutmix: alpha of CutMix, 0 for none.
    """
    if not cutmix:
        return _mixup(images, uniform=uniform, alpha=mixup)
    if not mixup:
        return _cutmix(images, uniform=uniform, alpha=cutmix)
    blended = _mixup(images, uniform=uniform, alpha=mixup)
    patched = _cutmix(images, uniform=uniform, alpha=cutmix)
    is_mixup = uniform[:, 1] < 0.5
    return MixedBatch(
        images=tf.where(is_mixup[:, None, None, None], blended.images, patched.images),
        lam=tf.where(is_mixup, blended.lam, patched.lam),
    )


def partners(values: tf.Tensor) -> tf.Tensor:
    """Return the value of each example's partner: rows 2k and 2k + 1 of [B, ...] exchanged."""
    pairs = tf.reshape(values, (-1, 2, *values.shape[1:]))
    return tf.reshape(tf.reverse(pairs, axis=[1]), values.shape)


def beta(uniform: tf.Tensor, *, alpha: float) -> tf.Tensor:
    """Turn numbers in [0, 1) into draws of Beta(alpha, alpha), by its interpolated quantiles."""
    table = tf.constant(_quantiles(alpha))
    position = uniform * _QUANTILES
    below = tf.cast(position, tf.int32)
    low = tf.gather(table, below)
    high = tf.gather(table, below + 1)
    return low + (high - low) * (position - tf.cast(below, tf.float32))


def _mixup(images: tf.Tensor, *, uniform: tf.Tensor, alpha: float) -> MixedBatch:
    """Blend pairs of images: x = lam x_i + (1 - lam) x_j, lam of Beta(alpha, alpha).

    Zhang et al. 2018 (arXiv:1710.09412), section 2.
    """
    lam = beta(uniform[:, 0], alpha=alpha)
    weight = lam[:, None, None, None]
    return MixedBatch(images=weight * images + (1 - weight) * partners(images), lam=lam)


def _cutmix(images: tf.Tensor, *, uniform: tf.Tensor, alpha: float) -> MixedBatch:
    """Paste a patch of the partner's image, of area 1 - lam before it is cut at the border.

    Yun et al. 2019 (arXiv:1905.04899), Eqs. 1 and 2.
    """
    side = tf.sqrt(1 - beta(uniform[:, 0], alpha=alpha))
    top = uniform[:, 2] - side / 2
    left = uniform[:, 3] - side / 2
    patch = random_erasing.inside(images.shape[1], top=top, left=left, height=side, width=side)
    lam = 1 - tf.reduce_mean(tf.cast(patch, tf.float32), axis=[1, 2])
    return MixedBatch(images=tf.where(patch[..., None], partners(images), images), lam=lam)


@functools.cache
def _quantiles(alpha: float) -> np.ndarray:
    """Return the 4097 quantiles 0, 1/4096, ..., 1 of Beta(alpha, alpha), float32."""
    probs = np.linspace(0, 1, _QUANTILES + 1)
    quantiles: np.ndarray = special.betaincinv(alpha, alpha, probs)
    return quantiles.astype(np.float32)
