"""Class activation map: which parts of an image spoke for a class, from a network's last map.

Owns HiResCAM (Draelos and Carin 2020, "Use HiResCAM instead of Grad-CAM for faithful explanations
of convolutional neural networks", arXiv:2011.08891): the features of the last map of the network
times the gradient of the class's logit, summed over the channels. Where the map is followed by
pooling or flattening and one dense layer, as in most of our architectures, the sum over all places
is the logit less its bias. Grad-CAM was rejected: it averages the gradient over the places first,
and after a flattening it shows places that did not count. After pooling by the mean the two are the
same.
"""

from collections.abc import Sequence

import cv2
import keras
import numpy as np
import tensorflow as tf

from trainer.config import evaluation_views
from trainer.models import dtype_policy, heads

_IMAGE_RANK = 4


class ClassActivation:
    """Network whose evidence for a class is mapped onto its images.

    Of several views of an image (--tta) the middle one is explained.
    """

    def __init__(self, network: keras.Model, *, views: evaluation_views.Views) -> None:
        """Find the last map of a network, which takes images float32[B, N, N, 3] in 0..255."""
        self._views = views
        outputs = [_last_map(network), heads.logits(network.output)]
        self._network = keras.Model(network.inputs, outputs)

    def maps(self, images: np.ndarray, *, classes: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return what spoke for a class in each image, 0..1 of the most: float32[B, S, S].

        What spoke against it is 0, and so is all of an image in which nothing spoke for it.

        Args:
          images: uint8[B, S, S, 3].
          classes: int[B].
        """
        found = np.maximum(self.contributions(images, classes=classes), 0)
        most = found.max(axis=(1, 2), keepdims=True)
        return np.stack([self._on_image(each) for each in found / np.maximum(most, 1e-12)])

    def contributions(
        self, images: np.ndarray, *, classes: Sequence[int] | np.ndarray
    ) -> np.ndarray:
        """Return what each place of the last map adds to the class's logit: float32[B, h, w]."""
        (top, left), side = self._views.places[0], self._views.crop_px
        view = images[:, top : top + side, left : left + side]
        given = tf.constant(view, tf.float32)
        chosen = tf.constant(np.asarray(classes), tf.int32)
        with dtype_policy.WITHOUT_TF32, tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(given)
            features, logits = self._network(given, training=False)
            of_class = tf.gather(logits, chosen, axis=1, batch_dims=1)
        gradient = tf.cast(tape.gradient(of_class, features), tf.float32)
        summed = tf.reduce_sum(tf.cast(features, tf.float32) * gradient, axis=-1)
        return np.asarray(summed.numpy())

    def _on_image(self, evidence: np.ndarray) -> np.ndarray:
        """Return float32[h, w] of the view at the size and the place of the image: [S, S]."""
        (top, left), side = self._views.places[0], self._views.crop_px
        whole = np.zeros((self._views.image_px, self._views.image_px), np.float32)
        resized = cv2.resize(evidence, (side, side), interpolation=cv2.INTER_LINEAR)
        whole[top : top + side, left : left + side] = resized
        return whole


def _last_map(network: keras.Model) -> keras.KerasTensor:
    """Return the last output of a layer that still has places: [B, h, w, C], more than one."""
    for layer in reversed(network.layers):
        shape: tuple[int, ...] = tuple(getattr(layer.output, "shape", ()))
        if len(shape) == _IMAGE_RANK and shape[1] * shape[2] > 1:
            return layer.output
    raise ValueError(f"{network.name} must have a layer with an output [B, h, w, C]: it has none")
