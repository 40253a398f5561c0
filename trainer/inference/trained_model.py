"""Trained model: builds the network of a run and loads its best weights, without its data set.

Used by programs that use a model rather than train it. The network is built on one device:
exporters cannot handle the copies that a distribution strategy keeps.
"""

from typing import TYPE_CHECKING

from trainer.config import evaluation_views
from trainer.models import build
from trainer.run import best_weights, trained_run

if TYPE_CHECKING:  # Importing Keras takes seconds; a refusal has to come first.
    import keras


def network(run: trained_run.Run) -> "tuple[keras.Model, int]":
    """Return the network with the best weights of its run, and the epoch that they are from.

    Raises:
      errors.UserError: if there are none yet.
    """
    model = build.network(
        run.settings, image_size=views(run).crop_px, num_classes=len(run.data.class_names)
    )
    facts = best_weights.load_best(model, model_dir=run.model_dir)
    model.trainable = False
    return model, int(facts["epoch"])


def views(run: trained_run.Run) -> evaluation_views.Views:
    """Return the views of an image that the run is evaluated on."""
    return evaluation_views.of_run(run.settings, image_size=run.image_size)
