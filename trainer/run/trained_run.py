"""Trained run: configuration and data provenance, loaded from a model folder."""

import dataclasses
import pathlib

from runtime import errors
from trainer.config import run_config
from trainer.run import data_provenance


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """Model folder with its configuration and the description of its training data."""

    model_dir: pathlib.Path
    settings: run_config.Config
    data: data_provenance.Provenance

    @property
    def image_size(self) -> int:
        """Return the side of the network's input images, in pixels."""
        return self.settings.data.image_size or self.data.stored_size


def find(model_dir: str) -> Run:
    """Open a model folder, without importing TensorFlow.

    Raises:
      errors.UserError: if it holds no run, or a file of it is damaged.
    """
    path = pathlib.Path(model_dir)
    if not (path / run_config.FILE).is_file():
        raise errors.UserError(
            f"{path} holds no trained model ({run_config.FILE}); train one, or name its --model_dir"
        )
    return Run(
        model_dir=path,
        settings=run_config.load(path / run_config.FILE),
        data=data_provenance.load(path),
    )
