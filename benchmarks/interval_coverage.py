"""Benchmark of confidence intervals: how often each kind holds the number of all images.

python -m benchmarks.interval_coverage draws `--trials` validation splits of `--examples` images of
eight unequal classes from a classifier whose metrics are known, makes the 95 % intervals of
trainer.evaluation.intervals and those of the percentile bootstrap and of BCa (Efron and Tibshirani
1993, "An Introduction to the Bootstrap", chapters 13 and 14), and prints a Markdown table of how
often each holds the true number, and of its mean width. Seeded: the same flags print the same.
"""

import collections
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from absl import flags
from scipy import special, stats

from benchmarks import command_line
from trainer.evaluation import ccc, intervals, metrics

TRIALS = flags.DEFINE_integer("trials", 400, "splits that are drawn")
EXAMPLES = flags.DEFINE_integer("examples", 400, "images of a split")
RESAMPLES = flags.DEFINE_integer("resamples", 400, "bootstrap resamples of each split")
SEED = flags.DEFINE_integer("seed", 0, "seed of all draws")

SHARES = np.array((0.34, 0.24, 0.13, 0.10, 0.07, 0.05, 0.045, 0.025))
"""Of the classes: a natural validation split."""

_NUM_CLASSES = len(SHARES)
_NUM_KNOWN = 40_000
"""Images of each class from which the true numbers are computed."""

Metrics = Mapping[str, np.ndarray]
"""Metrics by name, float[R] each, of R resamples."""


