"""Beam runner: runs pipelines on this machine's cores, or on the engine that Beam's flags name.

Owns Beam's options, waiting and cancelling. Flags of our own for each engine were rejected: what a
cluster needs is passed on as Beam's flags, so that any Beam runner can be used.
"""

import contextlib
import io
import logging
import os
import re
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar, cast

import apache_beam as beam
import grpc
from apache_beam.options import pipeline_options
from apache_beam.runners import runner

from pipeline.beam import (
    counters,
    local_workers,
    temporary_files,
    worker_logs,
    worker_processes,
)
from pipeline.files import object_store
from runtime import errors, installation, json_log, machine

SMALL_TABLE_BYTES = 64 << 20
"""Annotations up to this size are read in this process: starting workers would take longer."""

_View = TypeVar("_View", bound=pipeline_options.PipelineOptions)

_USER_ERRORS = {kind.__name__: kind for kind in (errors.UserError, object_store.Unreachable)}
_STEP = re.compile(r" \[while running '[^']*'\]")
_USER_ERROR = re.compile(
    rf"\b({'|'.join(_USER_ERRORS)}): (.*?)(?: \[while running|$)", re.MULTILINE
)

_OUT_OF_MEMORY = re.compile(r"^[\w.]*MemoryError\b|\bInsufficient memory\b", re.MULTILINE)
"""Python's, NumPy's and OpenCV's."""

WORKER_PACKAGES_VARIABLE = "AFFECTNET_FACES_FOR_WORKERS"
"""Environment variable that setup.py reads."""


class Runner:
    """Runs pipelines on this machine's cores, unless Beam's own flags name another runner."""

    def __init__(self, *, num_workers: int, beam_args: Sequence[str] = ()) -> None:
        """Take --num_workers (0: one a core) and Beam's flags, which are passed on untouched."""
        self.num_workers = num_workers
        self.beam_args = list(beam_args)
        self._ahead = worker_processes.Ahead()
        # This logger warns, for every worker, of a folder that no pipeline of ours uses.
        logging.getLogger("apache_beam.runners.portability.local_job_service").setLevel(
            logging.ERROR
        )
        # Local workers are separate processes; they must import the same copy of this package.
        root = str(Path(__file__).resolve().parents[2])
        if root not in os.environ.get("PYTHONPATH", "").split(os.pathsep):
            os.environ["PYTHONPATH"] = os.pathsep.join(
                filter(None, [root, os.environ.get("PYTHONPATH")])
            )

    @property
    def is_local(self) -> bool:
        """Return whether pipelines run on this machine."""
        return not names_a_runner(self.beam_args)

    @contextlib.contextmanager
    def pipeline(self, *, reads_bytes: int | None = None) -> Iterator[beam.Pipeline]:
        """Run the pipeline that is wired in this context, and wait for it.

        Args:
          reads_bytes: how much the pipeline reads (None: much).

        Raises:
          errors.UserError: if a worker raised it, or died, or if an engine failed.
          OSError: if a worker raised it, as on a full disk.
        """
        with (
            worker_logs.held_back(live=self._is_for_engine(reads_bytes)),
            self._as_refusals(),
            _no_notebook(),
            temporary_files.used(),
            packages_for_workers(),
        ):
            pipeline = beam.Pipeline(
                None
                if self._is_for_engine(reads_bytes)
                else local_workers.LocalRunner(self._ahead),
                options=self.options(reads_bytes),
            )
            yield pipeline
            result = pipeline.run()
            wait(result)
        if json_log.is_open():
            json_log.write("shuffled", steps=counters.shuffled(result.metrics()))
        machine.give_back()

    @contextlib.contextmanager
    def _as_refusals(self) -> Iterator[None]:
        """Raise what a worker raised in place of Beam's error, where it is no defect of ours."""
        try:
            yield
        except errors.UserError as error:  # Beam adds the step's name to it in this process.
            raise type(error)(_STEP.sub("", str(error))) from error
        except grpc.RpcError as error:  # Its stream ended before it said that the pipeline failed.
            if self.is_local:
                raise
            raise errors.UserError(_gave_up(RuntimeError("its job server is gone"))) from error
        except RuntimeError as error:
            if refused := refusal_in(str(error)):
                raise refused from error
            if self.is_local:
                raise
            raise errors.UserError(_gave_up(error)) from error

    def options(self, reads_bytes: int | None = None) -> pipeline_options.PipelineOptions:
        """Return Beam's options for a pipeline that reads so many bytes (None: many)."""
        if self._is_for_engine(reads_bytes):
            # Ours by name, and an engine's too: Dataflow's number of machines, for one.
            given = [f"--num_workers={self.num_workers}"] if self.num_workers else []
            return Options([*self.beam_args, *given])
        workers = 1 if _is_small(reads_bytes) else self._num_processes()
        # By name: DirectRunner would first try to download Prism, and ignores the number of workers
        # then.
        local = ["--runner=FnApiRunner", f"--direct_num_workers={workers}"]
        local += ["--direct_running_mode=" + ("multi_processing" if workers > 1 else "in_memory")]
        return Options([*self.beam_args, *local])

    def _num_processes(self) -> int:
        return self.num_workers or machine.cpu_count()

    def workers_ahead(self, *, are_needed: bool) -> contextlib.AbstractContextManager[None]:
        """Start the worker processes of this machine now, for a pipeline in the context.

        They import Beam while this process does something else. There are none with one worker,
        which is this process, and none of an engine.
        """
        count = self._num_processes()
        is_used = are_needed and self.is_local and count > 1
        return self._ahead.started(count if is_used else 0)

    def _is_for_engine(self, reads_bytes: int | None) -> bool:
        return not self.is_local and not _is_small(reads_bytes)


