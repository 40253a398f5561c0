"""Paired comparison of runs on the same examples: McNemar's test for each pair, Holm's correction
over all."""

import dataclasses
import itertools
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runtime import errors
from trainer.evaluation import predictions, significance


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """A run as it was judged."""

    name: str
    metrics: Mapping[str, Any]  # metrics.json
    made: predictions.Predictions

    @property
    def keys(self) -> list[tuple[str, int, str]]:
        """Return what each example is: file name, copy, label."""
        labels = np.array(self.made.class_names)[self.made.labels]
        return [
            *zip(
                self.made.filenames.tolist(),
                self.made.copies.tolist(),
                labels.tolist(),
                strict=True,
            )
        ]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pair:
    """Two runs, by their places in the list, and what tells them apart."""

    first: int
    second: int
    difference: float
    """Accuracy of the first less that of the second."""
    result: significance.Result
    adjusted_p: float
    """The mid-p value, adjusted by Holm for the number of pairs."""


def load(folders: Sequence[str]) -> list[Run]:
    """Read the judgements of several runs.

    Raises:
      errors.UserError: if there are fewer than two, one is given twice, or one has not been judged.
    """
    paths = [pathlib.Path(folder) for folder in folders]
    if len(paths) < 2:
        raise errors.UserError(
            f"a comparison needs two runs or more: got {len(paths)}; name their folders"
        )
    for one, other in itertools.combinations(paths, 2):
        if one.resolve() == other.resolve():
            raise errors.UserError(f"{one} is given twice; a run does not differ from itself")
    return [_load(path, name=name) for path, name in zip(paths, _names(paths), strict=True)]


def compare(runs: Sequence[Run]) -> list[Pair]:
    """Test each pair of runs.

    Raises:
      errors.UserError: if they were not judged on the same examples.
    """
    order = [_order(run, like=runs[0]) for run in runs]
    right = [
        (run.made.predicted == run.made.labels)[rows] for run, rows in zip(runs, order, strict=True)
    ]
    couples = [*itertools.combinations(range(len(runs)), 2)]
    results = [significance.test(right[i], right[j]) for i, j in couples]
    adjusted = significance.holm([result.mid_p for result in results])
    return [
        Pair(
            first=i,
            second=j,
            difference=float(right[i].mean() - right[j].mean()),
            result=result,
            adjusted_p=p,
        )
        for (i, j), result, p in zip(couples, results, adjusted, strict=True)
    ]


def _load(path: pathlib.Path, *, name: str) -> Run:
    made = predictions.read(path / predictions.FILE)
    try:
        metrics = json.loads((path / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise errors.UserError(
            f"{path}/metrics.json cannot be read ({error}): judge the run again"
        ) from error
    return Run(name=name, metrics=metrics, made=made)


def _names(paths: Sequence[pathlib.Path]) -> list[str]:
    """Return the shortest ends of the paths that tell them apart."""
    parts = [path.resolve().parts for path in paths]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(each[-length:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    raise AssertionError("folders that are all different have different paths")


def _order(run: Run, *, like: Run) -> np.ndarray:
    """Return the rows of a run in the order of another one's examples: int64[N]."""
    place = {key: row for row, key in enumerate(run.keys)}
    wanted = like.keys
    if len(place) == len(wanted) and all(key in place for key in wanted):
        return np.array([place[key] for key in wanted], np.int64)
    shared = sum(key in place for key in wanted)
    raise errors.UserError(
        f"{like.name} and {run.name} were not judged on the same examples: {len(wanted):,} and {len(place):,}, of "
        f"which {shared:,} are the same file with the same label ({_judged_on(like)}; {_judged_on(run)}). Judge both "
        "on one build and split (python -m trainer.evaluate)"
    )


def _judged_on(run: Run) -> str:
    protocol = run.metrics.get("protocol", {})
    return f"{run.name}: {protocol.get('split', 'unknown split')} of {protocol.get('data', 'unknown data')}"
