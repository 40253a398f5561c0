"""Bootstrap confidence intervals (95 %) of the headline metrics, resampled by image.

Owns percentile intervals of 1,000 resamples (Efron and Tibshirani 1993, "An Introduction to the
Bootstrap", Chapter 13). Images are drawn, not examples, so that all copies of an image are in a
resample or none. Evaluating each resample by itself was rejected because it is slow: as weights, a
whole block of resamples is evaluated at once. For the same reason the M measure is computed here
from weighted cumulative sums: scipy.stats.rankdata takes no weights.
"""

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

RESAMPLES = 1000
_COVERAGE = 0.95
_MAX_WEIGHTS = 4_000_000
"""Weights held in memory at a time."""


class Interval(NamedTuple):
    """The range of the middle 95 % of the resamples."""

    low: float
    high: float


def bootstrap(
    labels: np.ndarray, probabilities: np.ndarray, *, groups: np.ndarray, seed: int = 0
) -> dict[str, Interval]:
    """Return the interval of each headline metric, by name.

    The names are accuracy, top2_accuracy, balanced_accuracy, macro_f1 and m_measure.

    Args:
      labels: int[N], true classes.
      probabilities: float[N, C].
      groups: int[N], 0..G-1; examples of one image share a number.
      seed: of the resamples; the same seed gives the same intervals.
    """
    blocks = [_metrics(labels, probabilities, w) for w in resamples(groups, seed=seed)]
    return {name: interval(np.concatenate([b[name] for b in blocks])) for name in blocks[0]}


def resamples(groups: np.ndarray, *, seed: int) -> Iterator[np.ndarray]:
    """Yield each example's count in each resample, float64[R, N] a block, RESAMPLES rows in all."""
    rng = np.random.default_rng(seed)
    num_groups = int(groups.max()) + 1
    block_size = max(1, min(RESAMPLES, _MAX_WEIGHTS // len(groups)))
    for start in range(0, RESAMPLES, block_size):
        size = (min(block_size, RESAMPLES - start), num_groups)
        drawn = rng.integers(num_groups, size=size)
        weights = np.stack([np.bincount(row, minlength=num_groups) for row in drawn])
        yield weights[:, groups].astype(np.float64)


def interval(values: np.ndarray) -> Interval:
    """Return the middle 95 % of values, without NaN (resamples that lack a needed class)."""
    if np.isnan(values).all():
        return Interval(math.nan, math.nan)
    low, high = np.nanquantile(values, [(1 - _COVERAGE) / 2, (1 + _COVERAGE) / 2])
    return Interval(float(low), float(high))


def _metrics(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the headline metrics of weighted examples, float64[R] each; weights: float64[R, N]."""
    ranked = np.argsort(-probabilities, axis=1, kind="stable")
    correct = ranked[:, 0] == labels
    in_top2 = (ranked[:, :2] == labels[:, None]).any(axis=1)
    recall, f1 = _by_class(labels, ranked[:, 0], weights, num_classes=probabilities.shape[1])
    total = weights.sum(axis=1)
    return {
        "accuracy": weights @ correct / total,
        "top2_accuracy": weights @ in_top2 / total,
        "balanced_accuracy": _mean(recall.T),
        "macro_f1": _mean(f1.T),
        "m_measure": _m_measure(labels, probabilities, weights),
    }


def _by_class(
    labels: np.ndarray, predicted: np.ndarray, weights: np.ndarray, *, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return recall and F1 of each class in each resample, float[R, C]; NaN without an example."""
    one_hot = np.eye(num_classes)
    is_label = one_hot[labels]
    is_predicted = one_hot[predicted]
    true_positives = weights @ (is_label * is_predicted)
    num_labels = weights @ is_label
    num_predicted = weights @ is_predicted
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = true_positives / num_labels
        f1 = 2 * true_positives / (num_labels + num_predicted)
    return recall, np.where(num_labels > 0, f1, np.nan)


def _m_measure(labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return Hand & Till's M of each resample, float64[R], over the class pairs in it.

    The unweighted one is metrics._pair_areas.
    """
    rows = {k: np.flatnonzero(labels == k) for k in np.unique(labels)}
    areas = [
        (
            _area(probabilities[:, i], rows[i], rows[j], weights)
            + _area(probabilities[:, j], rows[j], rows[i], weights)
        )
        / 2
        for i, j in itertools.combinations(rows, 2)
    ]
    return _mean(np.array(areas)) if areas else np.full(len(weights), np.nan)


def _area(
    scores: np.ndarray, positives: np.ndarray, negatives: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return A(i|j) of each resample: the share of pairs with the positive's score above.

    Ties count half.
    """
    ascending = negatives[np.argsort(scores[negatives], kind="stable")]
    no_weight = np.zeros((len(weights), 1))
    cumulative = np.cumsum(weights[:, ascending], axis=1)
    below = np.concatenate([no_weight, cumulative], axis=1)
    first = np.searchsorted(scores[ascending], scores[positives], side="left")
    last = np.searchsorted(scores[ascending], scores[positives], side="right")
    wins = (weights[:, positives] * (below[:, first] + below[:, last]) / 2).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(wins / (weights[:, positives].sum(axis=1) * below[:, -1]))


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the means of float[K, R] over K without NaN; NaN where all are."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0).sum(axis=0) / known.sum(axis=0))
