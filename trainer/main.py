"""Train a classifier of facial expressions: python -m trainer.main --num_gpus=4 --model_dir=runs/first.

Owns the order of things: flags, refusals that need no TensorFlow, then the rest.
"""

import contextlib
import os
import pathlib
from collections.abc import Iterator

from runtime import errors, flags
from trainer import cluster, config, dataset, devices, folder, link, lost, quiet, weights

ABOUT = """Train a classifier of facial expressions on a published affectnet_faces.

  python -m trainer.main --num_gpus=4 --model_dir=runs/first     four GPUs; the same command continues a cut-off run
  python -m trainer.main --num_gpus=0 --virtual_devices=2        the distributed path on a CPU
  TF_CONFIG=... python -m trainer.main ...                       the same command on each of several hosts"""


def main() -> None:
    """Train as the flags say."""
    settings = config.resolve(flags.given(config.SECTIONS))
    devices.refuse_early(settings.devices)
    path = dataset.locate(settings.data)
    if not settings.run.is_trial:
        folder.check(settings)
    weights.check(settings.model)
    connection = _meet(settings)
    with lost.ending(connection.hosts, model_dir=settings.run.model_dir), _one_speaks(connection):
        with quiet.chatter_off():
            from trainer import training  # Inside: TensorFlow's import takes seconds; what is refused above needs none.
        training.run(settings, data_path=path, connection=connection)


def _meet(settings: config.Config) -> link.Link:
    """Wait for the other hosts of TF_CONFIG: before TensorFlow, so that one that refuses is missed at once."""
    hosts = cluster.from_environment()
    if hosts is None:
        return link.alone()
    if settings.run.is_trial:
        raise errors.UserError(f"--dry_run and --find_lr are for one host: start them without {cluster.VARIABLE}")
    devices.check_hosts(settings.devices, num_hosts=len(hosts.hosts))
    quiet.errors_off()
    with lost.ending(hosts, model_dir=settings.run.model_dir):
        return link.meet(hosts, wait_s=60 * settings.devices.host_wait_minutes)


@contextlib.contextmanager
def _one_speaks(connection: link.Link) -> Iterator[None]:
    """Let the chief alone write to stdout for as long as the block runs; the others say who they are before."""
    if connection.is_chief:
        yield
        return
    hosts = connection.hosts
    print(f"devices       {hosts.name(hosts.index)} trains; {hosts.name(0)} says how it goes", flush=True)
    with pathlib.Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


if __name__ == "__main__":
    flags.define(config.SECTIONS)
    flags.run(main, sections=config.SECTIONS, about=ABOUT)
