"""Where the pipelines run: this machine's cores, or the engine that Beam's own flags name.

Owns Beam's options, and how a pipeline is waited for and given up. No engine but the local one is
known by name here: what a cluster needs comes in as Beam's flags, and so any Beam runner can be
used.
"""

import atexit
import contextlib
import functools
import io
import logging
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import apache_beam as beam
from apache_beam.options import pipeline_options
from apache_beam.runners import runner

from pipeline.files import object_store
from runtime import cpu_count, errors, malloc

SMALL_TABLE_BYTES = 64 << 20
"""Tables up to this size are surveyed in this process: starting workers would take longer, a
cluster's even more."""

WORKER_PACKAGES_VARIABLE = "AFFECTNET_FACES_FOR_WORKERS"
"""Environment variable that setup.py reads."""


class Runner:
    """Where the pipelines run: this machine's cores unless Beam's own flags say otherwise."""

    def __init__(self, *, num_workers: int, beam_args: Sequence[str] = ()) -> None:
        """Take --num_workers (0: as many as there are) and Beam's flags, which are passed on
        untouched."""
        self.num_workers = num_workers
        self.beam_args = list(beam_args)
        # It warns, for every worker, of a folder that no pipeline of ours uses.
        logging.getLogger("apache_beam.runners.portability.local_job_service").setLevel(
            logging.ERROR
        )
        # Local workers are processes of their own; they find this package where this process found
        # it.
        root = str(Path(__file__).resolve().parents[2])
        if root not in os.environ.get("PYTHONPATH", "").split(os.pathsep):
            os.environ["PYTHONPATH"] = os.pathsep.join(
                filter(None, [root, os.environ.get("PYTHONPATH")])
            )

    @property
    def is_local(self) -> bool:
        return not names_a_runner(self.beam_args)

    @contextlib.contextmanager
    def pipeline(self, *, reads_bytes: int | None = None) -> Iterator[beam.Pipeline]:
        """Run what is wired in this context, and wait for it.

        Args:
          reads_bytes: how much the pipeline reads (None: much).

        Raises: object_store.Unreachable: if that is what a worker raised; Beam hands on the text of
          its traceback. errors.UserError: if an engine gave up.
        """
        try:
            with no_notebook(), temporary_files(), packages_for_workers():
                pipeline = beam.Pipeline(options=self.options(reads_bytes))
                yield pipeline
                wait(pipeline.run())
        except RuntimeError as error:
            if told := re.search(
                r"\bUnreachable: (.*?)(?: \[while running|$)", str(error), re.MULTILINE
            ):
                raise object_store.Unreachable(told[1]) from error
            if self.is_local:
                raise
            raise errors.UserError(_gave_up(error)) from error
        malloc.give_back()

    def options(self, reads_bytes: int | None = None) -> pipeline_options.PipelineOptions:
        """Return Beam's options for a pipeline that reads so many bytes (None: many)."""
        small = reads_bytes is not None and reads_bytes <= SMALL_TABLE_BYTES
        if not self.is_local and not small:
            # Ours by name, and an engine's too: Dataflow's number of machines, for one.
            given = [f"--num_workers={self.num_workers}"] if self.num_workers else []
            return pipeline_options.PipelineOptions([*self.beam_args, *given])
        workers = 1 if small else self.num_workers or cpu_count.count()
        # By name: DirectRunner would first try to download Prism, and ignores the number of workers
        # then.
        local = ["--runner=FnApiRunner", f"--direct_num_workers={workers}"]
        local += ["--direct_running_mode=" + ("multi_processing" if workers > 1 else "in_memory")]
        return pipeline_options.PipelineOptions([*self.beam_args, *local])


@contextlib.contextmanager
def packages_for_workers() -> Iterator[None]:
    """Have setup.py leave out what no worker needs, where Beam sends it to them (--setup_file)."""
    os.environ[WORKER_PACKAGES_VARIABLE] = "1"
    try:
        yield
    finally:
        del os.environ[WORKER_PACKAGES_VARIABLE]


def wait(result: runner.PipelineResult) -> None:
    """Wait for a pipeline; cancel it when the wait is interrupted, for an engine would go on
    without us.

    Beam's job servers answer an interrupt by stopping themselves first, after which nobody can
    cancel the pipeline; so Python's own answer is put back for the time of waiting.
    """
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.default_int_handler) if in_main else None
    try:
        result.wait_until_finish()
    except KeyboardInterrupt:
        with contextlib.suppress(
            Exception
        ):  # An engine that is gone cannot be told; the interrupt counts.
            result.cancel()
        raise
    finally:
        if in_main:
            signal.signal(signal.SIGINT, before)


def _gave_up(error: RuntimeError) -> str:
    reason = next(
        (line.strip() for line in str(error).splitlines() if line.strip()), "no reason given"
    )
    return (
        f"the engine gave up: {reason}. Finished shards are kept: the same command continues; "
        "docs/scaling.md says where engines log"
    )


@contextlib.contextmanager
def no_notebook() -> Iterator[None]:
    """Spare Beam the import of all of IPython for every step, only to learn that it does not run in
    a notebook."""
    if "IPython" in sys.modules:
        yield
        return
    sys.modules["IPython"] = None  # type: ignore[assignment]  # an import raises ImportError
    try:
        yield
    finally:
        del sys.modules["IPython"]


@contextlib.contextmanager
def temporary_files() -> Iterator[None]:
    """Give Beam a folder for temporary files that goes when this program ends: it leaves some for
    each pipeline.

    Not earlier, for its job servers work in that folder until then.
    """
    before = tempfile.tempdir
    tempfile.tempdir = _folder_until_exit()
    try:
        yield
    finally:
        tempfile.tempdir = before


@functools.cache
def _folder_until_exit() -> str:
    folder = tempfile.mkdtemp(prefix="affectnet_faces_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def names_a_runner(beam_args: Sequence[str]) -> bool:
    """Return whether Beam's flags name a runner."""
    return any(arg.startswith("--runner") for arg in beam_args)


def unknown_beam_args(args: Sequence[str]) -> list[str]:
    """Return the arguments that Beam itself does not know: flags of ours, misspelt, or an engine's
    own."""
    known = pipeline_options.PipelineOptions(list(args))
    with contextlib.redirect_stderr(io.StringIO()):
        options = known.get_all_options(drop_default=True, retain_unknown_options=False)
    names = {arg.lstrip("-").split("=")[0] for arg in args if arg.startswith("-")}
    return sorted(name for name in names if name not in options)