def draw(labels: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """Return probabilities, float[N, C], that favour frequent classes, as a network's do."""
    scores = rng.normal(size=(len(labels), _NUM_CLASSES))
    scores[np.arange(len(labels)), labels] += 1.5
    return np.asarray(special.softmax(1.5 * scores + np.log(SHARES), axis=1))


def draw_affect(num_examples: int, *, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return annotated and predicted valence, float[N] each."""
    truth = rng.uniform(-1, 1, num_examples)
    return truth, np.clip(0.6 * truth + rng.normal(0.1, 0.3, num_examples), -1, 1)


def true_metrics(*, rng: np.random.Generator) -> dict[str, float]:
    """Return the metrics of all images, with the classes in their shares."""
    labels = np.repeat(np.arange(_NUM_CLASSES), _NUM_KNOWN)
    names = [str(k) for k in range(_NUM_CLASSES)]
    found = metrics.evaluate(labels, draw(labels, rng=rng), class_names=names)
    joint = SHARES[:, None] * np.array(found.confusion) / _NUM_KNOWN
    return {
        "accuracy": np.trace(joint),
        "balanced_accuracy": found.balanced_accuracy,
        "macro_f1": (2 * np.diag(joint) / (SHARES + joint.sum(axis=0))).mean(),
        "m_measure": found.m_measure,
        "valence_ccc": ccc.ccc(*draw_affect(1_000_000, rng=rng)),
    }


def weighted_metrics(labels: np.ndarray, probs: np.ndarray, weights: np.ndarray) -> Metrics:
    """Return the metrics of resamples, given the weights of the examples, float[R, N]."""
    predicted = probs.argmax(axis=1)
    correct = predicted == labels
    one_hot = np.eye(_NUM_CLASSES)
    num_labels, hits = weights @ one_hot[labels], weights @ (one_hot[labels] * correct[:, None])
    with np.errstate(invalid="ignore"):
        recall = hits / num_labels
        f1 = 2 * hits / (num_labels + weights @ one_hot[predicted])
    return {
        "accuracy": weights @ correct / weights.sum(axis=1),
        "balanced_accuracy": np.nanmean(recall, axis=1),
        "macro_f1": np.nanmean(np.where(num_labels > 0, f1, np.nan), axis=1),
        "m_measure": _m_measure(labels, probs, weights),
    }


def _m_measure(labels: np.ndarray, probs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the weighted mean of the areas A(i|j) over pairs of classes, float[R]."""
    one_hot = np.eye(_NUM_CLASSES)[labels]
    num_labels = weights @ one_hot
    areas = []
    for i in np.unique(labels):
        positive = labels == i
        is_above = probs[positive, i][:, None] > probs[:, i]
        wins = (weights[:, positive] @ is_above * weights) @ one_hot
        with np.errstate(invalid="ignore"):
            areas.append(np.delete(wins / (num_labels[:, i : i + 1] * num_labels), i, axis=1))
    return np.asarray(np.nanmean(np.concatenate(areas, axis=1), axis=1))


def weighted_ccc(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the CCC of resamples, float[R], given the weights of the examples, float[R, N]."""
    total = weights.sum(axis=1)
    mean_x, mean_y = weights @ x / total, weights @ y / total
    covariance = weights @ (x * y) / total - mean_x * mean_y
    return np.asarray(2 * covariance / (weights @ (x * x + y * y) / total - 2 * mean_x * mean_y))


def percentile(resampled: np.ndarray) -> tuple[float, float]:
    """Return the interval of the middle 95 % of the resamples."""
    low, high = np.nanquantile(resampled, (0.025, 0.975))
    return float(low), float(high)


def bca(resampled: np.ndarray, *, value: float, changes: np.ndarray) -> tuple[float, float]:
    """Return the bias-corrected and accelerated interval.

    Efron and Tibshirani 1993, Eq. 14.9 to 14.15.

    Args:
      resampled: float[R], the metric of each resample.
      value: the metric.
      changes: float[N], the metric less what it is without each example.
    """
    known = resampled[~np.isnan(resampled)]
    below = ((known < value).mean() + (known <= value).mean()) / 2
    bias = stats.norm.ppf(np.clip(below, 1e-4, 1 - 1e-4))
    centred = changes - changes.mean()
    acceleration = (centred**3).sum() / (6 * (centred**2).sum() ** 1.5)
    shifted = bias + stats.norm.ppf((0.025, 0.975))
    low, high = np.quantile(known, stats.norm.cdf(bias + shifted / (1 - acceleration * shifted)))
    return float(low), float(high)


def trial(*, rng: np.random.Generator) -> Iterator[tuple[str, str, tuple[float, float]]]:
    """Draw one split; yield metric, method and interval of each."""
    count = EXAMPLES.value
    labels, groups = rng.choice(_NUM_CLASSES, size=count, p=SHARES), np.arange(count)
    probs, affect = draw(labels, rng=rng), draw_affect(count, rng=rng)
    ours = intervals.classification(labels, probs, groups=groups)
    ours["valence_ccc"] = intervals.concordance(*affect, groups=groups)
    weights = rng.multinomial(count, np.full(count, 1 / count), RESAMPLES.value).astype(float)
    images = intervals.Images(groups, labels)
    found = intervals.jackknives(labels, probs, images=images)
    found["valence_ccc"] = intervals.jackknife_of_ccc(*affect, images=images)
    resampled = dict(weighted_metrics(labels, probs, weights))
    resampled["valence_ccc"] = weighted_ccc(*affect, weights)
    for name, values in resampled.items():
        yield name, "percentile bootstrap", percentile(values)
        yield name, "BCa", bca(values, value=found[name].value, changes=found[name].changes)
        yield name, "ours (jackknife)", ours[name]


def main(argv: Sequence[str]) -> None:
    """Measure, and print a table."""
    rng = np.random.default_rng(SEED.value)
    truth = true_metrics(rng=rng)
    found: dict[tuple[str, str], list[tuple[float, float]]] = collections.defaultdict(list)
    for _ in range(TRIALS.value):
        for name, method, ends in trial(rng=rng):
            found[name, method].append(ends)
    print("| metric | true | method | holds it | too high | too low | width |")
    print("|---|---|---|---|---|---|---|")
    for name, value in truth.items():
        for (metric, method), ends in found.items():
            if metric == name:
                low, high = np.array(ends).T
                misses = (low > value).mean(), (high < value).mean()
                print(
                    f"| {name} | {value:.3f} | {method} | {1 - sum(misses):.1%} | {misses[0]:.1%} "
                    f"| {misses[1]:.1%} | {(high - low).mean():.3f} |"
                )


if __name__ == "__main__":
    command_line.run(main)
