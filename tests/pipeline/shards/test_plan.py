"""Shard plan and tasks: which rows become which examples, in which shard."""

import collections
import functools

import numpy as np
import pytest

from pipeline.rows import annotations, row_index, stable_hash
from pipeline.shards import plan, tasks


def row(label: int, i: int) -> annotations.Row:
    name = f"{label}/{i}.jpg"
    return annotations.Row("train", "manual", name, name, label, 0, 0, None, "picture", b"", str(i))


def entries(label: int, count: int, seed: int = 0) -> np.ndarray:
    made = np.zeros(count, row_index.ENTRY)
    made["label"], made["start"] = (
        label,
        range(count),
    )  # The row's number stands in for its place in a file.
    made["key"] = [stable_hash.key(row(label, i).filename, seed) for i in range(count)]
    return made


def tasks_of(label: int, some: np.ndarray, *, plan_: plan.SplitPlan, seed: int = 0, **ranks):
    return [
        (shard, task)
        for shard, dealt in tasks.of_class(some, split_plan=plan_, **ranks)
        for task in tasks.with_rows(dealt, [row(label, i) for i in dealt["start"]], seed=seed)
    ]


def assign(counts: dict[int, int], targets: dict[int, int], num_shards: int, seed: int = 0):
    split = plan.SplitPlan("train", counts, targets, num_shards)
    return [
        pair
        for label, count in counts.items()
        for pair in tasks_of(label, entries(label, count, seed), plan_=split, seed=seed)
    ]


COUNTS, TARGETS = {0: 50, 1: 7, 4: 3}, {0: 20, 1: 20, 4: 20}


def test_every_class_gets_exactly_its_target():
    made = collections.Counter(task.row.label for _, task in assign(COUNTS, TARGETS, 8))
    assert made == TARGETS


def test_a_larger_class_is_sampled_down_and_a_smaller_one_repeated_evenly():
    made = assign(COUNTS, TARGETS, 8)
    times = collections.defaultdict(collections.Counter)
    for _, task in made:
        times[task.row.label][task.row.filename] += 1
    assert len(times[0]) == 20 and set(times[0].values()) == {1}
    assert len(times[1]) == 7 and set(times[1].values()) == {2, 3}
    assert sorted(task.copy for _, task in made if task.row.filename == "4/0.jpg") in (
        [0, 1, 2, 3, 4, 5],
        [*range(7)],
    )


@pytest.mark.parametrize(
    ("counts", "targets", "num_shards"),
    [
        (COUNTS, TARGETS, 8),
        ({0: 9, 1: 9, 2: 9, 3: 9, 4: 9}, {0: 9, 1: 9, 2: 9, 3: 9, 4: 9}, 8),
        ({0: 13, 1: 5, 2: 3, 3: 1}, {0: 13, 1: 5, 2: 3, 3: 1}, 4),
        ({0: 1, 1: 1, 2: 1, 3: 1, 5: 1, 7: 1}, {0: 1, 1: 1, 2: 1, 3: 1, 5: 1, 7: 1}, 4),
        ({0: 31, 3: 17, 9: 2}, {0: 11, 3: 11, 9: 4}, 7),
        ({1: 2, 4: 40, 10: 3}, {1: 25, 4: 33, 10: 3}, 16),
        ({0: 6}, {0: 5}, 3),
        ({0: 3, 1: 4}, {0: 3, 1: 4}, 1),
        ({2: 1}, {2: 50}, 13),
    ],
)
def test_shard_sizes_and_class_counts_per_shard_differ_by_at_most_one(counts, targets, num_shards):
    made = assign(counts, targets, num_shards)
    sizes = collections.Counter(shard for shard, _ in made)
    assert difference(sizes, num_shards) <= 1
    for label in targets:
        of_class = collections.Counter(shard for shard, task in made if task.row.label == label)
        assert sum(of_class.values()) == targets[label]
        assert difference(of_class, num_shards) <= 1


def difference(per_shard: collections.Counter[int], num_shards: int) -> int:
    """Between the largest and the smallest shard, empty ones included."""
    assert set(per_shard) <= set(range(num_shards))
    sizes = [per_shard[shard] for shard in range(num_shards)]
    return max(sizes) - min(sizes)


def test_the_shards_of_unequal_classes_are_those_worked_out_by_hand():
    # 3 + 2 + 4 examples, dealt to shards 0 1 2 | 3 0 | 1 2 3 0.
    made = assign({0: 3, 1: 2, 2: 4}, {0: 3, 1: 2, 2: 4}, 4)
    dealt = collections.Counter((task.row.label, shard) for shard, task in made)
    assert dealt == {
        (0, 0): 1, (0, 1): 1, (0, 2): 1,
        (1, 3): 1, (1, 0): 1,
        (2, 1): 1, (2, 2): 1, (2, 3): 1, (2, 0): 1,
    }  # fmt: skip


