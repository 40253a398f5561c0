"""The parts of a run, put together from its configuration.

Owns who is built from what, and in which scope. Training and evaluation both come here, so that
they judge the same network.
"""

from collections.abc import Iterator

import keras
import numpy as np

from runtime import errors
from trainer.data import class_balance, examples
from trainer.models import build, factory, sync_batch_norm
from trainer.optim import ema, layer_freezing, losses, lr_schedule, optimizers
from trainer.optim import loss_scale as loss_scale_lib
from trainer.run import context
from trainer.training import train_step


def model(ctx: context.RunContext) -> keras.Model:
    """Build the network, a copy on every device."""
    with ctx.strategy.scope():
        return build.network(
            ctx.settings, image_size=ctx.image_size, num_classes=len(ctx.version.class_names)
        )


def targets(ctx: context.RunContext, *, split: examples.Split) -> np.ndarray:
    """Return how often each class is drawn in an epoch of a split: int64[C]."""
    counts = np.bincount(split.labels, minlength=len(ctx.version.class_names))
    return class_balance.targets(counts, sampling=ctx.settings.imbalance.sampling)


def build_train_step(
    network: keras.Model,
    *,
    ctx: context.RunContext,
    split: examples.Split,
    rate_of: lr_schedule.Schedule | None = None,
) -> train_step.TrainStep:
    """Build the loss, the optimizer and the training step around a network that is trained on a
    split.

    Args:
      network: what is trained.
      at: where.
      split: on what.
      rate_of: the learning rate of every step; as configured where none is given.

    Raises:
      errors.UserError: if the network cannot be compiled as asked for.
    """
    settings = ctx.settings
    _check_jit(network, ctx=ctx)
    return train_step.TrainStep(
        network,
        updates=_updates(
            network, ctx=ctx, split=split, rate_of=rate_of or _rate_of(ctx, split=split)
        ),
        loss=losses.make(settings.imbalance, counts=targets(ctx, split=split)),
        settings=settings,
        strategy=ctx.strategy,
    )


def _updates(
    network: keras.Model,
    *,
    ctx: context.RunContext,
    split: examples.Split,
    rate_of: lr_schedule.Schedule,
) -> train_step.Updates:
    settings = ctx.settings
    frozen = layer_freezing.LayerFreezing(
        layers=factory.backbone_layers(network),
        num_steps=settings.model.freeze_epochs * ctx.shape.num_steps(split.num_examples),
    )
    with ctx.strategy.scope():
        optimizer = optimizers.make(
            settings.optimization,
            variables=[variable.value for variable in network.trainable_variables],
            first_steps=frozen.first_steps(network.trainable_variables),
        )
        average = _average(network, decay=settings.optimization.ema_decay)
        loss_scale = (
            loss_scale_lib.LossScale() if settings.training.precision == "float16" else None
        )
    return train_step.Updates(
        optimizer=optimizer, rate_of=rate_of, frozen=frozen, average=average, loss_scale=loss_scale
    )


def _check_jit(network: keras.Model, *, ctx: context.RunContext) -> None:
    """Refuse to compile sums over replicas: XLA sees one replica's work only."""
    settings, replicas = ctx.settings, ctx.strategy.num_replicas_in_sync
    has_batch_norm = any(
        isinstance(layer, sync_batch_norm.BatchNormalization) for layer in _all_layers(network)
    )
    if settings.training.jit and replicas > 1 and has_batch_norm:
        raise errors.UserError(
            f"--jit cannot compile batch normalisation over {replicas} replicas, which add up "
            f"their statistics within the network: leave out --jit, or use one replica or a model without it"
        )
    if settings.training.jit and replicas > 1 and settings.model.has_affect:
        raise errors.UserError(
            f"--jit cannot compile --heads={settings.model.heads} over {replicas} replicas, which add up the "
            f"moments of valence and arousal within the loss: leave out --jit, or use one replica"
        )


def _all_layers(network: keras.Model) -> Iterator[keras.Layer]:
    for layer in network.layers:
        yield from _all_layers(layer) if isinstance(layer, keras.Model) else [layer]


def _rate_of(ctx: context.RunContext, *, split: examples.Split) -> lr_schedule.Schedule:
    return lr_schedule.make(
        ctx.settings.optimization,
        epochs=ctx.settings.training.epochs,
        steps_per_epoch=ctx.shape.num_steps(split.num_examples),
    )


def _average(network: keras.Model, *, decay: float) -> ema.WeightAverage | None:
    variables = [variable.value for variable in network.variables]
    return ema.WeightAverage(variables, decay=decay) if decay else None
