"""Pictures of what spoke for the classes of faces, from the crops that were classified."""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from trainer.config import evaluation_views
from trainer.explain import class_activation, overlay


class FacePictures:
    """Network whose evidence is drawn over crops of faces."""

    def __init__(
        self,
        network: keras.Model,
        *,
        views: evaluation_views.Views,
        to_input: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        """Take a network of one run.

        Args:
          network: takes images float32[B, N, N, 3] in 0..255.
          views: of the images that it is given.
          to_input: from a crop, uint8[S, S, 3], to the image, as classification does.
        """
        self._activation = class_activation.ClassActivation(network, views=views)
        self._to_input = to_input

    def of(self, crops: Sequence[np.ndarray], *, classes: Sequence[int]) -> list[np.ndarray]:
        """Return a picture, uint8[S, S, 3] RGB, of what spoke for a class in each crop."""
        if not crops:
            return []
        images = np.stack([self._to_input(crop) for crop in crops])
        maps = self._activation.maps(images, classes=classes)
        return [overlay.over(*pair) for pair in zip(crops, maps, strict=True)]
