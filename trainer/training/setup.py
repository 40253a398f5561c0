"""The parts of a run, put together from its configuration.

Owns who is built from what, and in which scope. Training and evaluation both come here, so that they judge the same
network.
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


def model(at: context.Site) -> keras.Model:
    """Build the network, a copy on every device."""
    with at.strategy.scope():
        return build.network(at.settings, image_size=at.image_size, num_classes=len(at.version.class_names))


def targets(at: context.Site, *, split: examples.Split) -> np.ndarray:
    """Return how often each class is drawn in an epoch of a split: int64[C]."""
    counts = np.bincount(split.labels, minlength=len(at.version.class_names))
    return class_balance.targets(counts, sampling=at.settings.imbalance.sampling)


def program(
    network: keras.Model, *, at: context.Site, split: examples.Split, rate_of: lr_schedule.Rate | None = None
) -> train_step.Loop:
    """Build the loss, the optimizer and the training step around a network that is trained on a split.

    Args:
      network: what is trained.
      at: where.
      split: on what.
      rate_of: the learning rate of every step; as configured where none is given.

    Raises:
      errors.UserError: if the network cannot be compiled as asked for.
    """
    settings = at.settings
    _check_jit(network, at=at)
    return train_step.Loop(
        network,
        updates=_updates(network, at=at, split=split, rate_of=rate_of or _rate_of(at, split=split)),
        loss=losses.make(settings.imbalance, counts=targets(at, split=split)),
        settings=settings,
        strategy=at.strategy,
    )


def _updates(
    network: keras.Model, *, at: context.Site, split: examples.Split, rate_of: lr_schedule.Rate
) -> train_step.Updates:
    settings = at.settings
    frozen = layer_freezing.Frozen(
        layers=factory.backbone(network),
        num_steps=settings.model.freeze_epochs * at.shape.num_steps(split.num_examples),
    )
    with at.strategy.scope():
        optimizer = optimizers.make(
            settings.optimization,
            variables=[variable.value for variable in network.trainable_variables],
            first_steps=frozen.first_steps(network.trainable_variables),
        )
        average = _average(network, decay=settings.optimization.ema_decay)
        loss_scale = loss_scale_lib.LossScale() if settings.training.precision == "float16" else None
    return train_step.Updates(
        optimizer=optimizer, rate_of=rate_of, frozen=frozen, average=average, loss_scale=loss_scale
    )


def _check_jit(network: keras.Model, *, at: context.Site) -> None:
    """Refuse to compile sums over replicas: XLA sees one replica's work only."""
    settings, replicas = at.settings, at.strategy.num_replicas_in_sync
    has_batch_norm = any(isinstance(layer, sync_batch_norm.BatchNormalization) for layer in _all_layers(network))
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


def _rate_of(at: context.Site, *, split: examples.Split) -> lr_schedule.Rate:
    return lr_schedule.make(
        at.settings.optimization,
        epochs=at.settings.training.epochs,
        steps_per_epoch=at.shape.num_steps(split.num_examples),
    )


def _average(network: keras.Model, *, decay: float) -> ema.Average | None:
    variables = [variable.value for variable in network.variables]
    return ema.Average(variables, decay=decay) if decay else None
