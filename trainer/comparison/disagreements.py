"""Disagreements of the compared runs: which examples they classify differently, by who is correct.

Owns the choice of the examples that are shown: of each group those that all runs are surest of.
"""

import collections
import dataclasses
from collections.abc import Sequence

import numpy as np

from trainer.evaluation import predictions
from trainer.reports import thumbnails

MOST_GROUPS = 8
PER_GROUP = 12

Aligned = Sequence[predictions.Predictions]
"""Predictions of each run on the same examples in the same order."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Group:
    """Examples that are classified differently, and that the same runs have correct."""

    correct: frozenset[int]
    """Runs, by their index, that are correct; none where all are wrong in different ways."""
    count: int
    shown: np.ndarray
    """Rows of the examples to show: int64[K], the surest first."""


def groups(preds: Aligned) -> list[Group]:
    """Return the groups, the largest first, the one that no run has correct last."""
    correct = np.stack([each.predicted == each.labels for each in preds])
    rows = np.flatnonzero(is_different(preds))
    by_runs = collections.defaultdict(list)
    for row in rows.tolist():
        by_runs[frozenset(np.flatnonzero(correct[:, row]).tolist())].append(row)
    ordered = sorted(by_runs.items(), key=lambda item: (not item[0], -len(item[1]), min(item[1])))
    return [
        Group(correct=runs, count=len(members), shown=_surest(preds, np.array(members)))
        for runs, members in ordered
    ]


def is_different(preds: Aligned) -> np.ndarray:
    """Return where the runs do not all predict the same class: bool[N]."""
    names = np.stack([np.array(each.class_names)[each.predicted] for each in preds])
    different: np.ndarray = np.any(names != names[0], axis=0)
    return different


def _surest(preds: Aligned, rows: np.ndarray) -> np.ndarray:
    """Return the rows where the least sure run is surest, one of each image."""
    least = np.min([each.confidence[rows] for each in preds], axis=0)
    ordered = rows[np.argsort(-least, kind="stable")]
    return thumbnails.distinct(preds[0], ordered)[:PER_GROUP]
