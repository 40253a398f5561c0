"""Set-up of a run: network and training step, built from the configuration.

Owns which part is built from which settings, and in which strategy scope. Training and evaluation
both come here, so that they work with the same network.
"""

from collections.abc import Iterator

import keras
import numpy as np

from runtime import errors, machine
from trainer.data import class_balance, examples
from trainer.distributed import out_of_memory
from trainer.models import build, cnn, factory, sync_batch_norm
from trainer.optim import (
    early_learning,
    ema,
    layer_freezing,
    layer_lr,
    losses,
    lr_schedule,
    optimizers,
    robust_losses,
)
from trainer.optim import loss_scale as loss_scale_lib
from trainer.run import context
from trainer.training import progressive_size, train_step

_TRAINED_BYTES = 8
"""Least memory of a weight that is trained: itself and its gradient."""


def model(ctx: context.RunContext) -> keras.Model:
    """Build the network, with a copy on every device.

    Raises:
      errors.UserError: if its weights need more memory than there is.
    """
    _check_memory(ctx)
    with out_of_memory.as_sentence(_memory_advice(ctx)), ctx.strategy.scope():
        return build.network(
            ctx.settings, image_size=ctx.views.crop_px, num_classes=len(ctx.version.class_names)
        )


def trained_model(ctx: context.RunContext, *, trained: keras.Model) -> keras.Model:
    """Return the network to evaluate a training with: the trained one, or one in float32."""
    if ctx.settings.training.precision == "float32":
        return trained
    with out_of_memory.as_sentence(_memory_advice(ctx)), ctx.strategy.scope():
        return build.trained_network(
            ctx.settings, image_size=ctx.views.crop_px, num_classes=len(ctx.version.class_names)
        )


def _check_memory(ctx: context.RunContext) -> None:
    """Refuse weights that the machine cannot hold, where it has to: a GPU says so itself.

    Linux grants the memory, and ends the process without a word once it is used.
    """
    if ctx.settings.model.model != "cnn" or "GPU" in ctx.strategy.extended.worker_devices[0]:
        return
    needed = (
        _TRAINED_BYTES
        * len(ctx.strategy.extended.worker_devices)
        * cnn.num_flat_weights(
            ctx.settings.model,
            image_size=ctx.views.crop_px,
            num_classes=len(ctx.version.class_names),
        )
    )
    if needed > (there := machine.total_bytes()):
        raise errors.UserError(
            f"the memory of this machine ({errors.size_text(there)}) is too small for "
            f"{errors.size_text(needed)}: {_memory_advice(ctx)}"
        )


def _memory_advice(ctx: context.RunContext) -> str:
    smaller = "a smaller --image_size"
    if ctx.settings.model.model == "cnn":
        smaller += ", more blocks (--conv_filters) or --pooling=mean"
    return (
        f"it cannot hold the weights of a network for images of {ctx.views.crop_px} px; use "
        f"{smaller}"
    )


def class_targets(ctx: context.RunContext, *, split: examples.Split) -> np.ndarray:
    """Return how often each class is drawn in an epoch of a split: int64[C]."""
    counts = np.bincount(split.labels, minlength=len(ctx.version.class_names))
    return class_balance.targets(counts, sampling=ctx.settings.imbalance.sampling)


def build_train_step(
    network: keras.Model,
    *,
    ctx: context.RunContext,
    split: examples.Split,
    schedule: lr_schedule.Schedule | None = None,
) -> train_step.TrainStep:
    """Build loss, optimizer and training step around a network.

    Args:
      network: the model to train.
      ctx: settings and devices of the run.
      split: the training split; its class counts enter the loss, its size the schedule.
      schedule: learning rate of every step; the configured one by default.

    Raises:
      errors.UserError: if --jit cannot compile this network on these devices.
    """
    settings = ctx.settings
    _check_jit(network, ctx=ctx)
    return train_step.TrainStep(
        network,
        updates=_updates(
            network, ctx=ctx, split=split, schedule=schedule or _schedule(ctx, split=split)
        ),
        loss=losses.make(settings.imbalance, counts=class_targets(ctx, split=split)),
        sides=progressive_size.of_run(
            settings,
            full=ctx.views.crop_px,
            steps_per_epoch=ctx.layout.num_steps(split.num_examples),
        ),
        settings=settings,
        strategy=ctx.strategy,
    )


