"""Which rows become which examples, in which shard, at which place.

Owns every choice that the seed decides. All are made from salted hashes of the record's file name,
so that they do not depend on the order of rows, on workers, or on Python's own hash. Ranks are
exact rather than hashes modulo n: class counts per shard and shard sizes then differ by at most
one, and a larger target only adds rows.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.rows import annotations, row_index, stable_hash
from pipeline.shards import class_balance

SHARD_BYTES = 24 << 20
"""Large enough to read in one go, small enough that 100 of them keep many workers and hosts busy.
"""

SMALL_SHARD_ROWS, SMALL_SHARDS = 128, 16
"""A small data set still gets up to 16 shards, if each has 128 examples."""


BUCKET_ROWS = 1_000_000
"""A class of more rows is ranked in parts, so that no worker has to hold it: a row takes 24 bytes
in the shuffle, where the rows of a part are one value, and a few times that while it is ranked.
AffectNet's classes are ranked whole."""

DEALT = np.dtype(
    [("start", "<u4"), ("part", "<u4"), ("size", "<u4"), ("face", "<u2"), ("copy", "<u4")]
)
"""Of a row's entry, what fetching it takes; and which of its copies is meant."""


class SplitPlan(NamedTuple):
    """What one split will hold."""

    split: str
    counts: dict[int, int]  # rows of each label
    targets: dict[int, int]  # examples of each label
    num_shards: int

    @property
    def num_examples(self) -> int:
        return sum(self.targets.values())

    def kept(self, label: int) -> int:
        """Return how many rows of a label are written at least once."""
        return min(self.counts.get(label, 0), self.targets.get(label, 0))


class Task(NamedTuple):
    """One example to make."""

    place: int  # order within the shard
    copy: int
    row: annotations.Row


def make(
    counts: Mapping[tuple[str, int], int],
    *,
    balance: str,
    max_copies: int = 0,
    image_size: int,
    encoding: str = "jpeg",
    num_shards: int = 0,
) -> dict[str, SplitPlan]:
    """Plan every split that has rows.

    Args:
      counts: rows of each (split, label), labels beyond the config's classes already left out.
      balance: examples of each class in train, as `class_balance.targets` takes it.
      max_copies: how often a row may be written (0: as often as needed).
      image_size: side of the crops in pixels; with `encoding`, the size of an example follows.
      encoding: how crops are stored, one of `image_codec.ENCODINGS`.
      num_shards: files of train, validation in proportion (0: computed from the sizes).
    """
    per_split: dict[str, dict[int, int]] = {}
    for (split, label), count in sorted(counts.items()):
        per_split.setdefault(split, {})[label] = count
    plans: dict[str, SplitPlan] = {}
    for split, split_counts in per_split.items():
        policy = balance if split == "train" else "none"
        targets = class_balance.targets(split_counts, policy, max_copies=max_copies)
        total = sum(targets.values())
        plans[split] = SplitPlan(
            split, split_counts, targets, computed_shards(total, image_size, encoding)
        )
    return {split: _with_shards(plan, plans, num_shards) for split, plan in plans.items()}


def _with_shards(plan: SplitPlan, plans: Mapping[str, SplitPlan], num_shards: int) -> SplitPlan:
    """Apply --num_shards: to train as it is, to validation in proportion."""
    if not num_shards:
        return plan
    if plan.split != "train" and "train" in plans:
        num_shards = math.ceil(num_shards * plan.num_examples / max(1, plans["train"].num_examples))
    return plan._replace(num_shards=max(1, min(num_shards, plan.num_examples)))


def computed_shards(num_examples: int, image_size: int, encoding: str = "jpeg") -> int:
    """Return the number of shards for so many examples; it depends on nothing else, least of all on
    workers."""
    by_bytes = math.ceil(num_examples * example_bytes(image_size, encoding) / SHARD_BYTES)
    return max(1, by_bytes, min(SMALL_SHARDS, num_examples // SMALL_SHARD_ROWS))


def example_bytes(image_size: int, encoding: str = "jpeg") -> int:
    """Estimate the size of an example, of which 1 kB is not picture.

    JPEG at quality 95 takes about a quarter byte a pixel, PNG two bytes of the three that there
    are.
    """
    return 1000 + image_size * image_size * {"jpeg": 1, "png": 8, "raw": 12}[encoding] // 4


def num_buckets(num_rows: int) -> int:
    """Return in how many parts the rows of a class are ranked."""
    return max(1, math.ceil(num_rows / BUCKET_ROWS))


def buckets_of(keys: np.ndarray, buckets: int) -> np.ndarray:
    """Return which part of its class each of uint64[N] keys is in; keys of a part lie below those
    of the next."""
    first = [
        -(-(part << stable_hash.HASH_BITS) // buckets) for part in range(1, buckets)
    ]  # ⌈part * 2^63 / buckets⌉
    return np.searchsorted(np.array(first, np.uint64), keys, side="right")


def tasks_of_class(
    entries: np.ndarray, *, plan: SplitPlan, first_rank: int = 0, num_rows: int | None = None
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (shard, DEALT[M]) for all examples of one class, or of one bucket of it.

    The n rows with the smallest keys come first; the i-th example is the (i mod n)-th row's copy i
    div n. Examples are dealt to the shards in turn, each class going on where the one before it
    stopped.

    Args:
      entries: index.ENTRY[N] of the class or the bucket, in any order.
      plan: of the rows' split.
      first_rank: how many rows of the class are in the buckets before.
      num_rows: how many rows the class has; None: `entries` are all.
    """
    if not len(entries):
        return
    ranked = entries[np.lexsort((entries["start"], entries["part"], entries["key"]))]
    label, num_rows = int(ranked["label"][0]), num_rows or len(ranked)
    target = plan.targets.get(label, 0)
    offset = sum(each for other, each in plan.targets.items() if other < label)
    ranks = np.arange(first_rank, first_rank + len(ranked))
    for copy in range(math.ceil(target / num_rows)):
        places = ranks + copy * num_rows
        kept = places < target
        dealt = row_index.converted(ranked[kept], DEALT)
        dealt["copy"] = copy
        yield from row_index.dealt(dealt, (offset + places[kept]) % plan.num_shards)


def tasks(dealt: np.ndarray, rows: Iterable[annotations.Row], *, seed: int) -> Iterator[Task]:
    """Yield a task for every DEALT entry and its row."""
    for copy, row in zip(dealt["copy"].tolist(), rows, strict=True):
        yield Task(place(row.filename, copy, seed), copy, row)


def place(filename: str, copy: int, seed: int) -> int:
    """Return what the examples of a shard are ordered by, so that classes lie mixed in it."""
    return stable_hash.stable_hash(seed, "place", f"{filename}\0{copy}")


def digest(tasks: Sequence[Task], content: Mapping[str, object]) -> str:
    """Fingerprint all that decides a shard's bytes: the rows and the configuration."""
    state = hashlib.blake2b(repr(sorted(content.items())).encode(), digest_size=16)
    for task in tasks:
        state.update(repr(tuple(task)).encode())
    return state.hexdigest()
