"""Classification metrics: accuracy, precision, recall, F1, confusion matrix and the M measure.

Owns the numbers of one split, computed from labels and class probabilities; free of TensorFlow.
The M measure is summed from ranks here: scikit-learn's roc_auc_score was rejected because it hides
how many class pairs it used and refuses two columns; a test keeps the two equal.
"""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats
from sklearn import metrics as sklearn_metrics

SUM_TOLERANCE = 1e-5
"""How far the sum of a row may be from 1: passes a float32 softmax, not a half-precision one."""


@dataclasses.dataclass(frozen=True)
class Scores:
    """Precision, recall and F1 in 0..1 (NaN where undefined), and the number of examples."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclasses.dataclass(frozen=True)
class ClassificationMetrics:
    """The metrics of one classifier on one split.

    A class without examples has no scores (NaN) and is left out of `macro`, `weighted` and
    `balanced_accuracy`. A class with examples that is never predicted counts with precision 0.
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
    """Hand & Till's M over the class pairs with examples of both; NaN without such a pair."""
    m_pairs_used: int
    m_pairs_possible: int

    @property
    def num_examples(self) -> int:
        """Return the number of evaluated examples."""
        return self.macro.support

    @property
    def absent(self) -> tuple[str, ...]:
        """Return the classes without examples."""
        return tuple(
            name
            for name, scores in zip(self.class_names, self.per_class, strict=True)
            if scores.support == 0
        )

    @property
    def never_predicted(self) -> tuple[str, ...]:
        """Return the classes with examples that are never predicted."""
        predicted = np.sum(self.confusion, axis=0)
        rows = zip(self.class_names, self.per_class, predicted, strict=True)
        return tuple(name for name, scores, count in rows if scores.support and not count)

    def to_json(self) -> dict[str, Any]:
        """Return the metrics as plain JSON values; what is undefined is None."""
        fields = dataclasses.asdict(self)
        names = fields.pop("class_names")
        all_scores = fields.pop("per_class")
        numbers: dict[str, Any] = plain(
            {
                "num_examples": self.num_examples,
                "class_names": names,
                **fields,
                "per_class": [
                    {"name": name, **scores} for name, scores in zip(names, all_scores, strict=True)
                ],
                "absent": self.absent,
                "never_predicted": self.never_predicted,
            }
        )
        return numbers


def evaluate(
    labels: np.ndarray, probabilities: np.ndarray, *, class_names: Sequence[str]
) -> ClassificationMetrics:
    """Evaluate predicted probabilities against true labels.

    Args:
      labels: int[N], the true classes, 0..C-1.
      probabilities: float[N, C], each row summing to 1 within SUM_TOLERANCE. Of equally probable
        classes the first counts as predicted.
      class_names: the C names, in the order of the labels.

    Raises:
      ValueError: if there is no example, or a shape, label or probability is not as above.
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
    """Return a value with lists for tuples and None for NaN, as JSON has them."""
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
        raise ValueError(
            "there must be at least one example to evaluate: got 0; is the split empty?"
        )
    for row in np.flatnonzero((truth < 0) | (truth >= len(names))):
        raise ValueError(
            f"label must be 0..{len(names) - 1} ({names[0]} to {names[-1]}): got {truth[row]} in "
            f"row {row}; take labels and class_names from the same config of the data set"
        )
    return truth


def _checked_probabilities(
    probabilities: np.ndarray, *, num_examples: int, names: tuple[str, ...]
) -> np.ndarray:
    scores = np.asarray(probabilities, dtype=np.float64)
    if scores.shape != (num_examples, len(names)):
        raise ValueError(
            "probabilities must be a row a label and a column a class, "
            f"({num_examples}, {len(names)}): got shape {scores.shape}"
        )
    for row, column in np.argwhere(~((scores >= 0) & (scores <= 1 + SUM_TOLERANCE))):
        raise ValueError(
            f"probability must be a number in 0..1: got {scores[row, column]} in row {row}, "
            f"class {names[column]}; give softmax outputs, and check the loss if they are nan"
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
    return tuple(_scores(*row) for row in zip(*columns, strict=True))


def _scores(precision: float, recall: float, f1: float, support: int) -> Scores:
    if not support:
        return Scores(math.nan, math.nan, math.nan, 0)
    return Scores(float(precision), float(recall), float(f1), int(support))


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
    """Return A(i, j) of each pair of classes with examples; their mean is M.

    Hand & Till 2001, "A simple generalisation of the area under the ROC curve for multiple class
    classification problems", Machine Learning 45:171-186, doi 10.1023/A:1010920819831, Eq. 7, with
    A(i, j) = (A(i|j) + A(j|i)) / 2.
    """
    columns = {int(k): scores[truth == k] for k in np.unique(truth)}
    return [
        (_area(columns[i][:, i], columns[j][:, i]) + _area(columns[j][:, j], columns[i][:, j])) / 2
        for i, j in itertools.combinations(columns, 2)
    ]


def _area(positives: np.ndarray, negatives: np.ndarray) -> float:
    """Return A(i|j): the share of pairs in which the case of i has the higher probability of i.

    Ties count half. Hand & Till 2001, Eq. 3: (S_i - n_i (n_i + 1) / 2) / (n_i n_j), with S_i the
    sum of the ranks of `positives` among both.

    Args:
      positives: float[n_i], the probabilities of class i of the cases of i.
      negatives: float[n_j], the probabilities of class i of the cases of j.
    """
    ranks = stats.rankdata(np.concatenate([positives, negatives]))
    count = len(positives)
    rank_sum = ranks[:count].sum()
    return float((rank_sum - count * (count + 1) / 2) / (count * len(negatives)))
