"""Attributes of examples by which a report divides a split: face size, brightness, subset.

Owns how each is measured. Only what the records or the stored images say is here: the height of a
face in pixels is not among it, since records hold the box as a share of the original image.
"""

import numpy as np
import tensorflow as tf

from affectnet_tfds import labels
from trainer.data import examples
from trainer.evaluation import slices
from trainer.reports.sections import slice_charts

_CHUNK = 256
"""Images that are decoded together."""

_LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue: ITU-R BT.601."""


def of(split: examples.Split) -> dict[str, slices.Attribute]:
    """Return the attributes of a split's examples, by name."""
    found: dict[str, slices.Attribute] = {}
    if split.face_heights is not None:
        found[slice_charts.FACE_SIZE] = slices.Quantity(split.face_heights, "{:.0%}".format)
    found[slice_charts.BRIGHTNESS] = slices.Quantity(brightness(split), "{:.0f}".format)
    if split.subsets is not None:
        found[slice_charts.SUBSET] = subsets(split.subsets)
    return found


def brightness(split: examples.Split) -> np.ndarray:
    """Return the mean luma of each image, 0 to 255: float64[N]."""
    chunks = [
        _mean_luma(split.fetch(tf.range(first, min(first + _CHUNK, split.num_examples))).numpy())
        for first in range(0, split.num_examples, _CHUNK)
    ]
    return np.concatenate(chunks)


def subsets(codes: np.ndarray) -> np.ndarray:
    """Return the names of subsets, "" for a code that is none: str[N]."""
    names = np.array([*labels.SUBSETS, ""])
    is_known = (codes >= 0) & (codes < len(labels.SUBSETS))
    return names[np.where(is_known, codes, len(labels.SUBSETS))]


def _mean_luma(images: np.ndarray) -> np.ndarray:
    """Return the mean luma of uint8[K, S, S, 3]: float64[K]."""
    return np.asarray(images.mean(axis=(1, 2)) @ _LUMA)
