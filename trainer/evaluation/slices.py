"""Slices: accuracy on parts of a split, by a quantity of each image or by a group it belongs to.

Owns how a split is divided: a quantity by its quartiles, so that all parts are equally certain, and
groups by their names. Parts at round numbers were rejected: of some data sets all images are in one
of them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from trainer.evaluation import intervals, predictions

_FEWEST = 8
"""Examples below which no parts are made."""


class Slice(NamedTuple):
    """Accuracy on a part of a split, with its 95 % interval."""

    name: str
    num_examples: int
    accuracy: float
    interval: intervals.Interval


class Quantity(NamedTuple):
    """A number of each example, float[N], NaN where there is none, and how it is written."""

    values: np.ndarray
    text: Callable[[float], str]


Attribute = Quantity | np.ndarray
"""A quantity, or the name of each example's group: str[N], "" for those of none."""


def of(
    preds: predictions.Predictions, *, attributes: Mapping[str, Attribute]
) -> dict[str, Sequence[Slice]]:
    """Return the slices by each attribute; one by which all examples are alike is left out."""
    found = {
        name: _by_quantity(each, preds) if isinstance(each, Quantity) else by_group(each, preds)
        for name, each in attributes.items()
    }
    return {name: each for name, each in found.items() if len(each) > 1}


def by_group(groups: np.ndarray, preds: predictions.Predictions) -> list[Slice]:
    """Return a slice of each group, in the order of their names; examples of none are left out."""
    names = np.unique(groups[groups != ""]).tolist()
    return [_slice(name, preds.only(groups == name)) for name in names]


def _by_quantity(quantity: Quantity, preds: predictions.Predictions) -> list[Slice]:
    """Return a slice of each quarter; of fewer parts where many values are equal."""
    values = np.where(np.isfinite(quantity.values), quantity.values, np.nan)
    known = values[~np.isnan(values)]
    if len(known) < _FEWEST:
        return []
    inner = np.unique(np.quantile(known, (0.25, 0.5, 0.75)))
    ends = [-np.inf, *inner[(inner > known.min()) & (inner < known.max())].tolist(), np.inf]
    parts = [
        (_between(low, high, text=quantity.text), (values > low) & (values <= high))
        for low, high in zip(ends, ends[1:], strict=False)
    ]
    return [_slice(name, preds.only(is_in)) for name, is_in in parts if is_in.any()]


def _between(low: float, high: float, *, text: Callable[[float], str]) -> str:
    if low == -np.inf:
        return f"up to {text(high)}"
    return f"above {text(low)}" if high == np.inf else f"{text(low)} to {text(high)}"


def _slice(name: str, preds: predictions.Predictions) -> Slice:
    correct = preds.labels == preds.predicted
    return Slice(
        name=name,
        num_examples=len(correct),
        accuracy=float(correct.mean()),
        interval=intervals.accuracy(preds.labels, preds.predicted, groups=preds.groups),
    )
