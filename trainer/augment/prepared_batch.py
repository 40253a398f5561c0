"""Prepared microbatch: augmented and mixed images with labels, weights and random numbers."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from trainer.augment import mixup
from trainer.data import input_pipeline
from trainer.distributed import example_rng


@dataclasses.dataclass(frozen=True, kw_only=True)
class Microbatch:
    """Examples that a replica processes at once: network inputs, labels and random numbers."""

    images: tf.Tensor  # float32[b, S, S, 3]
    label: tf.Tensor  # int64[b]
    affect: tf.Tensor  # float32[b, 2], valence and arousal, NaN where there is none
    partner_label: tf.Tensor  # int64[b], label of the image that an image is mixed with
    lam: tf.Tensor | None
    """float32[b], share of an image that is its own; None where images are not mixed."""
    weight: tf.Tensor  # float32[b]
    count: tf.Tensor  # float32[], of the whole batch
    rng: example_rng.ExampleRng
    soft_target: tf.Tensor | None = None  # float32[b, C], mixed as the images are
    label_weight: tf.Tensor | None = None  # float32[b], of the loss of `label`; None: all 1
    index: tf.Tensor | None = None  # int64[b], of the examples in the training split

    def mean(self, of_label: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """Return the mean of a function of both labels, float32[b], weighted by lambda.

        For the cross entropy that is the cross entropy to mixed targets (Zhang et al. 2018,
        arXiv:1710.09412, Eq. 2).
        """
        own = of_label(self.label)
        if self.lam is None:
            return own
        return self.lam * own + (1 - self.lam) * of_label(self.partner_label)

    def weighted_mean(self, of_label: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """Return `mean`, each label's value times its weight, float32[b].

        The label of the image that an image is mixed with has the weight that it has there.
        """
        if self.label_weight is None:
            return self.mean(of_label)
        own = self.label_weight * of_label(self.label)
        if self.lam is None:
            return own
        partner_weight = mixup.partners(self.label_weight)
        return self.lam * own + (1 - self.lam) * partner_weight * of_label(self.partner_label)


def affect_targets(part: input_pipeline.StepGroup, *, lam: tf.Tensor | None) -> tf.Tensor:
    """Return valence and arousal, float32[b, 2], mixed as the images are; NaN where either is."""
    return _mixed(tf.stack([part["valence"], part["arousal"]], axis=1), lam=lam)


def soft_targets(part: input_pipeline.StepGroup, *, lam: tf.Tensor | None) -> tf.Tensor | None:
    """Return the distributions to learn, float32[b, C], mixed as the images are; None: none."""
    return _mixed(part["soft_target"], lam=lam) if "soft_target" in part else None


def _mixed(own: tf.Tensor, *, lam: tf.Tensor | None) -> tf.Tensor:
    if lam is None:
        return own
    return lam[:, None] * own + (1 - lam[:, None]) * mixup.partners(own)
