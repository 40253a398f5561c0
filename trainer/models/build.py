"""Network construction from a run's configuration, to train it or to use what was trained.

A trained network is evaluated, used and exported in float32, whatever it was trained in: weights
are float32 in every precision, and runtimes would round half precision each in its own way.
"""

import dataclasses

import keras

from trainer.config import run_config
from trainer.models import dtype_policy, factory

PRECISION = "precision"
"""Entry of an evaluation's protocol, of a network that was trained in half precision."""


def network(settings: run_config.Config, *, image_size: int, num_classes: int) -> keras.Model:
    """Build the network that settings name, on the device of the calling scope."""
    with dtype_policy.building(settings.training.precision):
        return factory.build(
            settings.model,
            image_size=image_size,
            num_classes=num_classes,
            seed=settings.training.seed,
        )


def trained_network(
    settings: run_config.Config, *, image_size: int, num_classes: int
) -> keras.Model:
    """Build the network that settings name, as `network` does, to compute in float32."""
    training = dataclasses.replace(settings.training, precision="float32")
    in_float32 = dataclasses.replace(settings, training=training)
    return network(in_float32, image_size=image_size, num_classes=num_classes)
