"""Calibration: expected calibration error, reliability bins, and temperature scaling.

Owns the measures of Guo et al. 2017, "On Calibration of Modern Neural Networks", ICML,
arXiv:1706.04599. The temperature is evaluated by two-fold cross-fitting: evaluating it on the
examples that it was fitted on was rejected because the result would be too good. Log-softmax is
np.logaddexp here and not SciPy's: the last digits of published metrics.json depend on it.
"""

import dataclasses
import math
from typing import NamedTuple

import numpy as np
from scipy import optimize

NUM_BINS = 15
"""Bins of equal width, as in Guo et al. 2017, Section 3."""

_MIN_PROBABILITY = 1e-30
"""Smaller probabilities are raised to this before a logarithm."""

_TEMPERATURE_BOUNDS = (0.05, 20.0)


class Bin(NamedTuple):
    """Examples whose highest probability is in (low, high]; means are NaN if there are none."""

    low: float
    high: float
    num_examples: int
    confidence: float
    accuracy: float


@dataclasses.dataclass(frozen=True)
class Calibration:
    """The distance of predicted probabilities from observed frequencies."""

    ece: float
    """Expected calibration error of the highest probability, 0..1 (Guo et al. 2017, Eq. 3)."""
    nll: float
    """Mean negative log-likelihood of the true class, in nats."""
    brier: float
    """Mean squared distance from the true class's unit vector, 0..2 (Brier 1950)."""
    bins: tuple[Bin, ...]


@dataclasses.dataclass(frozen=True)
class Scaling:
    """Temperature scaling: the temperature, and the calibration after it."""

    temperature: float
    """Fitted on the whole split, by negative log-likelihood; above 1 the model is overconfident."""
    after: Calibration
    """Each half of the images evaluated at the temperature fitted on the other half."""


def measure(labels: np.ndarray, probabilities: np.ndarray) -> Calibration:
    """Measure the calibration of float[N, C] probabilities against int[N] labels."""
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    bin_index = np.clip(np.ceil(confidence * NUM_BINS).astype(np.int64) - 1, 0, NUM_BINS - 1)
    bins = tuple(
        _bin(k, confidence=confidence[bin_index == k], correct=correct[bin_index == k])
        for k in range(NUM_BINS)
    )
    gaps = (b.num_examples * abs(b.accuracy - b.confidence) for b in bins if b.num_examples)
    of_label = probabilities[np.arange(len(labels)), labels]
    one_hot = np.eye(probabilities.shape[1])[labels]
    return Calibration(
        ece=sum(gaps) / len(labels),
        nll=float(-np.log(np.maximum(of_label, _MIN_PROBABILITY)).mean()),
        brier=float(((probabilities - one_hot) ** 2).sum(axis=1).mean()),
        bins=bins,
    )


def scale(labels: np.ndarray, probabilities: np.ndarray, *, groups: np.ndarray) -> Scaling | None:
    """Fit a temperature, and evaluate it by two-fold cross-fitting; None for a single image.

    Args:
      labels: int[N].
      probabilities: float[N, C].
      groups: int[N], 0..G-1; examples of one image share a number and stay in one half.
    """
    if groups.max() < 1:
        return None
    shuffled = np.random.default_rng(0).permutation(groups.max() + 1)
    first_half = (shuffled % 2 == 0)[groups]
    scaled = np.empty_like(probabilities)
    for half in (first_half, ~first_half):
        temperature = fit_temperature(labels[~half], probabilities[~half])
        scaled[half] = apply_temperature(probabilities[half], temperature=temperature)
    return Scaling(
        temperature=fit_temperature(labels, probabilities), after=measure(labels, scaled)
    )


def fit_temperature(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the temperature with the least negative log-likelihood.

    The likelihood is convex in 1 / temperature, so that a bounded scalar search finds it.
    """
    logits = _logits(probabilities)
    rows = np.arange(len(labels))

    def nll(inverse: float) -> float:
        scores = logits * inverse
        return float((np.logaddexp.reduce(scores, axis=1) - scores[rows, labels]).mean())

    lowest, highest = _TEMPERATURE_BOUNDS
    minimum = optimize.minimize_scalar(
        nll, bounds=(1 / highest, 1 / lowest), method="bounded", options={"xatol": 1e-6}
    )
    return 1 / float(minimum.x)


def apply_temperature(probabilities: np.ndarray, *, temperature: float) -> np.ndarray:
    """Return the softmax of the logits divided by a temperature (Guo et al. 2017, Eq. 9)."""
    scores = _logits(probabilities) / temperature
    return np.exp(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True))


def _logits(probabilities: np.ndarray) -> np.ndarray:
    """Return logits up to a constant in each row, which cancels in the softmax."""
    return np.asarray(np.log(np.maximum(probabilities, _MIN_PROBABILITY)))


def _bin(k: int, *, confidence: np.ndarray, correct: np.ndarray) -> Bin:
    low = k / NUM_BINS
    high = (k + 1) / NUM_BINS
    if not len(correct):
        return Bin(low, high, 0, math.nan, math.nan)
    return Bin(low, high, len(correct), float(confidence.mean()), float(correct.mean()))