def _is_small(reads_bytes: int | None) -> bool:
    return reads_bytes is not None and reads_bytes <= SMALL_TABLE_BYTES


class Options(pipeline_options.PipelineOptions):
    """Beam's options, each view parsed once: Beam asks for views at every transform."""

    def view_as(self, cls: type[_View]) -> _View:
        """Return the view of these options as another class: the same one each time."""
        views = self.__dict__.setdefault("views", {})
        if cls not in views:
            views[cls] = super().view_as(cls)
        return cast(_View, views[cls])


@contextlib.contextmanager
def packages_for_workers() -> Iterator[None]:
    """Have setup.py leave out what no worker needs, where Beam sends it to them (--setup_file)."""
    os.environ[WORKER_PACKAGES_VARIABLE] = "1"
    try:
        yield
    finally:
        del os.environ[WORKER_PACKAGES_VARIABLE]


def wait(result: runner.PipelineResult) -> None:
    """Wait for a pipeline, and cancel it on an interrupt: an engine would continue without us.

    Beam's job servers handle an interrupt by stopping themselves first, after which nobody can
    cancel the pipeline; so Python's own handler is restored while we wait.
    """
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.default_int_handler) if in_main else None
    try:
        result.wait_until_finish()
    except KeyboardInterrupt:
        with contextlib.suppress(Exception):  # The engine may be gone; the interrupt counts.
            result.cancel()
        raise
    finally:
        if in_main:
            signal.signal(signal.SIGINT, before)


def refusal_in(text: str) -> Exception | None:
    """Return the refusal that a worker raised, given its traceback, which Beam passes on as text.

    None: it was a defect of ours.
    """
    last = errors.last_error_in(text)
    if match := _USER_ERROR.search(last):
        return _USER_ERRORS[match[1]](match[2])
    if _OUT_OF_MEMORY.search(last):
        return errors.UserError(f"in a worker process {errors.OUT_OF_MEMORY}")
    refused = errors.system_error_in(text)
    return refused if refused and errors.of_system(refused) else None


def _gave_up(error: RuntimeError) -> str:
    reason = next(
        (line.strip() for line in str(error).splitlines() if line.strip()), "no reason given"
    )
    return (
        f"the engine gave up: {reason}; finished shards are kept, the same command continues, and "
        f"{installation.doc('scaling.md')} says where engines log"
    )


def _no_notebook() -> contextlib.AbstractContextManager[None]:
    """Hide IPython: in a notebook Beam imports data frames of its own, which fail with pandas 3."""
    return installation.hidden("IPython", also_imported=True)


def names_a_runner(beam_args: Sequence[str]) -> bool:
    """Return whether Beam's flags name a runner."""
    return any(arg.startswith("--runner") for arg in beam_args)


def unknown_beam_args(args: Sequence[str]) -> list[str]:
    """Return the flags that Beam does not know: misspelt ones, or an engine's own.

    Raises:
      errors.UserError: for a value that Beam does not take.
    """
    known = pipeline_options.PipelineOptions(list(args))
    with contextlib.redirect_stderr(io.StringIO()) as printed:
        try:
            options = known.get_all_options(drop_default=True, retain_unknown_options=False)
        except SystemExit:  # Of argparse, after its usage: main.py: error: argument --x: reason
            *_, last = printed.getvalue().strip().splitlines() or ["no reason given"]
            reason = last.rpartition("error: ")[2].removeprefix("argument ")
            raise errors.UserError(f"Beam does not take {reason}") from None
    if name := options.get("runner"):
        _check_runner(name)
    names = {arg.lstrip("-").split("=")[0] for arg in args if arg.startswith("-")}
    return sorted(name for name in names if name not in options)


def _check_runner(name: str) -> None:
    try:
        runner.create_runner(name)
    except ValueError:
        known = pipeline_options.StandardOptions.KNOWN_RUNNER_NAMES
        raise errors.UserError(
            f"--runner={name} is no runner of Beam; {errors.nearest(name, known=known)}"
        ) from None
    except (ImportError, AttributeError) as error:
        raise errors.UserError(f"--runner={name} cannot be used: {error}") from None
