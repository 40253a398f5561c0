"""Label errors: which labels are probably wrong, by confident learning.

Owns what is asked of cleanlab (Northcutt et al. 2021, arXiv:1911.00068), which is the method's own
implementation: another one here would have to be as good as it is, and kept so. Probabilities are
those of networks that were not trained on the image (out of fold). The rule says which labels are
errors, the probability of the label which are the likeliest of them. (The margin of the likeliest
other class was rejected: docs/audit.md has the precision of both.)
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelErrors:
    """What is known of the label of each of N images.

    Attributes:
      is_error: bool[N], by the rule.
      score: float64[N] in 0..1, p[label]: the lower, the likelier is an error.
      suggested: int64[N], the likeliest class other than the label.
      joint: int64[C, C], the confident joint: estimated counts of labels (rows) by true classes.
    """

    is_error: np.ndarray
    score: np.ndarray
    suggested: np.ndarray
    joint: np.ndarray

    @property
    def ranked(self) -> np.ndarray:
        """Return the numbers of the errors, the likeliest first: int64[E]."""
        errors = np.flatnonzero(self.is_error)
        return errors[np.argsort(self.score[errors], kind="stable")]


def find(labels: np.ndarray, *, probabilities: np.ndarray, filter_by: str) -> LabelErrors:
    """Find the labels that are probably wrong.

    Args:
      labels: int64[N].
      probabilities: float64[N, C], of networks that were not trained on the image.
      filter_by: rule of cleanlab.filter.find_label_issues.
    """
    # Inside: cleanlab is an extra, and imports pandas.
    from cleanlab import count, filter, rank

    present, codes = np.unique(labels, return_inverse=True)
    # Classes without a label have no confident threshold: their probability is left out.
    probs = _restricted(probabilities, columns=present)
    joint = count.compute_confident_joint(codes, probs)
    # This rule makes its own, and cleanlab warns where one is given.
    given = None if filter_by == "confident_learning" else joint
    found = filter.find_label_issues(
        codes, probs, filter_by=filter_by, confident_joint=given, n_jobs=1
    )
    rows = np.arange(len(codes))
    others = probs.copy()
    others[rows, codes] = -1
    is_doubted = others.max(axis=1) > probs[rows, codes]  # low_self_confidence counts only.
    return LabelErrors(
        is_error=np.asarray(found, bool) & is_doubted,
        score=rank.get_label_quality_scores(codes, probs, method="self_confidence"),
        suggested=present[others.argmax(axis=1)],
        joint=_spread(joint, present=present, num_classes=probabilities.shape[1]),
    )


def _restricted(probabilities: np.ndarray, *, columns: np.ndarray) -> np.ndarray:
    kept = probabilities[:, columns]
    total = kept.sum(axis=1, keepdims=True)
    even = np.full_like(kept, 1 / len(columns))
    return np.asarray(np.divide(kept, total, out=even, where=total > 0))


def _spread(joint: np.ndarray, *, present: np.ndarray, num_classes: int) -> np.ndarray:
    spread = np.zeros((num_classes, num_classes), np.int64)
    spread[np.ix_(present, present)] = joint
    return spread
