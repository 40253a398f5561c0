import dataclasses
import threading

import numpy as np
import pytest
import tensorflow as tf

from runtime import machine
from trainer.data import examples, input_pipeline, sampler

LAYOUT = input_pipeline.BatchLayout(batch_size=4, num_replicas=2, steps_per_execution=2)


def rows(*, first_step=0, layout=LAYOUT, num_examples=10, epoch=0):
    numbers = sampler.natural(num_examples, seed=7, epoch=epoch)
    return dealt(numbers, layout=layout, first_step=first_step)


def dealt(numbers, *, layout, first_step=0):
    plan_rows = input_pipeline.plan(
        len(numbers), layout=layout, epochs=range(1), first_step=first_step
    )
    return [
        input_pipeline.batch_indices(numbers, layout=layout, first_step=start, replica=replica)
        for _, start, replica in plan_rows
    ]


def test_ten_examples_in_batches_of_four_are_two_full_steps_and_one_of_two():
    dealt_rows = dealt(np.arange(10, 20), layout=LAYOUT)
    # One row a step group and replica: two groups (steps 0 and 1, then step 2) for two replicas.
    np.testing.assert_array_equal(dealt_rows[0]["example_index"], [[10, 11], [14, 15]])
    np.testing.assert_array_equal(dealt_rows[1]["example_index"], [[12, 13], [16, 17]])
    np.testing.assert_array_equal(dealt_rows[2]["example_index"], [[18, 19]])
    np.testing.assert_array_equal(dealt_rows[3]["example_index"], [[10, 11]])  # Filling.
    np.testing.assert_array_equal(dealt_rows[3]["weight"], [[0, 0]])
    np.testing.assert_array_equal(dealt_rows[3]["position"], [[10, 11]])
    np.testing.assert_array_equal(dealt_rows[3]["count"], [2])


def test_every_part_of_a_step_is_shared_by_all_replicas():
    dealt_rows = dealt(
        np.arange(16),
        layout=input_pipeline.BatchLayout(
            batch_size=8, num_replicas=2, steps_per_execution=2, num_microbatches=2
        ),
    )
    np.testing.assert_array_equal(dealt_rows[0]["position"], [[0, 1, 4, 5], [8, 9, 12, 13]])
    np.testing.assert_array_equal(dealt_rows[1]["position"], [[2, 3, 6, 7], [10, 11, 14, 15]])


def test_the_plan_goes_through_what_is_left_of_an_epoch_and_then_through_whole_ones():
    plan_rows = input_pipeline.plan(10, layout=LAYOUT, epochs=range(4, 6), first_step=2)
    assert plan_rows.tolist() == [[4, 2, 0], [4, 2, 1], [5, 0, 0], [5, 0, 1], [5, 2, 0], [5, 2, 1]]


def test_every_example_comes_once_an_epoch_with_weight_one():
    seen = np.concatenate([row["example_index"][row["weight"] == 1] for row in rows()])
    assert sorted(seen) == list(range(10))


def test_two_epochs_have_different_orders():
    assert not np.array_equal(rows(epoch=0)[0]["example_index"], rows(epoch=1)[0]["example_index"])


def test_the_order_depends_on_seed_and_epoch_only():
    assert np.array_equal(
        sampler.natural(50, seed=1, epoch=2), sampler.natural(50, seed=1, epoch=2)
    )
    assert not np.array_equal(
        sampler.natural(50, seed=1, epoch=2), sampler.natural(50, seed=2, epoch=1)
    )


@pytest.mark.parametrize("first_step", [0, 1, 2])
def test_starting_at_a_step_gives_what_an_unbroken_epoch_gives_from_there(first_step):
    one_step = input_pipeline.BatchLayout(batch_size=4, num_replicas=2, steps_per_execution=1)
    whole, rest = rows(layout=one_step), rows(layout=one_step, first_step=first_step)
    assert len(rest) == len(whole) - 2 * first_step
    for expected, got in zip(whole[2 * first_step :], rest, strict=True):
        np.testing.assert_equal(got, expected)


def test_steps_a_call_do_not_change_what_a_step_holds():
    one = rows(
        layout=input_pipeline.BatchLayout(batch_size=4, num_replicas=2, steps_per_execution=1)
    )
    steps = {r: np.concatenate([row["position"] for row in one[r::2]]) for r in (0, 1)}
    several = rows()
    for replica in (0, 1):
        joined = np.concatenate([row["position"] for row in several[replica::2]])
        np.testing.assert_array_equal(joined, steps[replica])


@pytest.mark.parametrize("cache", ["none", "ram"])
def test_images_and_labels_belong_to_their_example_indices(version, cache):
    split = examples.read(version, split="train", size_px=32, cache=cache)
    layout = input_pipeline.BatchLayout(batch_size=6, num_replicas=1, steps_per_execution=1)
    numbers = np.array([5, 0, 61, 5])
    plan_rows = np.array([[3, 0, 0]])
    (group,) = input_pipeline.step_groups(
        split, plan_rows=plan_rows, layout=layout, order_of=lambda epoch: numbers
    )
    assert group["epoch"] == 3
    for i, number in enumerate(numbers):
        np.testing.assert_array_equal(group["image"][0, i], split.fetch(number))
        assert group["label"][0, i] == split.labels[number]


def groups_of(split, *, count, before=lambda: None):
    """The first step groups, of one example each; `before` runs before an image is read."""

    def waited(numbers):
        before()
        return split.fetch(numbers).numpy()

    def fetch(numbers):
        return tf.ensure_shape(
            tf.numpy_function(waited, [numbers], tf.uint8), (*numbers.shape, 16, 16, 3)
        )

    layout = input_pipeline.BatchLayout(batch_size=1, num_replicas=1, steps_per_execution=1)
    plan_rows = input_pipeline.plan(62, layout=layout, epochs=range(1))[:count]
    waiting = dataclasses.replace(split, fetch=fetch)
    return input_pipeline.step_groups(
        waiting, plan_rows=plan_rows, layout=layout, order_of=lambda epoch: np.arange(62)
    )


@pytest.mark.skipif(machine.cpu_count() < 2, reason="one core reads one step group at a time")
def test_as_many_step_groups_are_read_at_once_as_there_are_cores(version):
    split = examples.read(version, split="train", size_px=16)
    meeting = threading.Barrier(machine.cpu_count(), timeout=60)
    groups = groups_of(split, count=4 * machine.cpu_count(), before=meeting.wait)
    assert sum(len(group["example_index"]) for group in groups) == 4 * machine.cpu_count()


def test_nobody_waits_for_a_tuner_when_an_iterator_ends(version):
    split = examples.read(version, split="train", size_px=16)
    assert groups_of(split, count=1).options().autotune.enabled is False
