"""AssignTasks: ranks the rows of each class by key, and deals their examples to shards."""

from collections.abc import Iterable, Iterator, Mapping

import apache_beam as beam

from affectnet_tfds import dataset_paths
from pipeline.files import storage
from pipeline.rows import row_index
from pipeline.shards import plan, tasks

KeyRange = tuple[str, int, int]
"""Split, label, and range of the class's keys (plan.buckets_of)."""


class AssignTasks(beam.PTransform):
    """Bucket of the index → (shard name, packed tasks.DEALT[M])."""

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
            return groups | "DealToShards" >> beam.FlatMap(deal_class, plans=self.plans)
        # A range is dealt on from where the ranges of lower keys stopped, so sizes come first.
        sizes = (
            entries
            | "CountRows" >> beam.MapTuple(count_rows)  # (KeyRange, N)
            | "SumRows" >> beam.CombinePerKey(sum)  # (KeyRange, rows)
        )
        return groups | "DealToShards" >> beam.FlatMap(
            deal_range, beam.pvalue.AsDict(sizes), plans=self.plans
        )  # (shard name, packed tasks.DEALT[M])


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
    first_rank: int = 0,
    num_rows: int | None = None,
) -> Iterator[tuple[str, bytes]]:
    """Yield (shard name, packed tasks.DEALT[M]) for a class, or for a range of its keys."""
    (split, _, _), packed = group
    split_plan = plans[split]
    dealt_to_shards = tasks.of_class(
        row_index.joined(packed), split_plan=split_plan, first_rank=first_rank, num_rows=num_rows
    )
    for shard, dealt in dealt_to_shards:
        yield dataset_paths.shard_name(split, shard, split_plan.num_shards), dealt.tobytes()


def deal_range(
    group: tuple[KeyRange, Iterable[bytes]],
    sizes: Mapping[KeyRange, int],
    *,
    plans: Mapping[str, plan.SplitPlan],
) -> Iterator[tuple[str, bytes]]:
    """Deal a range of the keys of a class, given the rows of every range."""
    (split, label, key_range), _ = group
    of_class = {
        number: size
        for (split_, label_, number), size in sizes.items()
        if (split_, label_) == (split, label)
    }
    before = sum(size for number, size in of_class.items() if number < key_range)
    yield from deal_class(group, plans=plans, first_rank=before, num_rows=sum(of_class.values()))
