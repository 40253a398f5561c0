"""Confidence intervals (95 %) of the headline metrics, by leaving out one image at a time.

Owns the jackknife of each metric (Efron and Tibshirani 1993, "An Introduction to the Bootstrap",
chapter 11) and the interval made of it. All examples of an image are left out together, so that
copies do not count as images.

Percentiles of bootstrap resamples and BCa (ibid., chapters 13 and 14) were rejected: on 400 images
of unequal classes they hold the true macro F1 in 91 and 93 of 100 splits, and this one in 96; for
the other metrics they differ by little (`benchmarks.interval_coverage`). A resample of a class of
ten varies less than the class does, an F1 of few images is biased, in its resamples twice, and
where every answer is correct all resamples are alike. The jackknife has no random numbers, and
takes the time of a few resamples.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np
from scipy import stats

_COVERAGE = 0.95


class Interval(NamedTuple):
    """The ends of a 95 % confidence interval; NaN for a metric that is undefined."""

    low: float
    high: float


class Jackknife(NamedTuple):
    """A metric between 0 and 1, and what each image adds to it."""

    value: float
    changes: np.ndarray
    """float[G]: the metric, less what it is without each image."""
    num_images: float
    """Images of a share that varies as much, were all of them equally likely to be correct."""


class Images(NamedTuple):
    """The G images of N examples."""

    of_example: np.ndarray  # int64[N], 0..G-1
    labels: np.ndarray  # int64[G]

    @property
    def total(self) -> int:
        """Return G."""
        return len(self.labels)


def classification(
    labels: np.ndarray, probabilities: np.ndarray, *, groups: np.ndarray
) -> dict[str, Interval]:
    """Return the interval of each headline metric, by name.

    The names are accuracy, top2_accuracy, balanced_accuracy, macro_f1 and m_measure.

    Args:
      labels: int[N], true classes.
      probabilities: float[N, C].
      groups: int[N], 0..G-1; examples of one image share a number.
    """
    images = Images(groups, labels[np.unique(groups, return_index=True)[1]])
    found = jackknives(labels, probabilities, images=images)
    return {name: interval(each, images=images) for name, each in found.items()}


def accuracy(labels: np.ndarray, predicted: np.ndarray, *, groups: np.ndarray) -> Interval:
    """Return the interval of the accuracy alone; arguments as those of `classification`."""
    images = Images(groups, labels[np.unique(groups, return_index=True)[1]])
    correct = labels == predicted
    return interval(_ratio(correct, np.ones(len(labels)), images=images), images=images)


def concordance(truth: np.ndarray, predicted: np.ndarray, *, groups: np.ndarray) -> Interval:
    """Return the interval of the concordance (CCC, see ccc.ccc) of valence or arousal.

    That of a share between 0 and 1 is made for (1 + CCC) / 2, as Lin 1989 takes Fisher's z of CCC.

    Args:
      truth: float[N]; NaN, where not annotated, is left out.
      predicted: float[N].
      groups: int[N], 0..G-1; examples of one image share a number.
    """
    annotated = ~np.isnan(truth)
    if not annotated.any():
        return Interval(math.nan, math.nan)
    of_example = np.unique(groups[annotated], return_inverse=True)[1]
    images = Images(of_example, np.zeros(of_example.max() + 1, np.int64))
    found = jackknife_of_ccc(truth[annotated], predicted[annotated], images=images)
    share = found._replace(value=(1 + found.value) / 2, changes=found.changes / 2)
    low, high = interval(share, images=images)
    return Interval(2 * low - 1, 2 * high - 1)


def jackknife_of_ccc(x: np.ndarray, y: np.ndarray, *, images: Images) -> Jackknife:
    """Return the CCC of float[N] and float[N], -1..1, and what each image adds to it."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    summed = (np.ones_like(x), x, y, x * x + y * y, x * y)
    sums = np.array([np.bincount(images.of_example, weights=each) for each in summed])
    total = sums.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(_concordance(total)[0])
        changes = value - _concordance(total - sums)
    return Jackknife(value, np.where(np.isfinite(changes), changes, 0.0), images.total)


def _concordance(sums: np.ndarray) -> np.ndarray:
    """Return the CCC of the sums of 1, x, y, x^2 + y^2 and x y: float[5, R] to float[R]."""
    count, x, y, squares, products = sums
    means = x * y / count**2
    return np.asarray(2 * (products / count - means) / (squares / count - 2 * means))


def jackknives(
    labels: np.ndarray, probabilities: np.ndarray, *, images: Images
) -> dict[str, Jackknife]:
    """Return the headline metrics by name, each with what each image adds to it."""
    ranked = np.argsort(-probabilities, axis=1, kind="stable")
    correct = ranked[:, 0] == labels
    in_top2 = (ranked[:, :2] == labels[:, None]).any(axis=1)
    everything = np.ones(len(labels))
    masks = [(labels == k, ranked[:, 0] == k) for k in np.unique(labels)]
    return {
        "accuracy": _ratio(correct, everything, images=images),
        "top2_accuracy": _ratio(in_top2, everything, images=images),
        "balanced_accuracy": _mean(
            [_ratio(true & correct, true, images=images) for true, _ in masks]
        ),
        "macro_f1": _mean(
            [
                _ratio(2.0 * (true & correct), true.astype(float) + predicted, images=images)
                for true, predicted in masks
            ]
        ),
        "m_measure": _m_measure(labels, probabilities, images=images),
    }


