"""Class probabilities for every example of a split.

Owns the compiled forward pass on every replica and the order of what comes back. Nothing is dropped: the filling of
the last batch is cut off here.
"""

import functools
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from trainer import devices, input, pictures


class Predictor:
    """A model and its compiled forward pass, on one strategy."""

    def __init__(self, model: keras.Model, *, strategy: tf.distribute.Strategy, tta_flip: bool = False) -> None:
        self._model, self._strategy, self._tta_flip = model, strategy, tta_flip

    def probabilities(self, split: pictures.Split, *, batch_size: int) -> np.ndarray:
        """Return the softmax of the logits, in the split's own order: float64[N, C].

        With `tta_flip`, its mean over a picture and its mirror image. In float64, so that rows sum to one as closely
        as ranks over all examples need.
        """
        shape = input.Shape(batch_size=batch_size, num_replicas=self._strategy.num_replicas_in_sync, steps_per_call=1)
        own = devices.local_replicas(self._strategy)
        lines = input.plan(split.num_examples, shape=shape, epochs=range(1), replicas=own)
        in_order = np.arange(split.num_examples)
        dataset = input.calls(split, lines=lines, shape=shape, order_of=lambda epoch: in_order)
        made = [self._compiled(call) for call in input.distribute(dataset, strategy=self._strategy)]
        logits, place = (np.concatenate(parts) for parts in zip(*made, strict=True))
        return _softmax(logits[np.argsort(place)][: split.num_examples]).mean(axis=1)

    @functools.cached_property
    def _compiled(self) -> Callable[[input.Call], tuple[tf.Tensor, tf.Tensor]]:
        return tf.function(self._call, reduce_retracing=True)

    def _call(self, call: input.Call) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the logits of all replicas, float32[b, views, C], and their places, int64[b], on every host."""
        logits, place = self._strategy.run(self._replica, args=(call,))
        return self._strategy.gather(logits, axis=0), self._strategy.gather(place, axis=0)

    def _replica(self, call: input.Call) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the logits of every view of a picture, float32[b, views, C], and its place, int64[b]."""
        images = tf.cast(call["image"][0], tf.float32)
        views = [images, tf.reverse(images, axis=[2])] if self._tta_flip else [images]
        return tf.stack([self._model(view, training=False) for view in views], axis=1), call["place"][0]


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
