"""Training program: python -m trainer.main --num_gpus=4 --model_dir=runs/first.

Owns the order of start-up: flags, refusals that need no TensorFlow, rendezvous, training.
"""

import contextlib
import os
import pathlib
from collections.abc import Iterator

from runtime import atomic_file, errors, flags
from trainer.config import run_config
from trainer.data import dataset_version
from trainer.distributed import devices, host_channel, host_failure, tf_config, tf_logging
from trainer.monitoring import experiment_trackers
from trainer.run import model_folder
from trainer.training import label_weights, pretrained, soft_targets

ABOUT = """Train a classifier of facial expressions on a published affectnet_faces.

  on four GPUs; the same command continues an interrupted run
    python -m trainer.main --num_gpus=4 --model_dir=runs/first
  on a CPU, with two replicas
    python -m trainer.main --num_gpus=0 --virtual_devices=2
  on several hosts, the same command on each
    TF_CONFIG=... python -m trainer.main ..."""

SECTIONS = run_config.SECTIONS


def main() -> None:
    """Train according to the flags."""
    settings = run_config.resolve(flags.given(SECTIONS))
    path = checked(settings)
    connection = _meet(settings)
    with (
        host_failure.ending(connection.hosts, model_dir=settings.run.model_dir),
        model_folder.locked(settings, connection=connection),
        _chief_prints(connection),
    ):
        with tf_logging.chatter_off():
            # Inside: TensorFlow's import takes seconds; what is refused above needs none.
            from trainer.training import train
        train.run(settings, data_path=path, connection=connection)


def checked(settings: run_config.Config) -> pathlib.Path:
    """Return the folder of the data, after what can be refused without importing TensorFlow.

    Raises:
      errors.UserError: if devices, data, model folder or weights do not fit the settings.
    """
    devices.refuse_early(settings.devices)
    if not os.environ.get(tf_config.VARIABLE):  # Else the hosts share the batch.
        devices.check_batch_early(settings)
    path = dataset_version.locate(settings.data)
    for split in ("train", "validation"):
        dataset_version.check_split_early(path, split=split)
    atomic_file.check_writable(pathlib.Path(settings.run.model_dir))
    if not settings.run.is_trial:
        model_folder.check(settings)
    pretrained.check(settings.model)
    soft_targets.check(settings.targets)
    label_weights.check(settings.targets)
    experiment_trackers.check_installed(settings.run.log_to)
    return path


def _meet(settings: run_config.Config) -> host_channel.HostChannel:
    """Wait for the other hosts of TF_CONFIG.

    Before TensorFlow is imported, so that all hosts learn at once that one was refused.
    """
    hosts = tf_config.from_environment()
    if hosts is None:
        return host_channel.alone()
    if settings.run.is_trial:
        raise errors.UserError(
            f"--dry_run and --find_lr are for one host: start them without {tf_config.VARIABLE}"
        )
    devices.check_hosts(settings.devices, num_hosts=len(hosts.hosts))
    tf_logging.errors_off()
    with host_failure.ending(hosts, model_dir=settings.run.model_dir):
        return host_channel.meet(hosts, wait_s=60 * settings.devices.host_wait_minutes)


@contextlib.contextmanager
def _chief_prints(connection: host_channel.HostChannel) -> Iterator[None]:
    """Discard stdout on all hosts but the chief inside the block, after a line that names it."""
    if connection.is_chief:
        yield
        return
    hosts = connection.hosts
    print(
        f"devices       {hosts.name(hosts.index)} trains; {hosts.name(0)} prints the progress",
        flush=True,
    )
    with (
        pathlib.Path(os.devnull).open("w", encoding="utf-8") as devnull,
        contextlib.redirect_stdout(devnull),
    ):
        yield


if __name__ == "__main__":
    flags.define(SECTIONS)
    flags.run(main, sections=SECTIONS, about=ABOUT)
