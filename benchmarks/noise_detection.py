"""Detection of known label errors: how many a rule finds, and how many of those it finds are any.

The rules are those of cleanlab on the audit's out-of-fold probabilities, called here directly and
not by the audit, and suspects.csv, which is the audit's own.
"""

from collections.abc import Collection, Mapping, Set
from pathlib import Path
from typing import NamedTuple

import numpy as np
from cleanlab import filter, rank

from affectnet_tfds.reader import label_list
from trainer.evaluation import predictions

RULES = (
    "low_self_confidence",
    "low_normalized_margin",
    "prune_by_noise_rate",
    "prune_by_class",
    "both",
    "confident_learning",
    "predicted_neq_given",
)
SCORES = ("normalized_margin", "self_confidence", "confidence_weighted_entropy")
RECALL = 0.7
"""Share of the errors at which the precision of a ranking is told."""


class Detection(NamedTuple):
    """Precision and recall of one way to find label errors."""

    precision: float
    recall: float


def of_audit(folder: Path, *, flips: Path) -> Mapping[str, Detection]:
    """Return the detection of known flips by suspects.csv, by rules, and by rankings.

    Args:
      folder: of an audit of the build with the flips.
      flips: list of benchmarks.label_noise.
    """
    preds = predictions.read(folder / predictions.FILE)
    preds = preds.only(preds.copies == 0)
    wrong = set(label_list.read(flips).of_split("train"))
    is_wrong = np.array([str(name) in wrong for name in preds.filenames])
    suspects = label_list.read(folder / "suspects.csv").of_split("train")
    found = {
        "suspects.csv": _of_names(suspects, wrong=wrong),
        "the first of suspects.csv": _of_first(suspects, wrong=wrong),
    }
    for rule in RULES:
        issues = filter.find_label_issues(
            preds.labels, preds.probabilities, filter_by=rule, n_jobs=1
        )
        found[f"cleanlab {rule}"] = of_mask(issues, is_wrong=is_wrong)
    for score in SCORES:
        values = rank.get_label_quality_scores(preds.labels, preds.probabilities, method=score)
        found[f"cleanlab ranked by {score}"] = at_recall(values, is_wrong=is_wrong)
    return found


def of_mask(chosen: np.ndarray, *, is_wrong: np.ndarray) -> Detection:
    """Return the detection by a choice, bool[N], of the errors that are known, bool[N]."""
    hits = float((chosen & is_wrong).sum())
    return Detection(hits / max(1, chosen.sum()), hits / max(1, is_wrong.sum()))


def at_recall(scores: np.ndarray, *, is_wrong: np.ndarray, recall: float = RECALL) -> Detection:
    """Return the detection by the lowest scores, as many as have `recall` of the errors in them."""
    hits = np.cumsum(is_wrong[np.argsort(scores, kind="stable")])
    count = int(np.searchsorted(hits, np.ceil(recall * hits[-1]))) + 1
    return Detection(float(hits[count - 1] / count), float(hits[count - 1] / hits[-1]))


def _of_names(listed: Collection[str], *, wrong: Set[str]) -> Detection:
    hits = len(wrong.intersection(listed))
    return Detection(hits / max(1, len(listed)), hits / max(1, len(wrong)))


def _of_first(listed: Collection[str], *, wrong: Set[str]) -> Detection:
    """Return the detection by the first of a list, as many as have RECALL of the errors, or all."""
    hits = np.cumsum([name in wrong for name in listed])
    count = int(np.searchsorted(hits, np.ceil(RECALL * len(wrong)))) + 1
    return _of_names(list(listed)[:count], wrong=wrong)
