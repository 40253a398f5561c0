"""Progressive resizing: training begins on smaller images, whose steps take less time.

Owns which step trains on images of which side (--progressive_px), as in the progressive learning of
Tan and Le 2021, arXiv:2104.00298, section 4.2, without its changes of regularisation. The side is a
function of the step, so that an interrupted run continues with the right one.
"""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from trainer.config import run_config


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sides:
    """The side of the images that a network is trained on, in pixels, by step.

    Attributes:
      full: that of the epochs after the first ones.
      smaller: sides of equal parts of the first epochs, in their order.
      epochs: how many epochs these parts are together.
      steps_per_epoch: steps of each epoch.
    """

    full: int
    smaller: Sequence[int]
    epochs: int
    steps_per_epoch: int

    def at(self, step: int) -> int:
        """Return the side of a step, counted from the start of the run."""
        epoch = step // self.steps_per_epoch
        if epoch >= self.epochs:
            return self.full
        return self.smaller[epoch * len(self.smaller) // self.epochs]


def of_run(settings: run_config.Config, *, full: int, steps_per_epoch: int) -> Sides:
    """Return the sides that settings ask for; `evaluation_views.of_run` has checked them."""
    training = settings.training
    return Sides(
        full=full,
        smaller=training.progressive_px,
        epochs=training.progressive_epochs,
        steps_per_epoch=steps_per_epoch,
    )


def resized(images: tf.Tensor, *, side: int) -> tf.Tensor:
    """Return images float32[B, S, S, 3] as float32[B, side, side, 3], smoothed where smaller."""
    if side == images.shape[1]:
        return images
    return tf.image.resize(images, [side, side], antialias=True)
