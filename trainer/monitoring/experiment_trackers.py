"""Experiment trackers: a run's settings and metrics in MLflow or Weights & Biases (--log_to).

Owns the calls of both, and that a run which continues goes on in the same run of the tracker
(trackers.json in the model folder). Where they are kept is the trackers' own business, and so are
the variables that say so: MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME, WANDB_PROJECT, WANDB_MODE. A
tracker that fails while a run trains is a warning: the run must not be lost because its log is.
"""

import json
import os
import pathlib
import sys
import types
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from runtime import atomic_file, errors, installation, untrusted
from trainer.config import run_config

FILE = "trackers.json"
"""Holds the trackers' own names of a run, by tracker."""

PROJECT = "affectnet_faces"


class Tracker(Protocol):
    """Run of an experiment tracker."""

    @property
    def run_id(self) -> str:
        """The tracker's own name of the run."""

    def log(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Log metrics by name."""

    def end(self, *, exit_code: int) -> None:
        """End the run; an exit code above 128 is a signal's."""


class Mlflow:
    """Run of MLflow."""

    def __init__(self, *, name: str, settings: Mapping[str, Any], run_id: str | None) -> None:
        import mlflow  # Inside: an extra.

        self._mlflow = mlflow
        if "MLFLOW_EXPERIMENT_NAME" not in os.environ:
            mlflow.set_experiment(PROJECT)
        self.run_id: str = mlflow.start_run(run_id=run_id, run_name=name).info.run_id
        if run_id is None:
            mlflow.log_params(dict(settings))

    def log(self, metrics: Mapping[str, float], *, step: int) -> None:
        self._mlflow.log_metrics(dict(metrics), step=step)

    def end(self, *, exit_code: int) -> None:
        failed = "KILLED" if exit_code > 128 else "FAILED"
        self._mlflow.end_run(failed if exit_code else "FINISHED")


class Wandb:
    """Run of Weights & Biases."""

    def __init__(self, *, name: str, settings: Mapping[str, Any], run_id: str | None) -> None:
        import wandb  # Inside: an extra.

        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=name,
            id=run_id,
            resume="allow",
            config=dict(settings),
        )
        self.run_id: str = self._run.id

    def log(self, metrics: Mapping[str, float], *, step: int) -> None:
        self._run.log(dict(metrics), step=step)

    def end(self, *, exit_code: int) -> None:
        self._run.finish(exit_code=exit_code)


_TRACKERS: dict[str, Any] = {"mlflow": Mlflow, "wandb": Wandb}
"""By the values of --log_to, which are also the names of their packages and extras."""


class Trackers:
    """The trackers of a run, to be used in a `with` block; there may be none."""

    def __init__(self, by_name: Mapping[str, Tracker] | None = None) -> None:
        self._by_name = dict(by_name or {})

    def log(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Log metrics everywhere."""
        for name, tracker in list(self._by_name.items()):
            try:
                tracker.log(metrics, step=step)
            except Exception as error:  # Theirs are of many types.
                self._drop(name, error=error)

    def __enter__(self) -> "Trackers":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        exit_code = _exit_code(error)
        for name, tracker in list(self._by_name.items()):
            try:
                tracker.end(exit_code=exit_code)
            except Exception as failure:  # As above.
                self._drop(name, error=failure)

    def _drop(self, name: str, *, error: Exception) -> None:
        del self._by_name[name]
        print(
            f"warning       --log_to={name} ends here, the run goes on ({_first_line(error)})",
            file=sys.stderr,
        )


def check_installed(names: Sequence[str]) -> None:
    """Check that the packages of the trackers are installed.

    Raises:
      errors.UserError: naming the extra of the first that is not.
    """
    for name in names:
        installation.require(name, what=f"--log_to={name}")


def start(settings: run_config.Config, *, model_dir: pathlib.Path) -> Trackers:
    """Start the trackers that --log_to names, or continue where an earlier start of the run began.

    Raises:
      errors.UserError: if a tracker cannot be started.
    """
    path = model_dir / FILE
    run_ids = _run_ids(path)
    trackers: dict[str, Tracker] = {}
    for name in settings.run.log_to:
        try:
            trackers[name] = _TRACKERS[name](
                name=model_dir.resolve().name,
                settings=decisive(settings),
                run_id=run_ids.get(name),
            )
        except Exception as error:  # As above.
            raise errors.UserError(
                f"--log_to={name} cannot start ({_first_line(error)}): mend that, remove {path} "
                f"to begin a new run of {name}, or leave out --log_to"
            ) from None
        run_ids[name] = trackers[name].run_id
        atomic_file.replace(path, content=(json.dumps(run_ids) + "\n").encode())
    return Trackers(trackers)


def _run_ids(path: pathlib.Path) -> dict[str, Any]:
    """Return the runs that earlier starts began, by tracker; a damaged file is set aside."""
    if not path.is_file():
        return {}
    try:
        return untrusted.read_json_object(path)
    except ValueError as error:
        kept = atomic_file.set_aside(path)
        print(
            f"warning       cannot read {path} ({error}): new runs of the trackers begin, and it "
            f"is kept as {kept.name}",
            file=sys.stderr,
        )
        return {}


def decisive(settings: run_config.Config) -> dict[str, str | float | bool]:
    """Return the settings that change a result, as text and numbers; without those that are not
    set."""
    flat = run_config.flat(settings)
    return {
        name: ",".join(map(str, flat[name])) if isinstance(flat[name], tuple) else flat[name]
        for name in run_config.decisive()
        if flat[name] is not None
    }


def _exit_code(error: BaseException | None) -> int:
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return error.code
    return int(error is not None)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
