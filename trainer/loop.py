"""Steps: the same computation on every replica, several steps a call into the graph.

Owns the training step. The loss is a sum over the examples at hand divided by how many the
whole batch holds; gradients are added up over replicas before they are clipped. Keras' `fit` was rejected: it clips
before the addition and cannot put several steps in a call, nor several hosts on a job.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer import augment, batch_norm, config, input, losses, noise, optimizers


class Loop:
    """A model, its optimizer and the compiled training step, on one strategy."""

    def __init__(
        self,
        model: keras.Model,
        *,
        optimizer: optimizers.Optimizer,
        training: config.Training,
        loss: losses.Loss,
        rate_of: Callable[[tf.Tensor], tf.Tensor],
        strategy: tf.distribute.Strategy,
    ) -> None:
        self.model, self.optimizer, self.strategy = model, optimizer, strategy
        self._training, self._loss, self._rate_of = training, loss, rate_of

    def compile(self, call_spec: Any) -> None:
        """Compile for what calls look like, any number of steps long, so that an epoch's last one compiles nothing."""
        signature = (call_spec, tf.TensorSpec((), tf.int64))
        self._compiled = tf.function(self._train_call, input_signature=signature)

    def train(self, call: input.Call, *, first_step: int) -> np.ndarray:
        """Take the steps of a call; `first_step` counts from the start of the run.

        Returns:
          float32[k, 3]: for each step, over all replicas, the sum of losses, of right answers, and of examples.
        """
        return self._compiled(call, tf.constant(first_step, tf.int64)).numpy()

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from the start of the run."""
        return float(self._rate_of(tf.constant(step, tf.int64)))

    def _train_call(self, call: input.Call, first_step: tf.Tensor) -> tf.Tensor:
        num_steps = tf.shape(self.strategy.experimental_local_results(call["count"])[0])[0]
        sums = tf.TensorArray(tf.float32, size=num_steps, element_shape=(3,))
        replica = tf.autograph.experimental.do_not_convert(self._train_replica)
        for i in tf.range(num_steps):
            step = first_step + tf.cast(i, tf.int64)
            each = self.strategy.run(replica, args=(call, i, step))
            sums = sums.write(i, self.strategy.reduce("sum", each, axis=None))
        return sums.stack()

    def _train_replica(self, call: input.Call, i: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        batch = {name: value[i] for name, value in call.items() if name != "epoch"}
        draw = noise.Draw(seed=self._training.seed, epoch=call["epoch"], first_place=batch["place"][0])
        images = augment.augment(batch["image"], draw=draw, strength=self._training.augment)
        with noise.drawing(draw), batch_norm.over(batch["weight"]), tf.GradientTape() as tape:
            logits = self.model(images, training=True)
            each = batch["weight"] * self._loss(logits, labels=batch["label"])
            loss = tf.reduce_sum(each) / batch["count"]
        self._update(tape.gradient(loss, self.optimizer.variables), step=step)
        right = batch["weight"] * tf.cast(tf.argmax(logits, axis=1) == batch["label"], tf.float32)
        return tf.stack([tf.reduce_sum(each), tf.reduce_sum(right), tf.reduce_sum(batch["weight"])])

    def _update(self, gradients: list[tf.Tensor], *, step: tf.Tensor) -> None:
        total = tf.distribute.get_replica_context().all_reduce("sum", gradients)
        penalised = optimizers.add_l2(total, variables=self.optimizer.variables, weight=self._training.l2)
        clipped = optimizers.clip(penalised, norm=self._training.clip_norm)
        self.optimizer.apply(clipped, at=optimizers.Moment(rate=self._rate_of(step), step=step))
