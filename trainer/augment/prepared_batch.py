"""Prepared microbatch: augmented, mixed images with their labels, weights and random numbers, as a
training step takes them."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from trainer.augment import mixup
from trainer.data import input_pipeline
from trainer.distributed import example_rng


@dataclasses.dataclass(frozen=True, kw_only=True)
class Microbatch:
    """What is worked through at once on a replica: pictures as the network sees them, with their
    labels and noise."""

    images: tf.Tensor  # float32[b, S, S, 3]
    label: tf.Tensor  # int64[b]
    affect: tf.Tensor  # float32[b, 2], valence and arousal, NaN where there is none
    other_label: tf.Tensor  # int64[b], of what a picture is mixed with
    share: (
        tf.Tensor | None
    )  # float32[b], how much of a picture is its own; None where nothing is mixed
    weight: tf.Tensor  # float32[b]
    count: tf.Tensor  # float32[], of the whole batch
    draw: example_rng.ExampleRng

    def mean(self, of_label: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """Return what a function gives for both labels of each picture, float32[b], weighted by
        their shares.

        For the cross entropy that is the cross entropy to mixed targets (Zhang et al. 2018,
        arXiv:1710.09412, Eq. 2).
        """
        own = of_label(self.label)
        return (
            own
            if self.share is None
            else self.share * own + (1 - self.share) * of_label(self.other_label)
        )


def affect_targets(part: input_pipeline.StepGroup, *, share: tf.Tensor | None) -> tf.Tensor:
    """Return valence and arousal, float32[b, 2], mixed as the pictures are; NaN where one of two
    mixed has none."""
    own = tf.stack([part["valence"], part["arousal"]], axis=1)
    return (
        own if share is None else share[:, None] * own + (1 - share[:, None]) * mixup.partners(own)
    )
