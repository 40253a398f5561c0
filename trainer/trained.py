"""A trained network with its best weights, without its data set.

Owns the way back from a model folder, for whoever uses the model rather than trains or judges it. It is built on one
device: exporters do not know what to do with the copies that a strategy keeps.
"""

import dataclasses
import pathlib
from typing import TYPE_CHECKING

from runtime import errors
from trainer import config, provenance

if TYPE_CHECKING:  # Importing Keras takes seconds; a refusal has to come first.
    import keras


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """A model folder: how the network was made, and from what."""

    model_dir: pathlib.Path
    settings: config.Config
    data: provenance.Provenance

    @property
    def image_size(self) -> int:
        """Return the side of the pictures that the network takes, in pixels."""
        return self.settings.data.image_size or self.data.stored_size


def find(model_dir: str) -> Run:
    """Open a model folder, without importing TensorFlow.

    Raises:
      errors.UserError: if it holds no run.
    """
    path = pathlib.Path(model_dir)
    if not (path / config.FILE).is_file():
        raise errors.UserError(f"{path} holds no trained model ({config.FILE}); train one, or name its --model_dir")
    return Run(model_dir=path, settings=config.load(path / config.FILE), data=provenance.load(path))


def network(run: Run) -> "tuple[keras.Model, int]":
    """Return the network with the best weights of its run, and the epoch they are of.

    Raises:
      errors.UserError: if there are none yet.
    """
    from trainer import assembly, standing  # Inside, as above.

    model = assembly.network(run.settings, image_size=run.image_size, num_classes=len(run.data.class_names))
    facts = standing.load_best(model, model_dir=run.model_dir)
    model.trainable = False
    return model, int(facts["epoch"])