def _updates(
    network: keras.Model,
    *,
    ctx: context.RunContext,
    split: examples.Split,
    schedule: lr_schedule.Schedule,
) -> train_step.Updates:
    settings = ctx.settings
    freezing = layer_freezing.LayerFreezing(
        layers=factory.backbone_layers(network),
        num_steps=settings.model.freeze_epochs * ctx.layout.num_steps(split.num_examples),
    )
    with out_of_memory.as_sentence(_memory_advice(ctx)), ctx.strategy.scope():
        optimizer = optimizers.make(
            settings.optimization,
            variables=[variable.value for variable in network.trainable_variables],
            first_steps=freezing.first_steps(network.trainable_variables),
            lr_shares=layer_lr.shares(
                network.trainable_variables,
                layers=freezing.layers,
                first=settings.model.first_layer_lr_frac,
            ),
        )
        average = _average(network, ctx=ctx, split=split)
        is_float16 = settings.training.precision == "float16"
        loss_scale = loss_scale_lib.LossScale(freed_at=freezing.num_steps) if is_float16 else None
        remembered = _early_learning(ctx, split=split)
    return train_step.Updates(
        optimizer=optimizer,
        schedule=schedule,
        freezing=freezing,
        average=average,
        loss_scale=loss_scale,
        early_learning=remembered,
    )


def _early_learning(
    ctx: context.RunContext, *, split: examples.Split
) -> early_learning.EarlyLearning | None:
    if ctx.settings.imbalance.loss != robust_losses.EARLY_LEARNING:
        return None
    return early_learning.EarlyLearning(
        num_examples=split.num_examples,
        num_classes=len(ctx.version.class_names),
        settings=ctx.settings.imbalance,
    )


def _check_jit(network: keras.Model, *, ctx: context.RunContext) -> None:
    """Refuse --jit where the network sums over replicas: XLA compiles one replica's work only."""
    settings = ctx.settings
    replicas = ctx.strategy.num_replicas_in_sync
    if not settings.training.jit:
        return
    if any(isinstance(each, sync_batch_norm.BatchNormalization) for each in _all_layers(network)):
        raise errors.UserError(
            f"--jit cannot compile batch normalisation over {replicas} "
            f"replica{'s' if replicas > 1 else ''}, whose statistics tf.distribute adds up within "
            "the network: leave out --jit, or use a model without it"
        )
    if settings.model.has_affect and replicas > 1:
        raise errors.UserError(
            f"--jit cannot compile --heads={settings.model.heads} over {replicas} replicas, which "
            "add up the moments of valence and arousal within the loss: leave out --jit, or use "
            "one replica"
        )


def _all_layers(network: keras.Model) -> Iterator[keras.Layer]:
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _all_layers(layer)
        else:
            yield layer


def _schedule(ctx: context.RunContext, *, split: examples.Split) -> lr_schedule.Schedule:
    return lr_schedule.make(
        ctx.settings.optimization,
        epochs=ctx.settings.training.epochs,
        steps_per_epoch=ctx.layout.num_steps(split.num_examples),
    )


def _average(
    network: keras.Model, *, ctx: context.RunContext, split: examples.Split
) -> ema.WeightAverage | None:
    optimization = ctx.settings.optimization
    if optimization.swa_epochs:
        last = round(optimization.swa_epochs * ctx.layout.num_steps(split.num_examples))
        total = ctx.settings.training.epochs * ctx.layout.num_steps(split.num_examples)
        decay = ema.mean_after(max(0, total - last))
    elif optimization.ema_decay:
        decay = ema.exponential(optimization.ema_decay)
    else:
        return None
    return ema.WeightAverage([variable.value for variable in network.variables], decay=decay)
