"""Run context: settings, dataset version, devices and distribution strategy of a run."""

import dataclasses

import tensorflow as tf

from trainer.config import evaluation_views, run_config
from trainer.data import dataset_version, examples, input_pipeline
from trainer.distributed import consistency_check, devices, host_channel


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunContext:
    """Settings, data and devices of a run."""

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
        """Side to which images are resized, in pixels."""
        return self.settings.data.image_size or self.version.stored_size

    @property
    def views(self) -> evaluation_views.Views:
        """The views of an image in evaluation; the network is given images of their size."""
        return evaluation_views.of_run(self.settings, image_size=self.image_size)

    @property
    def layout(self) -> input_pipeline.BatchLayout:
        """How batches are laid out over replicas and calls into the graph."""
        batch_size = self.settings.training.batch_size
        replicas = self.strategy.num_replicas_in_sync
        return input_pipeline.BatchLayout(
            batch_size=batch_size,
            num_replicas=replicas,
            steps_per_execution=input_pipeline.steps_per_execution(
                batch_size // replicas, size_px=self.image_size
            ),
            num_microbatches=self.settings.training.accumulate_steps,
        )


def create(
    settings: run_config.Config,
    *,
    version: dataset_version.Version,
    connection: host_channel.HostChannel | None = None,
) -> RunContext:
    """Configure the devices, compare hosts, and create the strategy; once per process.

    Raises:
      errors.UserError: if devices are missing or cannot share the batch, if hosts differ, or if
        --crop_px or --progressive_px does not fit the images.
    """
    evaluation_views.of_run(settings, image_size=settings.data.image_size or version.stored_size)
    connection = connection or host_channel.alone()
    names = devices.prepare(settings.devices)
    devices.check_settings(settings, num_replicas=len(names) * connection.num_hosts)
    # Before the strategy: with several hosts, creating it waits for all of them.
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


def read_split(ctx: RunContext, *, split: str, for_training: bool = False) -> examples.Split:
    """Read a split at the run's image size, to evaluate on it or to train."""
    data = ctx.settings.data
    return examples.read(
        ctx.version,
        split=split,
        size_px=ctx.image_size,
        for_training=for_training,
        cache=data.cache,
        cache_dir=data.cache_dir,
        verify=data.verify_data,
    )
