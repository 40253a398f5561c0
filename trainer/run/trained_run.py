"""Trained run: configuration and data provenance, loaded from a model folder."""

import dataclasses
import pathlib
from typing import Any

from affectnet_tfds import dataset_paths
from runtime import errors
from trainer.config import run_config
from trainer.data import dataset_version
from trainer.evaluation import metrics_file
from trainer.run import checkpoint, data_provenance

BEST = "best.npz"
"""Name of the weights of the best epoch in a model folder."""

_DEMO = pathlib.Path("build/demo/run")
"""Where 'make demo' leaves its run."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """Model folder with its configuration and the description of its training data."""

    model_dir: pathlib.Path
    settings: run_config.Config
    data: data_provenance.Provenance

    @property
    def members(self) -> "tuple[Run, ...]":
        """Return the runs of this model: itself; see `ensemble.Ensemble`."""
        return (self,)

    @property
    def image_size(self) -> int:
        """Return the side to which images are resized, in pixels."""
        return self.settings.data.image_size or self.data.stored_size

    def metrics(self) -> dict[str, Any] | None:
        """Return the metrics of the run's evaluation, or None where there was none.

        Raises:
          errors.UserError: if the file is damaged.
        """
        path = self.model_dir / metrics_file.FILE
        if not path.exists():
            return None
        try:
            return metrics_file.read(path)
        except ValueError as error:
            raise errors.UserError(
                f"cannot read {path} ({error}): 'python -m trainer.evaluate "
                f"--model_dir={self.model_dir}' writes it anew"
            ) from None

    def print_if_unfinished(self) -> None:
        """Print that the run is not finished, if so: its weights are then the best so far."""
        if not (self.model_dir / metrics_file.FILE).is_file():
            print(
                f"unfinished    {self.model_dir} is not trained to its end: these are its best "
                "weights so far; the same trainer.main command continues it",
                flush=True,
            )


def find(model_dir: str) -> Run:
    """Open a model folder, without importing TensorFlow.

    Raises:
      errors.UserError: if it holds no run, no epoch of it is finished, or a file of it is damaged.
    """
    path = pathlib.Path(model_dir)
    if not (path / run_config.FILE).is_file():
        demo = f" ({_DEMO} is that of make demo)" if (_DEMO / run_config.FILE).is_file() else ""
        raise errors.UserError(
            f"{path} holds no trained model ({run_config.FILE}); train one, or name its "
            f"--model_dir{demo}"
        )
    run = Run(
        model_dir=path,
        settings=run_config.load(path / run_config.FILE),
        data=data_provenance.load(path),
    )
    if not (path / BEST).is_file():
        raise errors.UserError(no_weights(path))
    try:
        checkpoint.verify(path / BEST)
    except checkpoint.Damaged as error:
        raise errors.UserError(damaged_weights(path / BEST, error=error)) from None
    return run


def locate_data(run: Run, *, data: run_config.Data, is_named: bool) -> pathlib.Path:
    """Return the folder of the version to use with a run.

    Args:
      run: the run.
      data: its data, or those that a program was told to use.
      is_named: whether it was told.

    Raises:
      errors.UserError: if there is none, saying where the run's own data were.
    """
    root = dataset_version.data_dir(data)
    if is_named or (root / dataset_paths.DATASET_NAME).is_dir():
        return dataset_version.locate(data)
    raise errors.UserError(
        f"{run.model_dir} was trained on {run.data.name} in {root}, which does not hold it now; "
        "name the folder that has it with --data_dir"
    )


def damaged_weights(path: pathlib.Path, *, error: checkpoint.Damaged) -> str:
    """Return the sentence about weights that cannot be read."""
    return (
        f"cannot read {path} ({error}): the trainer.main command that began the run (journal.json "
        "has it) writes it anew from a checkpoint of its epoch; without one, restore it from a "
        "backup, or train anew with --overwrite"
    )


def no_weights(model_dir: pathlib.Path) -> str:
    """Return the sentence about a run without weights."""
    return (
        f"{model_dir} holds no weights ({BEST}), which come with its first finished epoch: the "
        f"trainer.main command that began it (journal.json has it) continues it"
    )
