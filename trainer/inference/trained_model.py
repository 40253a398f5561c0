"""A trained network with its best weights, without its data set.

Owns the way back from a model folder, for whoever uses the model rather than trains or judges it.
It is built on one device: exporters do not know what to do with the copies that a strategy keeps.
"""

from typing import TYPE_CHECKING

from trainer.models import build
from trainer.run import best_weights, trained_run

if TYPE_CHECKING:  # Importing Keras takes seconds; a refusal has to come first.
    import keras


def network(run: trained_run.Run) -> "tuple[keras.Model, int]":
    """Return the network with the best weights of its run, and the epoch they are of.

    Raises:
      errors.UserError: if there are none yet.
    """

    model = build.network(
        run.settings, image_size=run.image_size, num_classes=len(run.data.class_names)
    )
    facts = best_weights.load_best(model, model_dir=run.model_dir)
    model.trainable = False
    return model, int(facts["epoch"])
