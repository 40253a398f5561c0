"""Valence and arousal metrics: concordance (CCC), Pearson correlation, RMSE and sign agreement.

Owns their formulas, over the whole split at once. Averaging over batches was rejected because the
mean concordance of batches is not the concordance of the split.
"""

import dataclasses
import math

import numpy as np


@dataclasses.dataclass(frozen=True)
class AffectMetrics:
    """The agreement of predicted with annotated values of one quantity; NaN where undefined."""

    ccc: float
    """Concordance (Lin 1989, "A Concordance Correlation Coefficient to Evaluate Reproducibility",
    Biometrics 45)."""
    pearson: float
    rmse: float
    sign_agreement: float
    """Share of equal signs (SAGR: Nicolaou et al. 2011, IEEE Trans. Affective Computing 2(2)); the
    sign of 0 is 0."""
    num_examples: int


def evaluate(truth: np.ndarray, predicted: np.ndarray) -> AffectMetrics:
    """Evaluate float[N] predictions against float[N] annotations; NaN annotations are left out.

    Raises:
      ValueError: if the shapes differ, or a prediction is not a finite number.
    """
    if truth.shape != predicted.shape or truth.ndim != 1:
        raise ValueError(
            f"annotations and predictions must be of one shape [N]: got {truth.shape} and "
            f"{predicted.shape}"
        )
    annotated = ~np.isnan(truth)
    x = truth[annotated].astype(np.float64)
    y = predicted[annotated].astype(np.float64)
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
    """Return the concordance, 2 cov(x, y) / (var x + var y + (mean x - mean y)^2); NaN for 0 / 0.

    Moments are those of the population.
    """
    spread = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    return float(2 * _covariance(x, y) / spread) if spread else math.nan


def _pearson(x: np.ndarray, y: np.ndarray) -> float:
    spread = math.sqrt(x.var() * y.var())
    return _covariance(x, y) / spread if spread else math.nan


def _covariance(x: np.ndarray, y: np.ndarray) -> float:
    return float(((x - x.mean()) * (y - y.mean())).mean())
