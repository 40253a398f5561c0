"""Run context: settings, dataset version, devices and distribution strategy of a run."""

import dataclasses

import tensorflow as tf

from trainer.config import run_config
from trainer.data import dataset_version, examples, input_pipeline
from trainer.distributed import consistency_check, devices, host_channel


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunContext:
    """Where a run takes place: its settings, data and devices."""

    settings: run_config.Config
    version: dataset_version.Version
    strategy: tf.distribute.Strategy
    device_line: str
    connection: host_channel.HostChannel = dataclasses.field(default_factory=host_channel.alone)

    @property
    def is_chief(self) -> bool:
        """Whether this host writes checkpoints, logs and the report."""
        return self.connection.is_chief

    @property
    def image_size(self) -> int:
        return self.settings.data.image_size or self.version.stored_size

    @property
    def shape(self) -> input_pipeline.BatchLayout:
        """Return how examples are dealt, with as many steps a call as memory allows."""
        replicas, batch = self.strategy.num_replicas_in_sync, self.settings.training.batch_size
        steps = input_pipeline.steps_per_execution(batch // replicas, size_px=self.image_size)
        parts = self.settings.training.accumulate_steps
        return input_pipeline.BatchLayout(
            batch_size=batch, num_replicas=replicas, steps_per_execution=steps, num_parts=parts
        )


def create(
    settings: run_config.Config,
    *,
    version: dataset_version.Version,
    connection: host_channel.HostChannel | None = None,
) -> RunContext:
    """Take the devices, with those of the hosts there is a connection to; to be called once in a
    process."""
    connection = connection or host_channel.alone()
    names = devices.prepare(settings.devices)
    training = settings.training
    devices.check_batch(
        training.batch_size,
        num_replicas=len(names) * connection.num_hosts,
        num_parts=training.accumulate_steps,
        in_pairs=settings.augmentation.is_mixing,
    )
    consistency_check.check(
        connection, settings=settings, fingerprint=version.fingerprint, devices=names
    )
    if settings.run.deterministic:
        tf.config.experimental.enable_op_determinism()
    return RunContext(
        settings=settings,
        version=version,
        strategy=devices.strategy(names, num_hosts=connection.num_hosts),
        device_line=devices.describe(names, num_hosts=connection.num_hosts),
        connection=connection,
    )


def read_split(ctx: RunContext, *, split: str) -> examples.Split:
    """Read a split at the training size."""
    data = ctx.settings.data
    return examples.read(
        ctx.version, split=split, size_px=ctx.image_size, cache=data.cache, cache_dir=data.cache_dir
    )
