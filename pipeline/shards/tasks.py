"""Tasks: the examples of a shard, which row and which of its copies each one is.

Owns how the plan's numbers apply to rows: index entries are dealt to shards, and a shard's rows are
ordered by a salted hash of file name and copy, so that classes are mixed in it.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.rows import annotations, row_index, stable_hash
from pipeline.shards import plan

DEALT = np.dtype(
    [
        ("start", "<u4"),
        ("part", "<u4"),
        ("size", "<u4"),
        ("face", "<u2"),
        ("label", "i1"),
        ("copy", "<u4"),
    ]
)
"""The fields of a row's entry that `row_index.fetch` takes, and which of its copies the example
is."""


class Task(NamedTuple):
    """One example to make."""

    place: int  # order within the shard
    copy: int
    row: annotations.Row


def of_class(
    entries: np.ndarray,
    *,
    split_plan: plan.SplitPlan,
    first_rank: int = 0,
    num_rows: int | None = None,
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (shard, DEALT[M]) for all examples of one class, or of one range of its keys.

    Args:
      entries: row_index.ENTRY[N] of the class or the range, in any order.
      split_plan: of the rows' split.
      first_rank: rows of the class in the ranges before.
      num_rows: rows of the class; None: `entries` are all.
    """
    if not len(entries):
        return
    # By key; rows whose keys are equal are in the order of the release.
    ranked = entries[np.lexsort((entries["start"], entries["part"], entries["key"]))]
    label = int(ranked["label"][0])
    copies = plan.deal(
        len(ranked),
        first_rank=first_rank,
        num_rows=num_rows or len(ranked),
        target=split_plan.targets.get(label, 0),
        first_example=split_plan.first_example(label),
        num_shards=split_plan.num_shards,
    )
    for copy, shards in copies:
        dealt = row_index.converted(ranked[: len(shards)], DEALT)
        dealt["copy"] = copy
        yield from row_index.dealt(dealt, shards)


def with_rows(dealt: np.ndarray, rows: Iterable[annotations.Row], *, seed: int) -> Iterator[Task]:
    """Yield a task for every DEALT entry and its row."""
    for copy, row in zip(dealt["copy"].tolist(), rows, strict=True):
        yield Task(place(row.filename, copy, seed), copy, row)


def place(filename: str, copy: int, seed: int) -> int:
    """Return the hash by which the examples of a shard are ordered."""
    return stable_hash.stable_hash(seed, "place", f"{filename}\0{copy}")


def in_order(tasks: Iterable[Task]) -> list[Task]:
    """Return the tasks of a shard in the order of its records."""
    return sorted(tasks, key=lambda task: (task.place, task.row.filename, task.copy))


def digest(tasks: Sequence[Task], content: Mapping[str, object]) -> str:
    """Return a digest of what decides a shard's bytes: its rows, and config.JobConfig.content()."""
    state = hashlib.blake2b(repr(sorted(content.items())).encode(), digest_size=16)
    for task in tasks:
        state.update(repr(tuple(task)).encode(errors="surrogateescape"))
    return state.hexdigest()
