"""Thumbnails of a report: which examples are shown as images, and how one is shown.

Owns the choice (the most confident of each cell of the confusion matrix, and the most confident
mistakes), so that only images that the page shows are read again.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from trainer.evaluation import predictions
from webpage import markup

SIDE = 80
"""Side of a thumbnail in pixels."""

PER_CELL = 9
MISTAKES = 16
_MAX_NAME = 36
"""Letters of a file name that are shown, from its end."""

Thumbnails = Mapping[int, bytes]
"""JPEG files by the example's index in its split."""


def wanted(preds: predictions.Predictions) -> np.ndarray:
    """Return the indices of the examples whose images the page needs: int64[K], ascending."""
    classes = range(len(preds.class_names))
    shown = [
        distinct(preds, in_cell(preds, truth=i, predicted=j))[:PER_CELL]
        for i in classes
        for j in classes
    ]
    return np.unique(np.concatenate([*shown, mistakes(preds)]))


def in_cell(preds: predictions.Predictions, *, truth: int, predicted: int) -> np.ndarray:
    """Return the indices of a confusion cell's examples, the most confident first."""
    is_in_cell = (preds.labels == truth) & (preds.predicted == predicted)
    return _by_confidence(preds, np.flatnonzero(is_in_cell))


def mistakes(preds: predictions.Predictions) -> np.ndarray:
    """Return the indices of the most confident mistakes."""
    wrong = np.flatnonzero(preds.labels != preds.predicted)
    return distinct(preds, _by_confidence(preds, wrong))[:MISTAKES]


def distinct(preds: predictions.Predictions, indices: np.ndarray) -> np.ndarray:
    """Return the first example of each image, in order: its copies would look the same."""
    return indices[np.sort(np.unique(preds.filenames[indices], return_index=True)[1])]


def gallery(
    preds: predictions.Predictions, indices: Sequence[int], *, thumbnails: Thumbnails
) -> markup.Markup:
    """Show examples side by side: image, truth and prediction, the file's name."""
    shown = [_example(preds, index, thumbnails.get(index)) for index in indices]
    return markup.element("div", shown, class_="grid pictures")


def short_name(name: str) -> str:
    """Return a file's name, or its end where it is long."""
    return name if len(name) <= _MAX_NAME else f"…{name[-_MAX_NAME:]}"


def _example(preds: predictions.Predictions, index: int, jpeg: bytes | None) -> markup.Markup:
    name = str(preds.filenames[index])
    truth = preds.class_names[preds.labels[index]]
    predicted = preds.class_names[preds.predicted[index]]
    image = None
    if jpeg:
        alt = f"{truth} taken for {predicted}"
        image = markup.image(jpeg, alt=alt, width=SIDE, height=SIDE)
    caption = f"{truth} → {predicted}, {preds.confidence[index]:.0%}"
    return markup.element(
        "figure",
        image,
        markup.element("p", caption, class_="prediction"),
        markup.name_of_file(short_name(name)),
        title=name,
    )


def _by_confidence(preds: predictions.Predictions, indices: np.ndarray) -> np.ndarray:
    return indices[np.argsort(-preds.confidence[indices], kind="stable")]