def interval(found: Jackknife, *, images: Images) -> Interval:
    """Return the interval of a metric between 0 and 1.

    It is Wilson's (1927, Journal of the American Statistical Association 22:209-212) for a share
    of as many images as would have the metric's variance (Korn and Graubard 1998, Survey
    Methodology 24:193-201), about the metric less its bias, and with the quantile of Student's t
    for the degrees of freedom that the variance has (Satterthwaite 1946, Biometrics Bulletin
    2:110-114). It holds the metric itself.
    """
    if math.isnan(found.value):
        return Interval(math.nan, math.nan)
    shrink = (images.total - 1) / images.total
    num_by_class = np.bincount(images.labels)
    by_class = shrink * np.bincount(images.labels, weights=found.changes**2)
    variance = float(by_class.sum())
    centre = min(max(found.value + shrink * float(found.changes.sum()), 0.0), 1.0)
    spread = centre * (1 - centre)
    if variance > 0 and spread > 0:
        degrees = variance**2 / (by_class**2 / np.maximum(num_by_class - 1, 1)).sum()
        low, high = _wilson(centre, num_images=spread / variance, degrees=float(degrees))
    else:  # All correct, or all wrong, or one image a class: nothing to measure a variance by.
        low, high = _wilson(found.value, num_images=found.num_images, degrees=math.inf)
    return Interval(min(low, found.value), max(high, found.value))


def _wilson(share: float, *, num_images: float, degrees: float) -> Interval:
    t = float(stats.t.ppf((1 + _COVERAGE) / 2, degrees))
    weight = t**2 / num_images
    middle = (share + weight / 2) / (1 + weight)
    half = t * math.sqrt(share * (1 - share) / num_images + (weight / t / 2) ** 2) / (1 + weight)
    return Interval(max(middle - half, 0.0), min(middle + half, 1.0))


def _ratio(counted: np.ndarray, of: np.ndarray, *, images: Images) -> Jackknife:
    """Return sum(counted) / sum(of), float[N] each, and what each image adds to it.

    An image that is all there is of the denominator adds nothing.
    """
    num_images = images.total
    above = np.bincount(images.of_example, weights=counted, minlength=num_images)
    below = np.bincount(images.of_example, weights=of, minlength=num_images)
    total = below.sum()
    value = above.sum() / total
    changes = np.zeros(num_images)
    np.divide(above - value * below, total - below, out=changes, where=total - below > 0)
    return Jackknife(float(value), changes, float((below > 0).sum()))


def _mean(found: list[Jackknife]) -> Jackknife:
    """Return the mean of metrics, which are of different images."""
    values, changes, sizes = zip(*found, strict=True)
    return Jackknife(
        float(np.mean(values)),
        np.mean(changes, axis=0),
        len(found) ** 2 / sum(1 / size for size in sizes),
    )


def _m_measure(labels: np.ndarray, probabilities: np.ndarray, *, images: Images) -> Jackknife:
    """Return Hand & Till's M over the pairs of classes with examples; see metrics._pair_areas."""
    present = np.unique(labels)
    if len(present) < 2:
        return Jackknife(math.nan, np.zeros(images.total), math.nan)
    by_pair = _mean(
        [
            _area(probabilities[:, i], labels == i, labels == j, images=images)
            for i, j in itertools.permutations(present, 2)
        ]
    )
    # Each image is in the pairs of its class with all others.
    return by_pair._replace(num_images=by_pair.num_images / (len(present) - 1))


def _area(
    scores: np.ndarray, positive: np.ndarray, negative: np.ndarray, *, images: Images
) -> Jackknife:
    """Return A(i|j), the share of pairs with the positive's score above; ties count half.

    The area is the mean over the positives of the share of negatives below each, and the mean over
    the negatives of the share of positives above (DeLong et al. 1988, Biometrics 44:837-845).
    """
    high, low = scores[positive], scores[negative]
    shares = np.zeros(len(scores))
    shares[positive] = _share_below(high, low)
    shares[negative] = 1 - _share_below(low, high)
    by_positives = _ratio(shares * positive, positive, images=images)
    by_negatives = _ratio(shares * negative, negative, images=images)
    return by_positives._replace(changes=by_positives.changes + by_negatives.changes)


def _share_below(scores: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return for each score the share of others that are lower, of equal ones half."""
    ordered = np.sort(others)
    first = np.searchsorted(ordered, scores, side="left")
    last = np.searchsorted(ordered, scores, side="right")
    return np.asarray((first + last) / 2 / len(others))
