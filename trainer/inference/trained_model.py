"""Trained model: builds the networks of a run or an ensemble and loads their best weights.

Needs no data set. Used by programs that use a model rather than train it. A network is built on
one device: exporters cannot handle the copies that a distribution strategy keeps.
"""

import dataclasses
from typing import TYPE_CHECKING

from trainer.config import evaluation_views
from trainer.models import build
from trainer.run import best_weights, ensemble, trained_run

if TYPE_CHECKING:  # Importing Keras takes seconds; a refusal has to come first.
    import keras


@dataclasses.dataclass(frozen=True, kw_only=True)
class Member:
    """A run of a model with its network, which has the weights of `best_epoch`."""

    run: trained_run.Run
    network: "keras.Model"
    best_epoch: int

    @property
    def views(self) -> evaluation_views.Views:
        """The views of an image that the network is given."""
        return views(self.run)


def members(model: ensemble.Model) -> list[Member]:
    """Return the runs of a model with their networks.

    Raises:
      errors.UserError: if one has no weights yet.
    """
    loaded = [(run, *network(run)) for run in model.members]
    return [Member(run=run, network=each, best_epoch=epoch) for run, each, epoch in loaded]


def network(run: trained_run.Run) -> "tuple[keras.Model, int]":
    """Return the network with the best weights of its run, in float32, and the epoch of these.

    Raises:
      errors.UserError: if there are none yet.
    """
    model = build.trained_network(
        run.settings, image_size=views(run).crop_px, num_classes=len(run.data.class_names)
    )
    facts = best_weights.load_best(model, model_dir=run.model_dir)
    model.trainable = False
    return model, int(facts["epoch"])


def views(run: trained_run.Run) -> evaluation_views.Views:
    """Return the views of an image that the run is evaluated on."""
    return evaluation_views.of_run(run.settings, image_size=run.image_size)