def test_ranges_of_ranks_are_dealt_as_the_whole_class():
    deal = functools.partial(plan.deal, num_rows=5, target=12, first_example=2, num_shards=4)
    # Rows:   0 1 2 3 4 0 1 2 3 4 0 1
    # Shards: 2 3 0 1 2 3 0 1 2 3 0 1
    assert [(copy, shards.tolist()) for copy, shards in deal(5, first_rank=0)] == [
        (0, [2, 3, 0, 1, 2]),
        (1, [3, 0, 1, 2, 3]),
        (2, [0, 1]),
    ]
    assert [(copy, shards.tolist()) for copy, shards in deal(2, first_rank=1)] == [
        (0, [3, 0]),
        (1, [0, 1]),
        (2, [1]),
    ]


def test_raising_the_target_only_adds_rows():
    few = {task.row.filename for _, task in assign({0: 50}, {0: 10}, 4)}
    more = {task.row.filename for _, task in assign({0: 50}, {0: 30}, 4)}
    assert few < more


def test_another_seed_keeps_other_rows_and_the_order_of_rows_does_not_matter():
    kept = [{task.row.filename for _, task in assign({0: 50}, {0: 10}, 4, seed)} for seed in (0, 1)]
    assert kept[0] != kept[1]
    split = plan.SplitPlan("train", {0: 50}, {0: 10}, 4)
    assert tasks_of(0, entries(0, 50)[::-1], plan_=split) == tasks_of(
        0, entries(0, 50), plan_=split
    )


def test_the_hash_is_pinned():
    # A change here changes every build: it needs a new version of the data set.
    assert stable_hash.stable_hash(0, "keep", "a.jpg") == 3982765136326303399


def make(**settings):
    counts = {
        ("train", 0): 1000,
        ("train", 1): 3000,
        ("validation", 0): 100,
        ("validation", 1): 100,
    }
    return plan.make(counts, image_size=224, **settings)


def test_validation_is_never_balanced():
    plans = make(balance="500")
    assert plans["train"].targets == {0: 500, 1: 500}
    assert plans["validation"].targets == {0: 100, 1: 100}


def test_the_number_of_shards_applies_to_train_and_validation_is_in_proportion():
    plans = make(balance="none", num_shards=40)
    assert (plans["train"].num_shards, plans["validation"].num_shards) == (40, 2)


@pytest.mark.parametrize(
    ("examples", "size", "shards"),
    [(50, 224, 1), (1000, 96, 7), (4000, 224, 16), (155_888, 224, 84)],
)
def test_computed_shards_are_large_enough_and_not_too_few(examples, size, shards):
    assert plan.computed_shards(examples, size) == shards


def test_the_digest_is_pinned():
    # A change here makes every shard of an unfinished build again.
    task = tasks.Task(7, 1, row(2, 3))
    assert tasks.digest([task], {"seed": 0, "image_size": 64}) == "aee05c3342808d560cbb7be2d52695bf"


def test_the_digest_depends_on_rows_and_settings():
    split = plan.SplitPlan("train", {0: 3}, {0: 3}, 1)
    made = [task for _, task in tasks_of(0, entries(0, 3), plan_=split)]
    same = tasks.digest(made, {"image_size": 64, "seed": 0})
    assert same == tasks.digest(made, {"seed": 0, "image_size": 64})
    assert same != tasks.digest(made, {"image_size": 65, "seed": 0})
    assert same != tasks.digest(made[:2], {"image_size": 64, "seed": 0})


def test_a_class_ranked_in_parts_gets_the_same_tasks():
    split = plan.SplitPlan("train", {0: 50}, {0: 120}, 7)
    whole = entries(0, 50, seed=3)
    part_of = plan.buckets_of(whole["key"], 4)
    assert set(part_of) == {0, 1, 2, 3}
    made, before = [], 0
    for part in range(4):
        made += tasks_of(
            0, whole[part_of == part], plan_=split, seed=3, first_rank=before, num_rows=50
        )
        before += np.count_nonzero(part_of == part)
    assert sorted(made) == sorted(tasks_of(0, whole, plan_=split, seed=3))
    assert len(made) == 120


@pytest.mark.parametrize("parts", [1, 2, 3, 214])
def test_parts_of_a_class_are_ranges_of_keys_that_no_rounding_moves(parts):
    edges = [-(-(n << 63) // parts) for n in range(1, parts)]
    keys = [key for edge in edges for key in (edge - 1, edge)] + [0, (1 << 63) - 1]
    assert list(plan.buckets_of(np.array(keys, np.uint64), parts)) == [
        key * parts >> 63 for key in keys
    ]


def test_a_class_is_ranked_in_parts_when_it_is_large():
    assert [plan.num_buckets(n) for n in (0, 1, 134_415, 150_000, 150_001, 4_800_000)] == [
        1,
        1,
        1,
        1,
        2,
        32,
    ]
