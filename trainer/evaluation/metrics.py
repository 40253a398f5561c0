"""The judgement: labels and class probabilities of one split to the numbers that describe a
classifier.

Owns the numbers, not their pictures (report) nor where the inputs come from (evaluate); free of
TensorFlow. The M measure is summed from ranks here rather than taken from scikit-learn's
roc_auc_score, which hides how many class pairs it used and refuses two columns; a test keeps the
two equal.
"""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn import metrics as sklearn_metrics

SUM_TOLERANCE = 1e-5
"""How far a row of probabilities may be from 1: passes a float32 softmax, stops a half-precision
one."""


@dataclasses.dataclass(frozen=True)
class Scores:
    """Precision, recall and F1 in 0..1, NaN where undefined, and the number of examples they speak
    for."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclasses.dataclass(frozen=True)
class ClassificationMetrics:
    """The numbers of one classifier on one split.

    A class without examples has no scores (NaN) and is left out of `macro`, `weighted` and
    `balanced_accuracy`. A class with examples that is never predicted has precision 0: silence
    earns nothing.
    """

    class_names: tuple[str, ...]
    accuracy: float
    top2_accuracy: float
    balanced_accuracy: float
    per_class: tuple[Scores, ...]
    macro: Scores
    weighted: Scores
    confusion: tuple[tuple[int, ...], ...]
    """Counts: confusion[truth][predicted]."""
    m_measure: float
    """Hand & Till's M over the class pairs that have examples of both; NaN if there is no such
    pair."""
    m_pairs_used: int
    m_pairs_possible: int

    @property
    def num_examples(self) -> int:
        """Return how many examples were judged."""
        return self.macro.support

    @property
    def absent(self) -> tuple[str, ...]:
        """Return the classes of which there was no example."""
        return tuple(
            n for n, s in zip(self.class_names, self.per_class, strict=True) if s.support == 0
        )

    @property
    def never_predicted(self) -> tuple[str, ...]:
        """Return the classes that had examples and were never predicted."""
        predicted = np.sum(self.confusion, axis=0)
        rows = zip(self.class_names, self.per_class, predicted, strict=True)
        return tuple(name for name, scores, count in rows if scores.support and not count)

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as plain JSON values; what is undefined is None."""
        fields = dataclasses.asdict(self)
        names = fields.pop("class_names")
        per_class = [{"name": n, **s} for n, s in zip(names, fields.pop("per_class"), strict=True)]
        heads = {"num_examples": self.num_examples, "class_names": names}
        gaps = {"absent": self.absent, "never_predicted": self.never_predicted}
        return plain({**heads, **fields, "per_class": per_class, **gaps})


def evaluate(
    labels: np.ndarray, probabilities: np.ndarray, *, class_names: Sequence[str]
) -> ClassificationMetrics:
    """Judge predicted probabilities against true labels.

    Args: labels: int[N], the true classes, 0..C-1. probabilities: float[N, C], each row summing to
      1 within SUM_TOLERANCE. Of equally probable classes the
        first counts as predicted.
      class_names: the C names, in the order of the labels.

    Raises:
      ValueError: if there is nothing to judge, or a shape, label or probability is not as above.
    """
    names = tuple(class_names)
    truth = _checked_labels(labels, names=names)
    scores = _checked_probabilities(probabilities, num_examples=len(truth), names=names)
    ranked = np.argsort(-scores, axis=1, kind="stable")
    per_class = _per_class(truth, ranked[:, 0], num_classes=len(names))
    present = [s for s in per_class if s.support]
    macro = _average(present, weights=[1] * len(present))
    areas = _pair_areas(truth, scores)
    return ClassificationMetrics(
        class_names=names,
        accuracy=float(np.mean(ranked[:, 0] == truth)),
        top2_accuracy=float(np.mean(np.any(ranked[:, :2] == truth[:, None], axis=1))),
        balanced_accuracy=macro.recall,
        per_class=per_class,
        macro=macro,
        weighted=_average(present, weights=[s.support for s in present]),
        confusion=_confusion(truth, ranked[:, 0], num_classes=len(names)),
        m_measure=float(np.mean(areas)) if areas else math.nan,
        m_pairs_used=len(areas),
        m_pairs_possible=math.comb(len(names), 2),
    )


