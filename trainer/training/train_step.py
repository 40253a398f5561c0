"""Steps: the same computation on every replica, several steps a call into the graph.

Owns the training step. The loss is a sum over the examples at hand divided by how many the whole
batch holds; gradients are added up over the parts of a replica's share, and over replicas, before
they are clipped. Keras' `fit` was rejected: it clips before the addition and cannot put several
steps in a call, nor several hosts on a job.
"""

import contextlib
import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer.augment import augment, mixup, prepared_batch
from trainer.config import run_config
from trainer.data import input_pipeline
from trainer.distributed import example_rng
from trainer.models import heads, sync_batch_norm
from trainer.optim import ccc_loss, ema, layer_freezing, losses, lr_schedule, optimizers, sam
from trainer.optim import loss_scale as loss_scale_lib


@dataclasses.dataclass(frozen=True, kw_only=True)
class Updates:
    """What is made of a gradient, and whose variables are the state that training carries besides
    the weights."""

    optimizer: optimizers.Optimizer
    rate_of: lr_schedule.Schedule
    frozen: layer_freezing.LayerFreezing
    average: ema.WeightAverage | None
    loss_scale: loss_scale_lib.LossScale | None


class TrainStep:
    """A model, its optimizer and the compiled training step, on one strategy."""

    def __init__(
        self,
        model: keras.Model,
        *,
        updates: Updates,
        loss: losses.Loss,
        settings: run_config.Config,
        strategy: tf.distribute.Strategy,
    ) -> None:
        self.model, self.strategy = model, strategy
        self.optimizer, self.average, self.loss_scale = (
            updates.optimizer,
            updates.average,
            updates.loss_scale,
        )
        self._rate_of, self._frozen = updates.rate_of, updates.frozen
        self._settings, self._loss = settings, loss

    def compile(self, call_spec: Any) -> None:
        """Compile for what calls look like, any number of steps long, so that an epoch's last one
        compiles nothing."""
        signature = (call_spec, tf.TensorSpec((), tf.int64), tf.TensorSpec((), tf.float32))
        self._compiled = tf.function(self._train_call, input_signature=signature)
        self._compiled_heads = tf.function(self._train_heads_call, input_signature=signature)

    def train(
        self, call: input_pipeline.StepGroup, *, first_step: int, stop: bool = False
    ) -> np.ndarray:
        """Take the steps of a call.

        Args: call: this host's share of the examples. first_step: counted from the start of the
          run. stop: whether this host was asked to stop; the sums tell all hosts, with no message
          of its own.

        Returns: float32[k, 4]: for each step, over all replicas, the sum of losses, of right
          answers, of examples, and the number of replicas asked to stop.
        """
        compiled = self._compiled_heads if first_step < self._frozen.num_steps else self._compiled
        return compiled(
            call, tf.constant(first_step, tf.int64), tf.constant(stop, tf.float32)
        ).numpy()

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from the start of the run."""
        return float(self._rate_of(tf.constant(step, tf.int64)))

    def look(self, call: input_pipeline.StepGroup) -> list[prepared_batch.Microbatch]:
        """Return the parts of a call's first step as the first replica's copy of the network is
        given them."""
        local = {
            name: self.strategy.experimental_local_results(value)[0] for name, value in call.items()
        }
        batch = {name: value[0] for name, value in local.items() if name != "epoch"}
        return [self._prepare(part, epoch=local["epoch"]) for part in self._parts(batch)]

    def evaluation_weights(self) -> contextlib.AbstractContextManager[None]:
        """Let the network have the weights to judge and keep for as long as a block runs."""
        return self.average.applied() if self.average else contextlib.nullcontext()

    def _train_heads_call(
        self, call: input_pipeline.StepGroup, first_step: tf.Tensor, stop: tf.Tensor
    ) -> tf.Tensor:
        with self._frozen.frozen():
            return self._train_call(call, first_step, stop)

    @property
    def _trained(self) -> optimizers.Optimizer:
        """The optimizer of what is trained in the graph that is being traced."""
        return self.optimizer.only([variable.value for variable in self.model.trainable_variables])

    def _train_call(
        self, call: input_pipeline.StepGroup, first_step: tf.Tensor, stop: tf.Tensor
    ) -> tf.Tensor:
        num_steps = tf.shape(self.strategy.experimental_local_results(call["count"])[0])[0]
        sums = tf.TensorArray(tf.float32, size=num_steps, element_shape=(4,))
        replica = tf.autograph.experimental.do_not_convert(self._train_replica)
        for i in tf.range(num_steps):
            step = first_step + tf.cast(i, tf.int64)
            each = self.strategy.run(replica, args=(call, i, step, stop))
            sums = sums.write(i, self.strategy.reduce("sum", each, axis=None))
        return sums.stack()

    def _train_replica(
        self, call: input_pipeline.StepGroup, i: tf.Tensor, step: tf.Tensor, stop: tf.Tensor
    ) -> tf.Tensor:
        batch = {name: value[i] for name, value in call.items() if name != "epoch"}
        parts = [self._prepare(part, epoch=call["epoch"]) for part in self._parts(batch)]
        gradients, sums = self._gradients(parts)
        if self._settings.optimization.sam_rho:
            gradients = self._sharp_gradients(parts, gradients=gradients)
        applies = self.loss_scale.update(gradients) if self.loss_scale else None
        penalised = optimizers.add_l2(
            gradients, variables=self._trained.variables, weight=self._settings.training.l2
        )
        clipped = optimizers.clip(penalised, norm=self._settings.optimization.clip_norm)
        self._trained.apply(
            clipped,
            context=optimizers.UpdateContext(
                learning_rate=self._rate_of(step), step=step, applies=applies
            ),
        )
        if self.average:
            self.average.update(step)
        return tf.concat([sums, stop[None]], axis=0)

    def _parts(self, batch: input_pipeline.StepGroup) -> list[input_pipeline.StepGroup]:
        """Cut a replica's share of a batch into its shares of the parts; see `input.Shape`."""
        count = self._settings.training.accumulate_steps
        cut = {
            name: [value] * count if name == "count" else tf.split(value, count)
            for name, value in batch.items()
        }
        return [{name: values[j] for name, values in cut.items()} for j in range(count)]

    def _prepare(
        self, part: input_pipeline.StepGroup, *, epoch: tf.Tensor
    ) -> prepared_batch.Microbatch:
        """Augment the pictures of a part, and mix them where that is asked for."""
        settings = self._settings.augmentation
        rng = example_rng.ExampleRng(
            seed=self._settings.training.seed, epoch=epoch, first_position=part["position"][0]
        )
        images = augment.augment(part["image"], rng=rng, settings=settings)
        mixed = augment.mix(images, rng=rng, settings=settings) if settings.is_mixing else None
        return prepared_batch.Microbatch(
            images=mixed.images if mixed else images,
            label=part["label"],
            affect=prepared_batch.affect_targets(part, lam=mixed.lam if mixed else None),
            partner_label=mixup.partners(part["label"]) if mixed else part["label"],
            lam=mixed.lam if mixed else None,
            weight=part["weight"],
            count=part["count"],
            rng=rng,
        )

    def _gradients(
        self, parts: Sequence[prepared_batch.Microbatch]
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Return the gradient of the whole batch, over all parts and replicas, and this replica's
        sums.

        A part waits for the gradient of the one before it, or all would be in memory at once.
        """
        total, sums = self._compiled_gradients(parts[0])
        for part in parts[1:]:
            with tf.control_dependencies(total):
                gradients, part_sums = self._compiled_gradients(part)
            total, sums = [a + b for a, b in zip(total, gradients, strict=True)], sums + part_sums
        added = tf.distribute.get_replica_context().all_reduce("sum", total)
        return self.loss_scale.unscaled(added) if self.loss_scale else added, sums

    def _compiled_gradients(
        self, part: prepared_batch.Microbatch
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Return `_part_gradients`, compiled as one by XLA where that is asked for.

        Augmentation stays outside (its warp has no XLA kernel), and so does the sum over replicas.
        """
        if not self._settings.training.jit:
            return self._part_gradients(part)
        drawn = dataclasses.replace(part, rng=dataclasses.replace(part.rng, in_graph=True))
        return tf.function(lambda: self._part_gradients(drawn), jit_compile=True, autograph=False)()

    def _part_gradients(self, part: prepared_batch.Microbatch) -> tuple[list[tf.Tensor], tf.Tensor]:
        with (
            example_rng.using(part.rng),
            sync_batch_norm.weighting(part.weight),
            tf.GradientTape() as tape,
        ):
            outputs = self.model(tf.identity(part.images), training=True)
            logits = heads.logits(outputs)
            each = part.weight * part.mean(lambda label: self._loss(logits, labels=label))
            affect = self._affect_total(outputs, part=part)
            loss = (tf.reduce_sum(each) + affect) / part.count
            scaled = loss * self.loss_scale.scale if self.loss_scale else loss
        gradients = tape.gradient(scaled, self._trained.variables)
        guess = tf.argmax(logits, axis=1)
        right = part.weight * part.mean(lambda label: tf.cast(guess == label, tf.float32))
        shown = tf.reduce_sum(each) + affect / self.strategy.num_replicas_in_sync
        return gradients, tf.stack([shown, tf.reduce_sum(right), tf.reduce_sum(part.weight)])

    def _affect_total(
        self, outputs: heads.Outputs, *, part: prepared_batch.Microbatch
    ) -> tf.Tensor:
        """Return the weighted loss of valence and arousal times the examples, on every replica that
        of all."""
        predicted = heads.affect(outputs)
        if predicted is None:
            return tf.zeros([])
        total = ccc_loss.total(predicted, truth=part.affect, weight=part.weight)
        return self._settings.model.va_weight * total

    def _sharp_gradients(
        self, parts: Sequence[prepared_batch.Microbatch], *, gradients: list[tf.Tensor]
    ) -> list[tf.Tensor]:
        """Return the gradient at the worst place nearby; weights and statistics are left as they
        are."""
        variables = [variable.value for variable in self.model.variables]
        before = sam.snapshot(variables)
        sam.climb(
            self._trained.variables, gradients=gradients, rho=self._settings.optimization.sam_rho
        )
        sharp, _ = self._gradients(parts)
        sam.restore(variables, values=before)
        return sharp
