"""Data set job: AffectNet on disk to sharded, face-cropped, class-balanced TFRecords.

Owns the program python -m pipeline.main: flags (pipeline/config.py), signals, exit codes. Flags
that are not ours go to Beam untouched, so that any runner can be used.
"""

import os
import signal
import types
from collections.abc import Mapping, Sequence
from typing import Any

from runtime import malloc

# Before all other imports: the libraries start threads, and each thread would get its own arena.
malloc.use_one_arena()
# Before TensorFlow is imported: it reads the level once, and TFDS loads it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import logging

from affectnet_tfds import dataset_paths
from pipeline import build, config, console
from pipeline.beam import runner
from runtime import errors, flags

ABOUT = """Make TFRecords of face crops from a copy of AffectNet, and publish them for tfds.load.

  python -m pipeline.main --input_dir=DIR --dry_run           counts and plan, nothing is written
  python -m pipeline.main --input_dir=DIR                     on this machine's cores
  python -m pipeline.main --input_dir=DIR --runner=... ...    any Beam runner, by Beam's own flags

The same command again continues a build that was interrupted."""

SECTIONS = config.SECTIONS


def job_config(given: Mapping[str, Any]) -> config.JobConfig:
    """Return the configuration that the given flags ask for."""
    data_dir = dataset_paths.data_dir(given.get("data_dir"))
    return config.JobConfig(**{**given, "data_dir": data_dir})


def check_beam_args(beam_args: Sequence[str]) -> None:
    """Refuse flags that neither we nor Beam know.

    An engine may have flags of its own: with one, only names that resemble ours are refused.

    Raises:
      errors.UserError: naming the nearest flag.
    """
    names_a_runner = runner.names_a_runner(beam_args)
    for name in runner.unknown_beam_args(beam_args):
        if names_a_runner and not flags.nearest(name, sections=config.SECTIONS, cutoff=0.8):
            continue
        raise errors.UserError(
            flags.unknown(name, sections=config.SECTIONS, whose="(neither ours nor Beam's)")
        )


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived: sent by a queue or a container; handled as Control-C is."""


def _terminate(number: int, frame: types.FrameType | None) -> None:
    raise Terminated


def main(given: Mapping[str, Any], *, beam_args: Sequence[str]) -> int:
    """Build, print the account, and return the exit code."""
    logging.set_verbosity(logging.ERROR)
    screen = console.Console()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        check_beam_args(beam_args)
        built = build.build(job_config(given), listener=screen, beam_args=beam_args)
    except Terminated:
        return screen.interrupted(exit_code=143)
    except KeyboardInterrupt:
        return screen.interrupted(exit_code=130)
    screen.finished(built)
    return 0


def run() -> None:
    """Parse our flags, leave the others to Beam, and run."""
    flags.define(SECTIONS)
    flags.run_passing_on(
        lambda rest: main(flags.given(SECTIONS), beam_args=rest), sections=SECTIONS, about=ABOUT
    )


if __name__ == "__main__":
    run()