def plain(value: Any) -> Any:
    """Turn tuples into lists and NaN into None, as JSON wants them."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _checked_labels(labels: np.ndarray, *, names: tuple[str, ...]) -> np.ndarray:
    truth = np.asarray(labels)
    if len(names) < 2:
        raise ValueError(f"class_names must hold at least 2 names: got {list(names)}")
    if truth.ndim != 1 or truth.dtype.kind not in "iu":
        raise ValueError(
            f"labels must be integers of shape [N]: got {truth.dtype} of shape {truth.shape}"
        )
    if truth.size == 0:
        raise ValueError("there must be at least one example to judge: got 0; is the split empty?")
    for row in np.flatnonzero((truth < 0) | (truth >= len(names))):
        raise ValueError(
            f"label must be 0..{len(names) - 1} ({names[0]} to {names[-1]}): got {truth[row]} in row {row}; "
            "take labels and class_names from the same config of the data set"
        )
    return truth


def _checked_probabilities(
    probabilities: np.ndarray, *, num_examples: int, names: tuple[str, ...]
) -> np.ndarray:
    scores = np.asarray(probabilities, dtype=np.float64)
    if scores.shape != (num_examples, len(names)):
        raise ValueError(
            f"probabilities must be a row a label and a column a class, ({num_examples}, {len(names)}): "
            f"got shape {scores.shape}"
        )
    for row, column in np.argwhere(~((scores >= 0) & (scores <= 1 + SUM_TOLERANCE))):
        raise ValueError(
            f"probability must be a number in 0..1: got {scores[row, column]} in row {row}, "
            f"class {names[column]}; give softmax outputs, and look at the loss if they are nan"
        )
    for row in np.flatnonzero(np.abs(scores.sum(axis=1) - 1) > SUM_TOLERANCE):
        raise ValueError(
            f"probabilities of an example must sum to 1: got {scores[row].sum():.6g} in row {row}; "
            "compute the softmax in float32, not in half precision"
        )
    return scores


def _per_class(truth: np.ndarray, predicted: np.ndarray, *, num_classes: int) -> tuple[Scores, ...]:
    columns = sklearn_metrics.precision_recall_fscore_support(
        truth, predicted, labels=np.arange(num_classes), zero_division=0
    )
    rows = (
        Scores(float(p), float(r), float(f), int(n)) for p, r, f, n in zip(*columns, strict=True)
    )
    return tuple(s if s.support else Scores(math.nan, math.nan, math.nan, 0) for s in rows)


def _average(present: Sequence[Scores], *, weights: Sequence[int]) -> Scores:
    rows = [(s.precision, s.recall, s.f1) for s in present]
    precision, recall, f1 = np.average(rows, axis=0, weights=weights)
    return Scores(float(precision), float(recall), float(f1), sum(s.support for s in present))


def _confusion(
    truth: np.ndarray, predicted: np.ndarray, *, num_classes: int
) -> tuple[tuple[int, ...], ...]:
    counts = sklearn_metrics.confusion_matrix(truth, predicted, labels=np.arange(num_classes))
    return tuple(tuple(row) for row in counts.tolist())


def _pair_areas(truth: np.ndarray, scores: np.ndarray) -> list[float]:
    """Return A(i, j) of each pair of classes present; their mean is M.

    Hand & Till 2001, "A simple generalisation of the area under the ROC curve for multiple class
    classification problems", Machine Learning 45:171-186, doi 10.1023/A:1010920819831, Eq. 7, with
    A(i, j) = (A(i|j) + A(j|i)) / 2.
    """
    columns = {int(k): scores[truth == k] for k in np.unique(truth)}
    return [
        (_area(columns[i][:, i], columns[j][:, i]) + _area(columns[j][:, j], columns[i][:, j])) / 2
        for i, j in itertools.combinations(columns, 2)
    ]


def _area(own: np.ndarray, other: np.ndarray) -> float:
    """Return A(i|j), how often a case of i has the higher probability of i than a case of j; ties
    count half.

    own, other: float[n_i] and float[n_j], the probabilities of class i of the cases of i and of j.
    Hand & Till 2001, Eq. 3: (S_i - n_i (n_i + 1) / 2) / (n_i n_j), with S_i the rank sum of `own`.
    """
    rank_sum = _mid_ranks(np.concatenate([own, other]))[: len(own)].sum()
    return float((rank_sum - len(own) * (len(own) + 1) / 2) / (len(own) * len(other)))


def _mid_ranks(values: np.ndarray) -> np.ndarray:
    """Rank from 1; equal values share the mean of the ranks they cover."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]
