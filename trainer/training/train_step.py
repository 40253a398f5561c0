"""Training step: the same computation on every replica, several steps per call into the graph.

Owns the step. The loss is a sum over the examples at hand divided by the number of examples in the
whole batch; gradients are summed over the microbatches of a replica's share, and over replicas,
before they are clipped. Keras' `fit` was rejected: it clips before that sum, and supports neither
several steps per call nor several hosts.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer.augment import augment, mixup, prepared_batch
from trainer.config import run_config
from trainer.data import input_pipeline
from trainer.distributed import example_rng, out_of_memory
from trainer.models import heads, sync_batch_norm
from trainer.optim import (
    ccc_loss,
    ema,
    layer_freezing,
    losses,
    lr_schedule,
    norms,
    optimizers,
    sam,
)
from trainer.optim import early_learning as early_learning_lib
from trainer.optim import loss_scale as loss_scale_lib
from trainer.training import progressive_size


@dataclasses.dataclass(frozen=True, kw_only=True)
class Updates:
    """What turns gradients into weights, and what the loss remembers.

    Their variables are the state that training carries besides the weights.
    """

    optimizer: optimizers.Optimizer
    schedule: lr_schedule.Schedule
    freezing: layer_freezing.LayerFreezing
    average: ema.WeightAverage | None
    loss_scale: loss_scale_lib.LossScale | None
    early_learning: early_learning_lib.EarlyLearning | None = None


class TrainStep:
    """A model, its optimizer and the compiled training step, on one strategy."""

    def __init__(
        self,
        model: keras.Model,
        *,
        updates: Updates,
        loss: losses.Loss,
        sides: progressive_size.Sides,
        settings: run_config.Config,
        strategy: tf.distribute.Strategy,
    ) -> None:
        self.model = model
        self.strategy = strategy
        self.optimizer = updates.optimizer
        self.average = updates.average
        self.loss_scale = updates.loss_scale
        self.early_learning = updates.early_learning
        self._schedule = updates.schedule
        self._freezing = updates.freezing
        self._settings = settings
        self._loss = loss
        self._sides = sides

    def compile(self, group_spec: Any) -> None:
        """Compile for step groups of this type, with any number of steps.

        One signature for all lengths: the shorter last group of an epoch compiles nothing.
        """
        number = tf.TensorSpec((), tf.float32)
        self._signature = (group_spec, tf.TensorSpec((), tf.int64), number, number)
        self._functions: dict[tuple[bool, int], Any] = {}

    def train(
        self,
        group: input_pipeline.StepGroup,
        *,
        first_step: int,
        stop: bool = False,
        rate_factor: float = 1.0,
    ) -> np.ndarray:
        """Run the steps of a step group.

        Args:
          group: this host's share of the examples.
          first_step: counted from the start of the run.
          stop: whether this host was asked to stop; the sums carry it to all hosts, which spares a
            message of its own.
          rate_factor: of the schedule's learning rate, the same on all hosts.

        Returns:
          float32[k, 7]: for each step, over all replicas, the sum of losses, the number of correct
          predictions, the number of examples, the number of replicas asked to stop, and the norms
          of the gradient, of the update and of the weights after it.

        Raises:
          errors.UserError: if a step needs more memory than a device has.
        """
        is_frozen = first_step < self._freezing.num_steps
        compiled = self._function(heads_only=is_frozen, side=self._sides.at(first_step))
        step = tf.constant(first_step, tf.int64)
        numbers = tf.constant(stop, tf.float32), tf.constant(rate_factor, tf.float32)
        with out_of_memory.as_sentence(self._memory_advice()):
            sums: np.ndarray = compiled(group, step, *numbers).numpy()
        return sums

    def _function(self, *, heads_only: bool, side: int) -> Any:
        """Return the compiled steps on images of a side, of the heads alone or of all layers."""
        key = (heads_only, side)
        if key not in self._functions:
            steps = self._train_group_heads if heads_only else self._train_group
            self._functions[key] = tf.function(
                functools.partial(steps, side=side), input_signature=self._signature
            )
        return self._functions[key]

    def _memory_advice(self) -> str:
        training = self._settings.training
        replicas = self.strategy.num_replicas_in_sync
        parts = training.accumulate_steps
        at_once = training.batch_size // replicas // parts
        return (
            f"it cannot hold {at_once} images of a step at once "
            f"(--batch_size={training.batch_size}, replicas: {replicas}, "
            f"--accumulate_steps={parts}); use a smaller --batch_size, or "
            f"--accumulate_steps={2 * parts}, which computes the same batch in smaller parts"
        )

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from the start of the run."""
        return float(self._schedule(tf.constant(step, tf.int64)))

    def first_microbatches(
        self, group: input_pipeline.StepGroup
    ) -> list[prepared_batch.Microbatch]:
        """Return the microbatches of a group's first step, as the first replica gets them."""
        local = {
            name: self.strategy.experimental_local_results(value)[0]
            for name, value in group.items()
        }
        batch = {name: value[0] for name, value in local.items() if name != "epoch"}
        side = self._sides.at(0)
        return [self._prepare(part, epoch=local["epoch"], side=side) for part in self._split(batch)]

    def evaluation_weights(self) -> contextlib.AbstractContextManager[None]:
        """Put the weights to evaluate and keep into the network while a block runs."""
        return self.average.applied() if self.average else contextlib.nullcontext()

    def _train_group_heads(
        self,
        group: input_pipeline.StepGroup,
        first_step: tf.Tensor,
        stop: tf.Tensor,
        rate_factor: tf.Tensor,
        *,
        side: int,
    ) -> tf.Tensor:
        with self._freezing.frozen():
            return self._train_group(group, first_step, stop, rate_factor, side=side)

    @property
    def _trained(self) -> optimizers.Optimizer:
        """The optimizer of the variables that are trainable in the graph being traced."""
        return self.optimizer.only([variable.value for variable in self.model.trainable_variables])

    def _train_group(
        self,
        group: input_pipeline.StepGroup,
        first_step: tf.Tensor,
        stop: tf.Tensor,
        rate_factor: tf.Tensor,
        *,
        side: int,
    ) -> tf.Tensor:
        num_steps = tf.shape(self.strategy.experimental_local_results(group["count"])[0])[0]
        sums = tf.TensorArray(tf.float32, size=num_steps, element_shape=(4 + len(norms.NAMES),))
        replica_step = tf.autograph.experimental.do_not_convert(
            functools.partial(self._replica_step, side=side)
        )
        for i in tf.range(num_steps):
            step = first_step + tf.cast(i, tf.int64)
            each = self.strategy.run(replica_step, args=(group, i, step, stop, rate_factor))
            sums = sums.write(i, self.strategy.reduce("sum", each, axis=None))
        return sums.stack()

    def _replica_step(
        self,
        group: input_pipeline.StepGroup,
        i: tf.Tensor,
        step: tf.Tensor,
        stop: tf.Tensor,
        rate_factor: tf.Tensor,
        *,
        side: int,
    ) -> tf.Tensor:
        batch = {name: value[i] for name, value in group.items() if name != "epoch"}
        parts = [
            self._prepare(part, epoch=group["epoch"], side=side) for part in self._split(batch)
        ]
        gradients, sums = self._gradients(parts)
        if self._settings.optimization.sam_rho:
            gradients = self._sam_gradients(parts, gradients=gradients)
        # Before clipping, whose norm an overflow would make infinite.
        applies = self.loss_scale.update(gradients, step=step) if self.loss_scale else None
        skipped = self.loss_scale.skipped.value() if self.loss_scale else None
        # L2 belongs to the loss, so its gradient is clipped with the rest.
        penalised = optimizers.add_l2(
            gradients, variables=self._trained.variables, weight=self._settings.training.l2
        )
        clipped = optimizers.clip(penalised, norm=self._settings.optimization.clip_norm)
        before = sam.snapshot(self._trained.variables)
        self._trained.apply(
            clipped,
            context=optimizers.UpdateContext(
                learning_rate=self._schedule(step) * rate_factor,
                step=step,
                applies=applies,
                skipped=skipped,
            ),
        )
        # After the update: the average is over the weights that steps end with.
        if self.average:
            self.average.update(step)
        measured = norms.measure(
            gradients=penalised,
            before=before,
            after=sam.snapshot(self._trained.variables),
            parameters=sam.snapshot(self.optimizer.variables),
        )
        # Every replica measures the same, and the sums are added up.
        shares = measured / self.strategy.num_replicas_in_sync
        return tf.concat([sums, stop[None], shares], axis=0)

    def _split(self, batch: input_pipeline.StepGroup) -> list[input_pipeline.StepGroup]:
        """Split a replica's share of a batch into microbatches; see `BatchLayout`."""
        count = self._settings.training.accumulate_steps
        cut = {
            name: [value] * count if name == "count" else tf.split(value, count)
            for name, value in batch.items()
        }
        return [{name: values[j] for name, values in cut.items()} for j in range(count)]

    def _prepare(
        self, part: input_pipeline.StepGroup, *, epoch: tf.Tensor, side: int
    ) -> prepared_batch.Microbatch:
        """Augment the images of a microbatch, mix them where asked for, and resize them."""
        settings = self._settings.augmentation
        rng = example_rng.ExampleRng(
            seed=self._settings.training.seed, epoch=epoch, first_position=part["position"][0]
        )
        images = augment.augment(
            part["image"],
            rng=rng,
            settings=settings,
            crop_px=self._settings.data.crop_px,
            is_gray=self._settings.model.color == "gray",
        )
        partner_label = part["label"]
        lam = None
        if settings.is_mixing:
            mixed = augment.mix(images, rng=rng, settings=settings)
            images = mixed.images
            partner_label = mixup.partners(part["label"])
            lam = mixed.lam
        return prepared_batch.Microbatch(
            images=progressive_size.resized(images, side=side),
            label=part["label"],
            affect=prepared_batch.affect_targets(part, lam=lam),
            partner_label=partner_label,
            lam=lam,
            weight=part["weight"],
            count=part["count"],
            rng=rng,
            soft_target=prepared_batch.soft_targets(part, lam=lam),
            label_weight=part.get("label_weight"),
            index=part["example_index"],
        )

    def _gradients(
        self, parts: Sequence[prepared_batch.Microbatch]
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Return the gradient over all microbatches and replicas, and this replica's sums."""
        total, sums = self._compiled_gradients(parts[0])
        for part in parts[1:]:
            # Without this dependency all microbatches would be in memory at once.
            with tf.control_dependencies(total):
                gradients, part_sums = self._compiled_gradients(part)
            total = [a + b for a, b in zip(total, gradients, strict=True)]
            sums = sums + part_sums
        added = tf.distribute.get_replica_context().all_reduce("sum", total)
        return self.loss_scale.unscaled(added) if self.loss_scale else added, sums

    def _compiled_gradients(
        self, part: prepared_batch.Microbatch
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Return `_microbatch_gradients`, compiled by XLA with --jit.

        Augmentation stays outside (its warp has no XLA kernel), and so does the sum over replicas.
        """
        if not self._settings.training.jit:
            return self._microbatch_gradients(part)
        drawn = dataclasses.replace(part, rng=dataclasses.replace(part.rng, in_graph=True))
        compiled = tf.function(
            lambda: self._microbatch_gradients(drawn), jit_compile=True, autograph=False
        )
        gradients, sums = compiled()
        return gradients, sums

    def _microbatch_gradients(
        self, part: prepared_batch.Microbatch
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        with (
            example_rng.using(part.rng),
            sync_batch_norm.weighting(part.weight),
            tf.GradientTape() as tape,
        ):
            outputs = self._outputs(tf.identity(part.images))
            logits = heads.logits(outputs)
            each = part.weight * self._losses(logits, part=part)
            affect = self._affect_total(outputs, part=part)
            loss = (tf.reduce_sum(each) + affect) / part.count
            scaled = loss * self.loss_scale.scale if self.loss_scale else loss
        gradients = tape.gradient(scaled, self._trained.variables)
        predicted = tf.argmax(logits, axis=1)
        correct = part.weight * part.mean(lambda label: tf.cast(predicted == label, tf.float32))
        # Every replica holds the affect loss of the whole batch, and the sums are added up.
        shown = tf.reduce_sum(each) + affect / self.strategy.num_replicas_in_sync
        return gradients, tf.stack([shown, tf.reduce_sum(correct), tf.reduce_sum(part.weight)])

    def _losses(self, logits: tf.Tensor, *, part: prepared_batch.Microbatch) -> tf.Tensor:
        """Return the loss of each example's label and soft target, float32[b]."""
        of_labels = part.weighted_mean(lambda label: self._loss(logits, labels=label))
        if self.early_learning:
            of_labels += self.early_learning.loss(logits, index=part.index, weight=part.weight)
        if part.soft_target is None:
            return of_labels
        settings = self._settings.targets
        of_targets = self._loss.expected(
            logits, targets=part.soft_target, temperature=settings.temperature
        )
        return (1 - settings.soft_weight) * of_labels + settings.soft_weight * of_targets

    def _outputs(self, images: tf.Tensor) -> heads.Outputs:
        # `call` is spared Keras' check of the side: convolutions take images of any.
        network = self.model if images.shape[1] == self._sides.full else self.model.call
        outputs: heads.Outputs = network(images, training=True)
        return outputs

    def _affect_total(
        self, outputs: heads.Outputs, *, part: prepared_batch.Microbatch
    ) -> tf.Tensor:
        """Return the weighted loss of valence and arousal times the number of examples.

        On every replica it is that of the whole batch.
        """
        predicted = heads.affect(outputs)
        if predicted is None:
            return tf.zeros([])
        total = ccc_loss.total(predicted, truth=part.affect, weight=part.weight)
        return self._settings.model.va_weight * total

    def _sam_gradients(
        self, parts: Sequence[prepared_batch.Microbatch], *, gradients: list[tf.Tensor]
    ) -> list[tf.Tensor]:
        """Return the gradient at the ascent point of SAM, and restore weights and statistics."""
        variables = [variable.value for variable in self.model.variables]
        before = sam.snapshot(variables)
        sam.climb(
            self._trained.variables, gradients=gradients, rho=self._settings.optimization.sam_rho
        )
        sharp, _ = self._gradients(parts)
        sam.restore(variables, values=before)
        return sharp
