"""Predictor: class probabilities, valence and arousal of a model for every example of a split.

Owns the compiled forward pass on every replica and the order of its outputs. Dropping the remainder
of the last batch was rejected because every example counts: the batch is padded, and the padding is
removed here.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf
from scipy import special

from trainer.config import evaluation_views
from trainer.data import examples, input_pipeline
from trainer.distributed import devices, out_of_memory
from trainer.models import dtype_policy, heads
from trainer.models import views as views_lib

_POSITION = "position"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelOutputs:
    """The outputs of a model for N examples."""

    probabilities: np.ndarray
    """float64[N, C], because ranks over all examples need rows that sum closely to one."""

    affect: Mapping[str, np.ndarray]
    """valence and arousal, float32[N] each; empty without such heads."""


def mean(outputs: Sequence[ModelOutputs]) -> ModelOutputs:
    """Return the mean of the outputs of several models for the same examples."""
    return ModelOutputs(
        probabilities=np.mean([each.probabilities for each in outputs], axis=0),
        affect={
            name: np.mean([each.affect[name] for each in outputs], axis=0)
            for name in outputs[0].affect
        },
    )


class Predictor:
    """A model and its compiled forward pass, on one strategy."""

    def __init__(
        self, model: keras.Model, *, strategy: tf.distribute.Strategy, views: evaluation_views.Views
    ) -> None:
        self._model = model
        self._strategy = strategy
        self._views = views

    def probabilities(self, split: examples.Split, *, batch_size: int) -> np.ndarray:
        """Return the probabilities of `run` alone."""
        return self.run(split, batch_size=batch_size).probabilities

    def run(self, split: examples.Split, *, batch_size: int) -> ModelOutputs:
        """Return the model's outputs for every example, in the split's own order.

        Probabilities, valence and arousal are the means over the views of an image.

        Raises:
          errors.UserError: if a batch needs more memory than a device has.
        """
        outputs = self.outputs(split, batch_size=batch_size)
        logits = outputs.pop(heads.LOGITS)
        return ModelOutputs(
            probabilities=special.softmax(logits.astype(np.float64), axis=-1).mean(axis=1),
            affect={name: values.mean(axis=1)[:, 0] for name, values in outputs.items()},
        )

    def outputs(self, split: examples.Split, *, batch_size: int) -> dict[str, np.ndarray]:
        """Return what the heads give for every example and view, float32[N, views, ...] by name.

        Raises:
          errors.UserError: if a batch needs more memory than a device has.
        """
        layout = input_pipeline.BatchLayout(
            batch_size=batch_size,
            num_replicas=self._strategy.num_replicas_in_sync,
            steps_per_execution=1,
        )
        plan_rows = input_pipeline.plan(
            split.num_examples,
            layout=layout,
            epochs=range(1),
            replicas=devices.local_replicas(self._strategy),
        )
        in_order = np.arange(split.num_examples)
        dataset = input_pipeline.step_groups(
            split, plan_rows=plan_rows, layout=layout, order_of=lambda epoch: in_order
        )
        at_once = batch_size // layout.num_replicas
        advice = (
            f"it cannot hold {at_once} images of an evaluation at once: train with a smaller "
            "--batch_size, or evaluate on more GPUs or on the CPU (--num_gpus=0)"
        )
        with out_of_memory.as_sentence(advice), dtype_policy.WITHOUT_TF32:
            batches = [
                self._compiled(group)
                for group in input_pipeline.distribute(dataset, strategy=self._strategy)
            ]
        outputs = {name: np.concatenate([b[name] for b in batches]) for name in batches[0]}
        # Replicas return their rows in an order of their own; padding has the highest positions.
        order = np.argsort(outputs.pop(_POSITION))[: split.num_examples]
        return {name: values[order] for name, values in outputs.items()}

    @functools.cached_property
    def _compiled(self) -> Callable[[input_pipeline.StepGroup], dict[str, tf.Tensor]]:
        compiled: Callable[[input_pipeline.StepGroup], dict[str, tf.Tensor]] = tf.function(
            self._on_all_replicas, reduce_retracing=True
        )
        return compiled

    def _on_all_replicas(self, group: input_pipeline.StepGroup) -> dict[str, tf.Tensor]:
        """Return the outputs and positions of all replicas, on every host; see `_on_replica`."""
        outputs = self._strategy.run(self._on_replica, args=(group,))
        return {name: self._strategy.gather(each, axis=0) for name, each in outputs.items()}

    def _on_replica(self, group: input_pipeline.StepGroup) -> dict[str, tf.Tensor]:
        """Return the outputs of each head, float32[b, views, ...], and the positions, int64[b]."""
        images = tf.cast(group["image"][0], tf.float32)
        by_view = [
            heads.by_name(self._model(view, training=False))
            for view in views_lib.of(images, views=self._views)
        ]
        stacked = {name: tf.stack([each[name] for each in by_view], axis=1) for name in by_view[0]}
        return stacked | {_POSITION: group["position"][0]}
