"""The parts of a run, put together from its configuration.

Owns who is built from what, and in which scope. Training and evaluation both come here, so that they judge the same
network.
"""

import dataclasses
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from runtime import errors
from trainer import (
    agreement,
    averaging,
    batch_norm,
    config,
    dataset,
    devices,
    freezing,
    imbalance,
    input,
    link,
    loop,
    losses,
    models,
    optimizers,
    pictures,
    precision,
    schedule,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Site:
    """Where a run takes place: its settings, data and devices."""

    settings: config.Config
    version: dataset.Version
    strategy: tf.distribute.Strategy
    device_line: str
    connection: link.Link = dataclasses.field(default_factory=link.alone)

    @property
    def is_chief(self) -> bool:
        """Whether this host writes checkpoints, logs and the report."""
        return self.connection.is_chief

    @property
    def image_size(self) -> int:
        return self.settings.data.image_size or self.version.stored_size

    @property
    def shape(self) -> input.Shape:
        """Return how examples are dealt, with as many steps a call as memory allows."""
        replicas, batch = self.strategy.num_replicas_in_sync, self.settings.training.batch_size
        steps = input.steps_per_call(batch // replicas, size_px=self.image_size)
        parts = self.settings.training.accumulate_steps
        return input.Shape(batch_size=batch, num_replicas=replicas, steps_per_call=steps, num_parts=parts)


def site(settings: config.Config, *, version: dataset.Version, connection: link.Link | None = None) -> Site:
    """Take the devices, with those of the hosts there is a connection to; to be called once in a process."""
    connection = connection or link.alone()
    names = devices.prepare(settings.devices)
    training = settings.training
    devices.check_batch(
        training.batch_size,
        num_replicas=len(names) * connection.num_hosts,
        num_parts=training.accumulate_steps,
        in_pairs=settings.augmentation.is_mixing,
    )
    agreement.check(connection, settings=settings, fingerprint=version.fingerprint, devices=names)
    if settings.run.deterministic:
        tf.config.experimental.enable_op_determinism()
    return Site(
        settings=settings,
        version=version,
        strategy=devices.strategy(names, num_hosts=connection.num_hosts),
        device_line=devices.describe(names, num_hosts=connection.num_hosts),
        connection=connection,
    )


def read(at: Site, *, split: str) -> pictures.Split:
    """Read a split at the training size."""
    data = at.settings.data
    return pictures.read(at.version, split=split, size_px=at.image_size, cache=data.cache, cache_dir=data.cache_dir)


def model(at: Site) -> keras.Model:
    """Build the network, a copy on every device."""
    with at.strategy.scope():
        return network(at.settings, image_size=at.image_size, num_classes=len(at.version.class_names))


def network(settings: config.Config, *, image_size: int, num_classes: int) -> keras.Model:
    """Build the network that settings name, on the device of the calling scope."""
    with precision.building(settings.training.precision):
        return models.build(settings.model, image_size=image_size, num_classes=num_classes, seed=settings.training.seed)


def targets(at: Site, *, split: pictures.Split) -> np.ndarray:
    """Return how often each class is drawn in an epoch of a split: int64[C]."""
    counts = np.bincount(split.labels, minlength=len(at.version.class_names))
    return imbalance.targets(counts, sampling=at.settings.imbalance.sampling)


def program(
    network: keras.Model, *, at: Site, split: pictures.Split, rate_of: schedule.Rate | None = None
) -> loop.Loop:
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
    return loop.Loop(
        network,
        updates=_updates(network, at=at, split=split, rate_of=rate_of or _rate_of(at, split=split)),
        loss=losses.make(settings.imbalance, counts=targets(at, split=split)),
        settings=settings,
        strategy=at.strategy,
    )


def _updates(network: keras.Model, *, at: Site, split: pictures.Split, rate_of: schedule.Rate) -> loop.Updates:
    settings = at.settings
    frozen = freezing.Frozen(
        layers=models.backbone(network),
        num_steps=settings.model.freeze_epochs * at.shape.num_steps(split.num_examples),
    )
    with at.strategy.scope():
        optimizer = optimizers.make(
            settings.optimization,
            variables=[variable.value for variable in network.trainable_variables],
            first_steps=frozen.first_steps(network.trainable_variables),
        )
        average = _average(network, decay=settings.optimization.ema_decay)
        loss_scale = precision.LossScale() if settings.training.precision == "float16" else None
    return loop.Updates(optimizer=optimizer, rate_of=rate_of, frozen=frozen, average=average, loss_scale=loss_scale)


def _check_jit(network: keras.Model, *, at: Site) -> None:
    """Refuse to compile sums over replicas: XLA sees one replica's work only."""
    settings, replicas = at.settings, at.strategy.num_replicas_in_sync
    has_batch_norm = any(isinstance(layer, batch_norm.BatchNormalization) for layer in _all_layers(network))
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


def _rate_of(at: Site, *, split: pictures.Split) -> schedule.Rate:
    return schedule.make(
        at.settings.optimization,
        epochs=at.settings.training.epochs,
        steps_per_epoch=at.shape.num_steps(split.num_examples),
    )


def _average(network: keras.Model, *, decay: float) -> averaging.Average | None:
    variables = [variable.value for variable in network.variables]
    return averaging.Average(variables, decay=decay) if decay else None
