"""Data set job: AffectNet on disk to sharded, face-cropped, class-balanced TFRecords.

Owns the program python -m pipeline.main: flags (pipeline/config.py), signals, exit codes. Flags
that are not ours go to Beam untouched, so that any runner can be used.
"""

import os
import signal
import types
from collections.abc import Mapping, Sequence
from typing import Any

from runtime import machine

# Before all other imports: the libraries start threads, and each thread would get its own arena.
machine.use_one_arena()
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
    return config.JobConfig(**{**config.given_like(given), "data_dir": data_dir})


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


_AGAIN_S = 0.05
"""Seconds until an interruption is tried again that nobody would have heard."""


class Interrupts:
    """SIGINT and SIGTERM (a queue's or a container's) raised as KeyboardInterrupt, in a block.

    Attributes:
      number: the signal that came; 0 while none has. Any error after it comes of it: Beam wraps
        what is raised in its stages, and workers get Ctrl-C of a terminal, too.
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        """Handle nothing yet."""
        self.number = 0

    def __enter__(self) -> "Interrupts":
        """Handle the signals until the block ends."""
        self._before = {number: signal.signal(number, self._raise) for number in self._SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        """Handle them as before."""
        signal.setitimer(signal.ITIMER_REAL, 0)  # Nothing is tried again after the block.
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _raise(self, number: int, frame: types.FrameType | None) -> None:
        self.number = number
        if not _is_unheard(frame):
            raise KeyboardInterrupt
        signal.signal(signal.SIGALRM, lambda _, later: self._raise(number, later))
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)


def _is_unheard(frame: types.FrameType | None) -> bool:
    """Return whether Python forgets what is raised here: in destructors and weak references."""
    while frame:
        if frame.f_code.co_name in ("__del__", "_remove", "remove"):
            return True
        frame = frame.f_back
    return False


def main(given: Mapping[str, Any], *, beam_args: Sequence[str]) -> int:
    """Build, print the account, and return the exit code."""
    logging.set_verbosity(logging.ERROR)
    screen = console.Console()
    with Interrupts() as interrupts:
        try:
            check_beam_args(beam_args)
            built = build.build(job_config(given), listener=screen, beam_args=beam_args)
        except KeyboardInterrupt:  # Of an engine, `runner` handles Ctrl-C itself.
            return screen.interrupted(exit_code=128 + (interrupts.number or signal.SIGINT))
        except Exception:
            if not interrupts.number:
                raise
            return screen.interrupted(exit_code=128 + interrupts.number)
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
