"""Slices: how a split is divided, and the accuracy on its parts."""

import json

import numpy as np
import pytest

from trainer.evaluation import intervals, predictions, results, slices


def predictions_of(correct, *, filenames=None):
    """Predictions of two classes; the first half of the examples is of the first."""
    count = len(correct)
    labels = np.repeat([0, 1], [count // 2, count - count // 2])
    predicted = np.where(correct, labels, 1 - labels)
    return predictions.Predictions(
        class_names=("neutral", "happy"),
        filenames=np.array(filenames or [f"{n}.jpg" for n in range(count)]),
        copies=np.zeros(count, np.int64),
        labels=labels,
        probabilities=np.where(np.eye(2)[predicted] == 1, 0.75, 0.25),
    )


def of_values(values, correct=None, text="{:g}".format):
    preds = predictions_of([True] * len(values) if correct is None else correct)
    quantity = slices.Quantity(np.array(values, float), text)
    return slices.of(preds, attributes={"x": quantity}).get("x", [])


def test_a_quantity_is_divided_by_its_quartiles():
    correct = [True, True, True, False, True, False, False, False]
    found = of_values([1, 2, 3, 4, 5, 6, 7, 8], correct)
    # numpy's quartiles of 1..8 are 2.75, 4.5 and 6.25.
    assert [(each.name, each.num_examples, each.accuracy) for each in found] == [
        ("up to 2.75", 2, 1.0),
        ("2.75 to 4.5", 2, 0.5),
        ("4.5 to 6.25", 2, 0.5),
        ("above 6.25", 2, 0.0),
    ]


def test_equal_values_are_in_one_part_and_those_that_are_missing_in_none():
    found = of_values([0, 0, 0, 0, 1, 2, 3, 4, np.nan, np.inf])
    assert [(each.name, each.num_examples) for each in found] == [
        ("up to 0.5", 4),
        ("0.5 to 2.25", 2),
        ("above 2.25", 2),
    ]


def test_where_all_are_alike_or_few_there_are_no_parts():
    assert of_values([0.5] * 20) == []
    assert of_values([np.nan] * 20) == []
    assert of_values(range(7)) == [] and len(of_values(range(8))) == 4


def test_groups_are_in_the_order_of_their_names_and_examples_of_none_left_out():
    preds = predictions_of([True, True, False, False, True])
    groups = np.array(["b", "", "b", "a", "a"])
    found = slices.by_group(groups, preds)
    assert [(each.name, each.num_examples, each.accuracy) for each in found] == [
        ("a", 2, 0.5),
        ("b", 2, 0.5),
    ]
    same = slices.of(preds, attributes={"kind": np.array(["a"] * 5), "none": np.array([""] * 5)})
    assert same == {}


def test_the_interval_is_that_of_the_accuracy_and_copies_do_not_narrow_it():
    rng = np.random.default_rng(0)
    preds = predictions_of(rng.random(60) < 0.7)
    whole = intervals.classification(preds.labels, preds.probabilities, groups=preds.groups)
    halves = slices.by_group(np.array(["a", "b"] * 30), preds)
    alone = preds.only(np.arange(60) % 2 == 0)
    expected = intervals.classification(alone.labels, alone.probabilities, groups=alone.groups)
    assert halves[0].interval == pytest.approx(expected["accuracy"])
    assert halves[0].interval.high - halves[0].interval.low > (
        whole["accuracy"].high - whole["accuracy"].low
    )
    one_image = predictions_of([True] * 8, filenames=["a", "b"] * 4)
    (first, _) = slices.by_group(np.array(["x"] * 4 + ["y"] * 4), one_image)
    assert first.interval.low < 0.4  # Two images, not four.


def test_metrics_json_has_the_slices_where_there_are_any():
    preds = predictions_of([True] * 6 + [False] * 2)
    assert "slices" not in results.evaluate(preds).to_json()
    groups = np.array(["a"] * 4 + ["b"] * 4)
    found = results.evaluate(preds, attributes={"subset": groups}).to_json()
    low, high = found["slices"]["subset"][1].pop("interval_95")
    assert low < 0.5 < high
    assert found["slices"]["subset"][1] == {"name": "b", "num_examples": 4, "accuracy": 0.5}
    assert json.loads(json.dumps(found)) == found
