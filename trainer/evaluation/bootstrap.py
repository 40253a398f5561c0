"""95 % intervals of the headline numbers, by bootstrap over pictures.

Percentile intervals of 1,000 resamples (Efron and Tibshirani 1993, "An Introduction to the
Bootstrap", Chapter 13). Pictures are drawn, not examples, so that copies of one picture are in a
resample together or not at all. Resampling predictions one by one and judging each was rejected: as
weights, all resamples are judged at once.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

RESAMPLES = 1000
_COVERAGE = 0.95
_MOST_WEIGHTS = 4_000_000
"""Weights held at a time."""


class Interval(NamedTuple):
    """Where the middle 95 % of the resamples lie."""

    low: float
    high: float


def bootstrap(
    labels: np.ndarray, probabilities: np.ndarray, *, groups: np.ndarray, seed: int = 0
) -> dict[str, Interval]:
    """Return an interval each for accuracy, top2_accuracy, balanced_accuracy, macro_f1 and
    m_measure.

    Args:
      labels: int[N], true classes.
      probabilities: float[N, C].
      groups: int[N], examples of one picture share a number.
      seed: of the resamples; the same seed gives the same intervals.
    """
    parts = [_numbers(labels, probabilities, w) for w in resamples(groups, seed=seed)]
    return {name: interval(np.concatenate([part[name] for part in parts])) for name in parts[0]}


def resamples(groups: np.ndarray, *, seed: int) -> Iterator[np.ndarray]:
    """Yield how often each example is in each resample, float64[R, N] at a time, RESAMPLES in all."""
    rng, num_groups = np.random.default_rng(seed), int(groups.max()) + 1
    at_once = max(1, min(RESAMPLES, _MOST_WEIGHTS // len(groups)))
    for start in range(0, RESAMPLES, at_once):
        count = min(at_once, RESAMPLES - start)
        drawn = rng.integers(num_groups, size=(count, num_groups))
        weights = np.stack([np.bincount(row, minlength=num_groups) for row in drawn])
        yield weights[:, groups].astype(np.float64)


def interval(values: np.ndarray) -> Interval:
    """Return the middle 95 % of values; NaN among them (a resample without a class) are passed
    over."""
    if np.isnan(values).all():
        return Interval(math.nan, math.nan)
    low, high = np.nanquantile(values, [(1 - _COVERAGE) / 2, (1 + _COVERAGE) / 2])
    return Interval(float(low), float(high))


def _numbers(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    ranked = np.argsort(-probabilities, axis=1, kind="stable")
    right, among_two = ranked[:, 0] == labels, (ranked[:, :2] == labels[:, None]).any(axis=1)
    recall, f1 = _by_class(labels, ranked[:, 0], weights, num_classes=probabilities.shape[1])
    total = weights.sum(axis=1)
    return {
        "accuracy": weights @ right / total,
        "top2_accuracy": weights @ among_two / total,
        "balanced_accuracy": _mean(recall.T),
        "macro_f1": _mean(f1.T),
        "m_measure": _m_measure(labels, probabilities, weights),
    }


def _by_class(
    labels: np.ndarray, predicted: np.ndarray, weights: np.ndarray, *, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return recall and F1 of each class in each resample, float[R, C], NaN where it has no
    example."""
    truth, said = (np.eye(num_classes)[classes] for classes in (labels, predicted))
    both, support, claimed = weights @ (truth * said), weights @ truth, weights @ said
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = both / support
        f1 = np.where(support > 0, 2 * both / (support + claimed), np.nan)
    return recall, f1


def _m_measure(labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return Hand & Till's M of each resample (see metrics._pair_areas), over the pairs that it has
    examples of."""
    present = np.unique(labels)
    rows = {k: np.flatnonzero(labels == k) for k in present}
    areas = [
        (
            _area(probabilities[:, i], rows[i], rows[j], weights)
            + _area(probabilities[:, j], rows[j], rows[i], weights)
        )
        / 2
        for n, i in enumerate(present)
        for j in present[n + 1 :]
    ]
    return _mean(np.array(areas)) if areas else np.full(len(weights), np.nan)


def _area(
    scores: np.ndarray, own: np.ndarray, other: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return A(i|j) of each resample: how often an own case scores above another one, ties counting
    half."""
    order = other[np.argsort(scores[other], kind="stable")]
    below = np.concatenate(
        [np.zeros((len(weights), 1)), np.cumsum(weights[:, order], axis=1)], axis=1
    )
    first, last = (
        np.searchsorted(scores[order], scores[own], side=side) for side in ("left", "right")
    )
    wins = (weights[:, own] * (below[:, first] + below[:, last]) / 2).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return wins / (weights[:, own].sum(axis=1) * below[:, -1])


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the means of float[K, R] over K, passing over NaN; NaN where there is nothing else."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0).sum(axis=0) / known.sum(axis=0)
