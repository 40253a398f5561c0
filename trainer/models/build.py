"""Network construction from a run's configuration."""

import keras

from trainer.config import run_config
from trainer.models import dtype_policy, factory


def network(settings: run_config.Config, *, image_size: int, num_classes: int) -> keras.Model:
    """Build the network that settings name, on the device of the calling scope."""
    with dtype_policy.building(settings.training.precision):
        return factory.build(
            settings.model,
            image_size=image_size,
            num_classes=num_classes,
            seed=settings.training.seed,
        )
