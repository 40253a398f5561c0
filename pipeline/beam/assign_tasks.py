"""AssignTasks: ranks the rows of each class by key, and deals their examples to shards."""

from collections.abc import Iterable, Iterator, Mapping

import apache_beam as beam
import numpy as np

from affectnet_tfds import dataset_paths
from pipeline.beam import counters
from pipeline.files import storage
from pipeline.rows import bounded_groups, row_index
from pipeline.shards import plan, tasks

KeyRange = tuple[str, int, int]
"""Split, label, and range of the class's keys (plan.buckets_of)."""

DEALT = "dealt"
"""Stage whose senders are the key ranges, each in pieces of EXAMPLES_SENT."""

EXAMPLES_SENT = 200_000
"""Examples of a key range that are sent together, at least, where they go through files."""

_MOST_PIECES = 1 << 24


class AssignTasks(beam.PTransform):
    """Bucket of the index → (shard name, value of bounded_groups with tasks.DEALT[M])."""

    def __init__(self, plans: Mapping[str, plan.SplitPlan], staging: str, *, stage: str) -> None:
        """Assign the rows of a stage of the index by the plans of all splits."""
        super().__init__()
        self.plans = dict(plans)
        self.staging = staging
        self.stage = stage

    def expand(self, buckets: beam.PCollection) -> beam.PCollection:
        """Bring the entries of each class together, and deal them."""
        entries = (
            buckets  # int
            | "SplitByClass"
            >> beam.FlatMap(
                split_by_class, plans=self.plans, staging=self.staging, stage=self.stage
            )
        )  # (KeyRange, packed row_index.ENTRY[N])
        groups = entries | "GroupByClass" >> beam.GroupByKey()  # (KeyRange, [packed ENTRY[N], …])
        if not _has_large_class(self.plans):
            return groups | "DealToShards" >> beam.FlatMap(
                deal_class, plans=self.plans, staging=self.staging
            )
        # A range is dealt on from where the ranges of lower keys stopped, so sizes come first.
        sizes = (
            entries
            | "CountRows" >> beam.MapTuple(count_rows)  # (KeyRange, N)
            | "SumRows" >> beam.CombinePerKey(sum)  # (KeyRange, rows)
        )
        return groups | "DealToShards" >> beam.FlatMap(
            deal_range, beam.pvalue.AsDict(sizes), plans=self.plans, staging=self.staging
        )  # (shard name, value of bounded_groups with tasks.DEALT[M])


def _has_large_class(plans: Mapping[str, plan.SplitPlan]) -> bool:
    counts = [count for split_plan in plans.values() for count in split_plan.counts.values()]
    return any(plan.num_buckets(count) > 1 for count in counts)


def split_by_class(
    bucket: int, *, plans: Mapping[str, plan.SplitPlan], staging: str, stage: str
) -> Iterator[tuple[KeyRange, bytes]]:
    """Yield the entries of a bucket, packed, by split, class and range of keys."""
    entries = row_index.read(storage.path(staging), stage, bucket)
    for split, split_plan in plans.items():
        of_split = entries[entries["split"] == row_index.SPLITS.index(split)]
        for label, count in split_plan.counts.items():
            of_class = of_split[of_split["label"] == label]
            ranges = plan.buckets_of(of_class["key"], plan.num_buckets(count))
            for key_range, of_range in row_index.dealt(of_class, ranges):
                yield (split, label, key_range), of_range.tobytes()


def count_rows(key_range: KeyRange, packed: bytes) -> tuple[KeyRange, int]:
    """Return how many entries one packed array has."""
    return key_range, len(packed) // row_index.ENTRY.itemsize


def deal_class(
    group: tuple[KeyRange, Iterable[bytes]],
    *,
    plans: Mapping[str, plan.SplitPlan],
    staging: str,
    first_rank: int = 0,
    num_rows: int | None = None,
) -> Iterator[tuple[str, bytes]]:
    """Yield (shard name, its value) for a class, or for a range of its keys."""
    (split, label, key_range), packed = group
    split_plan = plans[split]
    dealt_to_shards = tasks.of_class(
        row_index.joined(counters.values_of_key(packed)),
        split_plan=split_plan,
        first_rank=first_rank,
        num_rows=num_rows,
    )
    if not _goes_through_files(split_plan):
        for shard, dealt in dealt_to_shards:
            yield _name(split_plan, shard), bounded_groups.whole(dealt)
        return
    first_sender = _number(plans, split, label, key_range) * _MOST_PIECES
    for number, (dealt, shards) in enumerate(_pieces(dealt_to_shards), first_sender):
        sender = bounded_groups.Sender(staging, DEALT, number, share_bytes=0)
        for shard, value in bounded_groups.sent(dealt, shards, sender=sender):
            yield _name(split_plan, shard), value


def _name(split_plan: plan.SplitPlan, shard: int) -> str:
    return dataset_paths.shard_name(split_plan.split, shard, split_plan.num_shards)


def _goes_through_files(split_plan: plan.SplitPlan) -> bool:
    """Return whether shards have more examples than a key may get."""
    examples = -(-split_plan.num_examples // split_plan.num_shards)  # They are dealt in turn.
    # At worst each comes alone.
    most = examples * (tasks.DEALT.itemsize + 1 + bounded_groups.CODER_BYTES)
    return most > bounded_groups.MAX_KEY_BYTES


def _pieces(
    dealt_to_shards: Iterable[tuple[int, np.ndarray]],
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (DEALT[M], int64[M] shards), EXAMPLES_SENT or more together."""
    waiting: list[tuple[int, np.ndarray]] = []
    num_waiting = 0
    for shard, dealt in dealt_to_shards:
        waiting.append((shard, dealt))
        num_waiting += len(dealt)
        if num_waiting >= EXAMPLES_SENT:
            yield _together(waiting)
            waiting, num_waiting = [], 0
    if waiting:
        yield _together(waiting)


def _together(pieces: list[tuple[int, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    shards = np.repeat([shard for shard, _ in pieces], [len(dealt) for _, dealt in pieces])
    return np.concatenate([dealt for _, dealt in pieces]), shards


def _number(plans: Mapping[str, plan.SplitPlan], split: str, label: int, key_range: int) -> int:
    """Return the number of a key range among all."""
    before = 0
    for name in sorted(plans):
        for number, count in sorted(plans[name].counts.items()):
            if (name, number) == (split, label):
                return before + key_range
            before += plan.num_buckets(count)
    raise KeyError((split, label))


def deal_range(
    group: tuple[KeyRange, Iterable[bytes]],
    sizes: Mapping[KeyRange, int],
    *,
    plans: Mapping[str, plan.SplitPlan],
    staging: str,
) -> Iterator[tuple[str, bytes]]:
    """Deal a range of the keys of a class, given the rows of every range."""
    (split, label, key_range), _ = group
    of_class = {
        number: size
        for (split_, label_, number), size in sizes.items()
        if (split_, label_) == (split, label)
    }
    before = sum(size for number, size in of_class.items() if number < key_range)
    yield from deal_class(
        group,
        plans=plans,
        staging=staging,
        first_rank=before,
        num_rows=sum(of_class.values()),
    )
