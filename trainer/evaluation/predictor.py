"""Class probabilities, and valence and arousal where the model has them, for every example of a
split.

Owns the compiled forward pass on every replica and the order of what comes back. Nothing is
dropped: the filling of the last batch is cut off here.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping

import keras
import numpy as np
import tensorflow as tf

from trainer.data import examples, input_pipeline
from trainer.distributed import devices
from trainer.models import heads

_PLACE = "place"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelOutputs:
    """What a model says of N examples."""

    probabilities: np.ndarray
    """float64[N, C], so that rows sum to one as closely as ranks over all examples need."""

    affect: Mapping[str, np.ndarray]
    """valence and arousal, float32[N] each; empty without such heads."""


class Predictor:
    """A model and its compiled forward pass, on one strategy."""

    def __init__(
        self, model: keras.Model, *, strategy: tf.distribute.Strategy, tta_flip: bool = False
    ) -> None:
        self._model, self._strategy, self._tta_flip = model, strategy, tta_flip

    def probabilities(self, split: examples.Split, *, batch_size: int) -> np.ndarray:
        """Return the probabilities of `run` alone."""
        return self.run(split, batch_size=batch_size).probabilities

    def run(self, split: examples.Split, *, batch_size: int) -> ModelOutputs:
        """Return what the model says of every example, in the split's own order.

        With `tta_flip`, the mean over a picture and its mirror image.
        """
        shape = input_pipeline.BatchLayout(
            batch_size=batch_size,
            num_replicas=self._strategy.num_replicas_in_sync,
            steps_per_execution=1,
        )
        own = devices.local_replicas(self._strategy)
        plan_rows = input_pipeline.plan(
            split.num_examples, shape=shape, epochs=range(1), replicas=own
        )
        in_order = np.arange(split.num_examples)
        dataset = input_pipeline.step_groups(
            split, plan_rows=plan_rows, shape=shape, order_of=lambda epoch: in_order
        )
        made = [
            self._compiled(call)
            for call in input_pipeline.distribute(dataset, strategy=self._strategy)
        ]
        whole = {name: np.concatenate([each[name] for each in made]) for name in made[0]}
        order = np.argsort(whole.pop(_PLACE))[: split.num_examples]
        return ModelOutputs(
            probabilities=_softmax(whole.pop(heads.LOGITS)[order]).mean(axis=1),
            affect={name: values[order].mean(axis=1)[:, 0] for name, values in whole.items()},
        )

    @functools.cached_property
    def _compiled(self) -> Callable[[input_pipeline.StepGroup], dict[str, tf.Tensor]]:
        return tf.function(self._call, reduce_retracing=True)

    def _call(self, call: input_pipeline.StepGroup) -> dict[str, tf.Tensor]:
        """Return what the heads say on all replicas, float32[b, views, ...], and their places, on
        every host."""
        made = self._strategy.run(self._replica, args=(call,))
        return {name: self._strategy.gather(each, axis=0) for name, each in made.items()}

    def _replica(self, call: input_pipeline.StepGroup) -> dict[str, tf.Tensor]:
        """Return what each head says of every view of a picture, float32[b, views, ...], and its
        place, int64[b]."""
        images = tf.cast(call["image"][0], tf.float32)
        views = [images, tf.reverse(images, axis=[2])] if self._tta_flip else [images]
        said = [heads.by_name(self._model(view, training=False)) for view in views]
        return {name: tf.stack([each[name] for each in said], axis=1) for name in said[0]} | {
            _PLACE: call["position"][0]
        }


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
