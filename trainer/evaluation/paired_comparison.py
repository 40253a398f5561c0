"""Paired comparison of runs on the same examples: McNemar's test for each pair, Holm-corrected.

Owns which runs may be compared and how their examples are matched. Runs are compared by the files
that trainer.evaluate left in their folders; predicting again was rejected because then the models
and the data would have to be there.
"""

import dataclasses
import itertools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runtime import errors
from trainer.config import run_names
from trainer.evaluation import metrics_file, predictions, significance


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """An evaluated run."""

    name: str
    metrics: Mapping[str, Any]  # metrics.json
    preds: predictions.Predictions

    @property
    def keys(self) -> list[tuple[str, int, str]]:
        """Return what identifies each example: file name, copy, label."""
        labels = np.array(self.preds.class_names)[self.preds.labels]
        columns = (self.preds.filenames, self.preds.copies, labels)
        return list(zip(*(column.tolist() for column in columns), strict=True))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pair:
    """Two runs, by their indices in the list, and the test of their difference."""

    first: int
    second: int
    difference: float
    """Accuracy of the first minus that of the second."""
    result: significance.Result
    adjusted_p: float
    """The mid-p value, adjusted by Holm for the number of pairs."""


def load(folders: Sequence[str]) -> list[Run]:
    """Read the evaluations of several runs.

    Raises:
      errors.UserError: if there are fewer than two, one is given twice, or one is not evaluated.
    """
    paths = [pathlib.Path(folder) for folder in folders]
    if len(paths) < 2:
        raise errors.UserError(
            f"a comparison needs two runs or more: got {len(paths)}; name their folders"
        )
    for first, second in itertools.combinations(paths, 2):
        if first.resolve() == second.resolve():
            raise errors.UserError(
                f"{first} is given twice; a run does not differ from itself: name two runs"
            )
    return [_load(path, name=name) for path, name in zip(paths, run_names.of(paths), strict=True)]


def compare(runs: Sequence[Run]) -> list[Pair]:
    """Test each pair of runs.

    Raises:
      errors.UserError: if they were not evaluated on the same examples.
    """
    correct = [each.predicted == each.labels for each in aligned(runs)]
    couples = list(itertools.combinations(range(len(runs)), 2))
    results = [significance.test(correct[i], correct[j]) for i, j in couples]
    adjusted = significance.holm([result.mid_p for result in results])
    return [
        Pair(
            first=i,
            second=j,
            difference=float(correct[i].mean() - correct[j].mean()),
            result=result,
            adjusted_p=p,
        )
        for (i, j), result, p in zip(couples, results, adjusted, strict=True)
    ]


def aligned(runs: Sequence[Run]) -> list[predictions.Predictions]:
    """Return the runs' predictions in the order of the first run's examples.

    Raises:
      errors.UserError: if they were not evaluated on the same examples.
    """
    return [run.preds.only(_row_order(run, reference=runs[0])) for run in runs]


def _load(path: pathlib.Path, *, name: str) -> Run:
    preds = predictions.read(path / predictions.FILE)
    file = path / metrics_file.FILE
    try:
        metrics = metrics_file.read(file)
    except (FileNotFoundError, ValueError) as error:
        reason = "there is none" if isinstance(error, FileNotFoundError) else error
        raise errors.UserError(f"cannot read {file} ({reason}): evaluate the run again") from None
    return Run(name=name, metrics=metrics, preds=preds)


def _row_order(run: Run, *, reference: Run) -> np.ndarray:
    """Return the rows of a run in the order of the reference's examples: int64[N]."""
    rows = {key: row for row, key in enumerate(run.keys)}
    wanted = reference.keys
    if len(rows) == len(wanted) and all(key in rows for key in wanted):
        return np.array([rows[key] for key in wanted], np.int64)
    shared = sum(key in rows for key in wanted)
    raise errors.UserError(
        f"{reference.name} and {run.name} were not evaluated on the same examples: "
        f"{len(wanted):,} and {len(rows):,}, of which {shared:,} are the same file with the same "
        f"label ({_evaluated_on(reference)}; {_evaluated_on(run)}); evaluate both on one build and "
        "split (python -m trainer.evaluate)"
    )


def _evaluated_on(run: Run) -> str:
    protocol = run.metrics.get("protocol", {})
    split = protocol.get("split", "unknown split")
    return f"{run.name}: {split} of {protocol.get('data', 'unknown data')}"
