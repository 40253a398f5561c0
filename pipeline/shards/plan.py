"""Shard plan: numbers of examples and shards of each split, and the shard of every example.

Owns the arithmetic: numbers go in and numbers come out; tasks.py applies it to rows. Rows are
ranked by salted hashes of their file names, so that nothing depends on the order of rows, on
workers, or on Python's own hash. Hashes modulo the number of shards were rejected: with exact ranks
class counts per shard and shard sizes differ by at most one, and a larger target only adds rows.
"""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from pipeline.rows import stable_hash
from pipeline.shards import class_balance

SHARD_BYTES = 24 << 20
"""Target size of a shard: it is read at once, and 100 of them keep many workers and hosts busy."""

SMALL_SHARD_ROWS = 128
SMALL_SHARDS = 16
"""A small data set still gets up to 16 shards, if each has 128 examples."""

MAX_ROWS_RANKED_TOGETHER = 150_000
"""Rows of a class that one worker ranks: a larger class is ranked in ranges of its keys.

A row takes 24 bytes in the shuffle, where the rows of a range have one key, of which no runner
gets more than bounded_groups.MAX_KEY_BYTES. AffectNet's classes are ranked whole.
"""


class SplitPlan(NamedTuple):
    """Rows, examples and shards of one split."""

    split: str
    counts: dict[int, int]  # rows of each label
    targets: dict[int, int]  # examples of each label
    num_shards: int

    @property
    def num_examples(self) -> int:
        """Return the number of examples of all labels."""
        return sum(self.targets.values())

    def kept(self, label: int) -> int:
        """Return how many rows of a label are written at least once."""
        return min(self.counts.get(label, 0), self.targets.get(label, 0))

    def first_example(self, label: int) -> int:
        """Return the number of examples of lower labels.

        Each class is dealt on from where the class before it stopped, so that shard sizes differ by
        at most one however many classes there are.
        """
        return sum(examples for lower, examples in self.targets.items() if lower < label)


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
    """Return the number of shards for so many examples, whatever the number of workers."""
    by_bytes = math.ceil(num_examples * example_bytes(image_size, encoding) / SHARD_BYTES)
    return max(1, by_bytes, min(SMALL_SHARDS, num_examples // SMALL_SHARD_ROWS))


def num_bytes(plans: Mapping[str, SplitPlan], *, image_size: int, encoding: str) -> int:
    """Return about how many bytes all shards take."""
    examples = sum(split_plan.num_examples for split_plan in plans.values())
    return examples * example_bytes(image_size, encoding)


def example_bytes(image_size: int, encoding: str = "jpeg") -> int:
    """Estimate the size of an example, of which 1 kB is not the image.

    JPEG at quality 95 takes about a quarter byte a pixel, PNG two bytes of the three that there
    are.
    """
    return 1000 + image_size * image_size * {"jpeg": 1, "png": 8, "raw": 12}[encoding] // 4


def num_buckets(num_rows: int) -> int:
    """Return the number of ranges of keys in which the rows of a class are ranked."""
    return max(1, math.ceil(num_rows / MAX_ROWS_RANKED_TOGETHER))


def buckets_of(keys: np.ndarray, buckets: int) -> np.ndarray:
    """Return int64[N], the range of each of uint64[N] keys; ranges are in ascending order."""
    # Range b begins at ceil(b * 2^63 / buckets).
    first_keys = [-(-(b << stable_hash.HASH_BITS) // buckets) for b in range(1, buckets)]
    return np.searchsorted(np.array(first_keys, np.uint64), keys, side="right")


def deal(
    num_ranked: int,
    *,
    first_rank: int,
    num_rows: int,
    target: int,
    first_example: int,
    num_shards: int,
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (copy, int64[M]): shards of the first M of a range of ranked rows, for each copy.

    The i-th example of a class is copy i div `num_rows` of the row of rank i mod `num_rows`, so the
    rows of lowest rank are kept, and copies of any two rows differ by at most one. Examples are
    dealt to the shards in turn.

    Args:
      num_ranked: rows in this range of ranks.
      first_rank: rank of the first of them in its class.
      num_rows: rows of the class.
      target: examples of the class.
      first_example: examples of the classes before (SplitPlan.first_example).
      num_shards: files of the split.
    """
    ranks = np.arange(first_rank, first_rank + num_ranked)
    for copy in range(math.ceil(target / num_rows)):
        examples = ranks + copy * num_rows
        yield copy, (first_example + examples[examples < target]) % num_shards
