"""Which examples a page shows as pictures, and how one is shown."""

from collections.abc import Mapping, Sequence

import numpy as np

from trainer.evaluation import predictions
from webpage import markup

SIDE = 80
"""Side of a thumbnail in pixels."""

PER_CELL = 9
MISTAKES = 16

Thumbnails = Mapping[int, bytes]
"""JPEG files by the example's number in its split."""


def wanted(made: predictions.Predictions) -> np.ndarray:
    """Return the numbers of the examples whose pictures the page needs: int64[K], ascending."""
    classes = range(len(made.class_names))
    cells = [in_cell(made, truth=truth, predicted=said) for truth in classes for said in classes]
    return np.unique(
        np.concatenate([*(distinct(made, cell)[:PER_CELL] for cell in cells), mistakes(made)])
    )


def in_cell(made: predictions.Predictions, *, truth: int, predicted: int) -> np.ndarray:
    """Return the numbers of the examples of a cell of the confusion matrix, the most confident
    first."""
    return _by_confidence(
        made, np.flatnonzero((made.labels == truth) & (made.predicted == predicted))
    )


def mistakes(made: predictions.Predictions) -> np.ndarray:
    """Return the numbers of the most confident mistakes."""
    return distinct(made, _by_confidence(made, np.flatnonzero(made.labels != made.predicted)))[
        :MISTAKES
    ]


def distinct(made: predictions.Predictions, numbers: np.ndarray) -> np.ndarray:
    """Return the first example of each picture, in their order: further copies would show the same
    again."""
    return numbers[np.sort(np.unique(made.filenames[numbers], return_index=True)[1])]


def pictures(
    made: predictions.Predictions, numbers: Sequence[int], *, thumbnails: Thumbnails
) -> markup.Markup:
    """Show examples side by side: picture, truth and prediction, the file's name."""
    return markup.element(
        "div", [_shown(made, n, thumbnails.get(n)) for n in numbers], class_="grid pictures"
    )


def _shown(made: predictions.Predictions, number: int, jpeg: bytes | None) -> markup.Markup:
    name = str(made.filenames[number])
    truth, said = (made.class_names[k] for k in (made.labels[number], made.predicted[number]))
    return markup.element(
        "figure",
        markup.picture(jpeg, alt=f"{truth} taken for {said}", width=SIDE, height=SIDE)
        if jpeg
        else None,
        markup.element("p", f"{truth} → {said}, {made.confidence[number]:.0%}", class_="said"),
        markup.name_of_file(name if len(name) <= _LONGEST else f"…{name[-_LONGEST:]}"),
        title=name,
    )


_LONGEST = 36


def _by_confidence(made: predictions.Predictions, numbers: np.ndarray) -> np.ndarray:
    return numbers[np.argsort(-made.confidence[numbers], kind="stable")]
