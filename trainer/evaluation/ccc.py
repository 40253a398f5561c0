"""Valence and arousal, predicted against annotated: the four numbers that the field reports.

Over the whole split at once, never averaged over batches: a concordance of parts is not the
concordance of the whole.
"""

import dataclasses
import math

import numpy as np


@dataclasses.dataclass(frozen=True)
class AffectMetrics:
    """How well predictions of one quantity agree with its annotations; NaN where undefined."""

    ccc: float
    """Concordance (Lin 1989, "A Concordance Correlation Coefficient to Evaluate Reproducibility",
    Biometrics 45)."""
    pearson: float
    rmse: float
    sign_agreement: float
    """Share of equal signs (SAGR: Nicolaou et al. 2011, IEEE Trans. Affective Computing 2(2)); 0 is
    its own sign."""
    num_examples: int


def evaluate(truth: np.ndarray, predicted: np.ndarray) -> AffectMetrics:
    """Measure float[N] predictions against float[N] annotations; rows with a NaN annotation are
    left out.

    Raises:
      ValueError: if the shapes differ, or a prediction is no number.
    """
    if truth.shape != predicted.shape or truth.ndim != 1:
        raise ValueError(
            f"annotations and predictions must be of one shape [N]: got {truth.shape} and {predicted.shape}"
        )
    given = ~np.isnan(truth)
    x, y = truth[given].astype(np.float64), predicted[given].astype(np.float64)
    if not np.isfinite(y).all():
        raise ValueError(f"predictions must be numbers: got {y[~np.isfinite(y)][0]}")
    if not len(x):
        return AffectMetrics(math.nan, math.nan, math.nan, math.nan, 0)
    return AffectMetrics(
        ccc=ccc(x, y),
        pearson=_pearson(x, y),
        rmse=float(np.sqrt(np.mean((x - y) ** 2))),
        sign_agreement=float(np.mean(np.sign(x) == np.sign(y))),
        num_examples=len(x),
    )


def ccc(x: np.ndarray, y: np.ndarray) -> float:
    """Return 2 cov(x, y) / (var x + var y + (mean x - mean y)^2), with population moments; NaN for
    0 / 0."""
    spread = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    return float(2 * _covariance(x, y) / spread) if spread else math.nan


def _pearson(x: np.ndarray, y: np.ndarray) -> float:
    spread = math.sqrt(x.var() * y.var())
    return _covariance(x, y) / spread if spread else math.nan


def _covariance(x: np.ndarray, y: np.ndarray) -> float:
    return float(((x - x.mean()) * (y - y.mean())).mean())
