"""Largest gap between groups: of accuracy, and of accuracy at the same classes, with intervals.

Owns the bootstrap of a gap. The two groups are chosen because they are furthest apart, so that the
percentiles of their difference alone would not hold the true one often enough; the interval is that
of all pairs together: the largest studentised error of any pair, in resamples of the images within
their groups, is what an interval has to allow for (Westfall and Young 1993, "Resampling-Based
Multiple Testing", section 2.3).
"""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from trainer.evaluation import intervals

RESAMPLES = 2_000
_COVERAGE = 0.95


@dataclasses.dataclass(frozen=True, kw_only=True)
class Images:
    """The images of the groups that are compared, M of them in G groups.

    Copies of an image are taken together, so that they do not count as images.
    """

    group: np.ndarray  # int64[M], 0..G-1
    label: np.ndarray  # int64[M]
    correct: np.ndarray  # float64[M], 0..1: the share of its copies that are correct


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gap:
    """The two groups that are furthest apart in a number, and by how much."""

    best: int
    worst: int
    difference: float
    interval: intervals.Interval


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gaps:
    """Largest gaps of G groups.

    `adjusted`, float[G], is each group's accuracy if its classes were those of all groups together:
    the accuracy of all, plus the mean over the group's images of correct less the accuracy of the
    image's class (indirect standardisation).
    """

    accuracy: Gap
    adjusted: np.ndarray
    of_adjusted: Gap


def measure(images: Images, *, seed: int = 0) -> Gaps:
    """Return the largest gaps of two groups or more."""
    rng = np.random.default_rng(seed)
    num_groups = int(images.group.max()) + 1
    kinds = [_kinds(images, group=group) for group in range(num_groups)]
    as_found = [kind.counts[None] for kind in kinds]
    accuracy, adjusted = (each[0] for each in _numbers(as_found, kinds))
    draws = [
        rng.multinomial(kind.counts.sum(), kind.counts / kind.counts.sum(), RESAMPLES)
        for kind in kinds
    ]
    resampled_accuracy, resampled_adjusted = _numbers(draws, kinds)
    floor = _variance_floor(images, num_groups=num_groups)
    return Gaps(
        accuracy=_largest(accuracy, resampled_accuracy, floor=floor),
        adjusted=adjusted,
        of_adjusted=_largest(adjusted, resampled_adjusted, floor=floor),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Kinds:
    """Images of a group by class and correctness, K kinds of them.

    A resample of the images is one of the counts of kinds, which is multinomial.
    """

    counts: np.ndarray  # int64[K]
    correct: np.ndarray  # float64[K]
    classes: np.ndarray  # float64[K, C], one-hot


def _kinds(images: Images, *, group: int) -> _Kinds:
    own = images.group == group
    pairs = np.stack([images.label[own], images.correct[own]], axis=1)
    kinds, counts = np.unique(pairs, axis=0, return_counts=True)
    classes = np.eye(int(images.label.max()) + 1)[kinds[:, 0].astype(np.int64)]
    return _Kinds(counts=counts, correct=kinds[:, 1], classes=classes)


def _numbers(
    counts: Sequence[np.ndarray], kinds: Sequence[_Kinds]
) -> tuple[np.ndarray, np.ndarray]:
    """Return accuracy and adjusted accuracy, float[R, G] each, of int[R, K] for each group."""
    pairs = [*zip(counts, kinds, strict=True)]
    total = np.stack([count @ kind.classes for count, kind in pairs], axis=1)  # [R, G, C]
    hits = np.stack([(count * kind.correct) @ kind.classes for count, kind in pairs], axis=1)
    by_class = hits.sum(axis=1) / np.maximum(total.sum(axis=1), 1)  # [R, C]
    sizes = total.sum(axis=2)
    accuracy = hits.sum(axis=2) / sizes
    expected = (total * by_class[:, None]).sum(axis=2) / sizes
    overall = hits.sum(axis=(1, 2)) / total.sum(axis=(1, 2))
    return accuracy, overall[:, None] + accuracy - expected


def _variance_floor(images: Images, *, num_groups: int) -> np.ndarray:
    """Return the least variance of each group's accuracy: resamples of only correct images have 0.

    Agresti and Coull 1998, The American Statistician 52:119-126: two images of each kind are added.
    """
    sizes = np.bincount(images.group, minlength=num_groups)
    hits = np.bincount(images.group, weights=images.correct, minlength=num_groups)
    share = (hits + 2) / (sizes + 4)
    is_uniform = (hits == 0) | (hits == sizes)
    return np.asarray(np.where(is_uniform, share * (1 - share) / (sizes + 4), 0.0))


def _largest(values: np.ndarray, resampled: np.ndarray, *, floor: np.ndarray) -> Gap:
    """Return the largest gap of float[G] with the interval that holds for all pairs at once."""
    pairs = np.array(list(itertools.combinations(range(len(values)), 2)))
    first, second = pairs.T
    differences = values[first] - values[second]
    errors = resampled[:, first] - resampled[:, second] - differences
    spread = np.sqrt(errors.var(axis=0) + floor[first] + floor[second])
    spread = np.maximum(spread, 1e-9)
    quantile = np.quantile(np.abs(errors / spread).max(axis=1), _COVERAGE)
    quantile = max(float(quantile), _NORMAL)
    best, worst = int(values.argmax()), int(values.argmin())
    if best == worst:  # All are equal: a gap is between two groups even so.
        worst = 1
    difference = float(values[best] - values[worst])
    of_pair = {(best, worst), (worst, best)}
    at = next((k for k, pair in enumerate(pairs.tolist()) if tuple(pair) in of_pair), 0)
    half = quantile * float(spread[at])
    low, high = max(difference - half, -1.0), min(difference + half, 1.0)
    return Gap(
        best=best, worst=worst, difference=difference, interval=intervals.Interval(low, high)
    )


_NORMAL = 1.959964
"""Quantile of one pair in large groups: where no image is wrong, resamples show no error at all."""
