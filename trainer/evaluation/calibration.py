"""Whether probabilities mean what they say, and the one number that mends most of it.

Owns expected calibration error, the reliability diagram's numbers, and temperature scaling (Guo et
al. 2017, "On Calibration of Modern Neural Networks", ICML, arXiv:1706.04599). The temperature that
is judged was fitted on the other half of the split: fitted on the very examples it is judged on, it
would flatter itself.
"""

import dataclasses
import math
from typing import NamedTuple

import numpy as np
from scipy import optimize

NUM_BINS = 15
"""Bins of equal width, as in Guo et al. 2017, Section 3."""

_LOWEST = 1e-30
"""Probabilities below this count as this in a logarithm."""

_TEMPERATURES = (0.05, 20.0)


class Bin(NamedTuple):
    """The examples whose highest probability lies in (low, high]; means are NaN where there is
    none."""

    low: float
    high: float
    num_examples: int
    confidence: float
    accuracy: float


@dataclasses.dataclass(frozen=True)
class Calibration:
    """How far probabilities are from frequencies."""

    ece: float
    """Expected calibration error of the highest probability, 0..1 (Guo et al. 2017, Eq. 3)."""
    nll: float
    """Mean negative log-likelihood of the true class, in nats."""
    brier: float
    """Mean squared distance from the true class's unit vector, 0..2 (Brier 1950)."""
    bins: tuple[Bin, ...]


@dataclasses.dataclass(frozen=True)
class Scaling:
    """What dividing the logits by a temperature brings."""

    temperature: float
    """Fitted on the whole split, by negative log-likelihood; above 1 the model is too sure."""
    after: Calibration
    """Each half of the pictures judged with the temperature fitted on the other half."""


def measure(labels: np.ndarray, probabilities: np.ndarray) -> Calibration:
    """Measure int[N] labels against float[N, C] probabilities."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = np.clip(np.ceil(confidence * NUM_BINS).astype(np.int64) - 1, 0, NUM_BINS - 1)
    bins = tuple(
        _bin(k, confidence=confidence[place == k], right=right[place == k]) for k in range(NUM_BINS)
    )
    of_truth = probabilities[np.arange(len(labels)), labels]
    unit = np.eye(probabilities.shape[1])[labels]
    return Calibration(
        ece=sum(b.num_examples * abs(b.accuracy - b.confidence) for b in bins if b.num_examples)
        / len(labels),
        nll=float(-np.log(np.maximum(of_truth, _LOWEST)).mean()),
        brier=float(((probabilities - unit) ** 2).sum(axis=1).mean()),
        bins=bins,
    )


def scale(labels: np.ndarray, probabilities: np.ndarray, *, groups: np.ndarray) -> Scaling | None:
    """Fit a temperature and judge it on what it was not fitted on; None for fewer than two
    pictures.

    Args:
      labels: int[N].
      probabilities: float[N, C].
      groups: int[N], examples of one picture share a number and stay in one half.
    """
    if groups.max() < 1:
        return None
    shuffled = np.random.default_rng(0).permutation(groups.max() + 1)
    first = (shuffled % 2 == 0)[groups]
    mended = np.empty_like(probabilities)
    for part, other in ((first, ~first), (~first, first)):
        mended[part] = scaled(
            probabilities[part], temperature=fit(labels[other], probabilities[other])
        )
    return Scaling(temperature=fit(labels, probabilities), after=measure(labels, mended))


def fit(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the temperature with the least negative log-likelihood.

    It is convex in 1 / temperature, so that a search in one dimension finds it.
    """
    logits, rows = _logits(probabilities), np.arange(len(labels))

    def nll(inverse: float) -> float:
        scores = logits * inverse
        return float((np.logaddexp.reduce(scores, axis=1) - scores[rows, labels]).mean())

    low, high = (1 / temperature for temperature in reversed(_TEMPERATURES))
    found = optimize.minimize_scalar(
        nll, bounds=(low, high), method="bounded", options={"xatol": 1e-6}
    )
    return 1 / float(found.x)


def scaled(probabilities: np.ndarray, *, temperature: float) -> np.ndarray:
    """Return the softmax of the logits divided by a temperature (Guo et al. 2017, Eq. 9)."""
    scores = _logits(probabilities) / temperature
    return np.exp(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True))


def _logits(probabilities: np.ndarray) -> np.ndarray:
    """Logits but for a constant in each row, which no softmax sees."""
    return np.log(np.maximum(probabilities, _LOWEST))


def _bin(k: int, *, confidence: np.ndarray, right: np.ndarray) -> Bin:
    means = (float(confidence.mean()), float(right.mean())) if len(right) else (math.nan, math.nan)
    return Bin(k / NUM_BINS, (k + 1) / NUM_BINS, len(right), *means)
