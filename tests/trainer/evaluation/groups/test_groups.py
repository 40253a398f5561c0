"""Numbers by group: equal to fairlearn's, gaps and tests by hand, planted and absent bias."""

import math

import fairlearn.metrics
import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics

from runtime import errors
from tests import benchmark_modules
from tests.trainer.evaluation.test_results import random_predictions
from trainer.evaluation import predictions
from trainer.evaluation.groups import attributes, gaps, group_results, permutation

group_bias = benchmark_modules.imported("group_bias")

TEXTS = ("dark", "light", "medium")


def with_attributes(count=600, *, seed=3):
    rng = np.random.default_rng(seed)
    preds = random_predictions(num_examples=count, seed=seed)
    texts = {
        "skin": rng.choice([*TEXTS, ""], size=count, p=[0.3, 0.4, 0.2, 0.1]),
        "age": np.array([str(age) for age in rng.integers(10, 80, size=count)]),
    }
    return preds, texts


def by_name(division):
    return {group.name: group for group in division.groups}


def test_every_number_by_group_and_intersection_is_that_of_fairlearn():
    preds, texts = with_attributes()
    found = group_results.evaluate(
        preds, attributes.make(texts, asked={"skin": (), "age": (30, 50)}), least_images=1
    )
    age = np.array([int(text) for text in texts["age"]])
    ranges = np.select([age < 30, age < 50], ["below 30", "30 to 50"], "50 or more")
    known = texts["skin"] != ""
    columns = {"skin": texts["skin"], "age": ranges, "skin & age": None}
    assert [division.name for division in found.divisions] == [*columns]
    nll = -np.log(preds.probabilities[np.arange(len(age)), preds.labels])
    judged = {
        "accuracy": sklearn_metrics.accuracy_score,
        "balanced_accuracy": sklearn_metrics.balanced_accuracy_score,
        "macro_f1": lambda y, p: sklearn_metrics.f1_score(
            y, p, average="macro", labels=np.unique(y), zero_division=0
        ),
    }
    for division in found.divisions:
        kept = known if "skin" in division.name else np.ones_like(known)
        features = {"skin": texts["skin"][kept], "age": ranges[kept]}
        frame = fairlearn.metrics.MetricFrame(
            metrics=judged,
            y_true=preds.labels[kept],
            y_pred=preds.predicted[kept],
            sensitive_features={name: features[name] for name in division.name.split(" & ")},
        )
        losses = fairlearn.metrics.MetricFrame(
            metrics={"nll": lambda y, row: nll[row].mean(), "count": fairlearn.metrics.count},
            y_true=preds.labels[kept],
            y_pred=np.flatnonzero(kept),
            sensitive_features={name: features[name] for name in division.name.split(" & ")},
        )
        groups = by_name(division)
        assert len(groups) == len(frame.by_group) > 2
        for key, row in frame.by_group.iterrows():
            group = groups[" & ".join(key) if isinstance(key, tuple) else key]
            scores = group.evaluated.classification
            assert scores.accuracy == pytest.approx(row["accuracy"], abs=1e-12)
            assert scores.balanced_accuracy == pytest.approx(row["balanced_accuracy"], abs=1e-12)
            assert scores.macro.f1 == pytest.approx(row["macro_f1"], abs=1e-12)
            assert group.evaluated.calibrated.nll == pytest.approx(losses.by_group["nll"][key])
            assert group.num_images == losses.by_group["count"][key]
        gap = division.measured.accuracy
        assert gap.difference == pytest.approx(frame.difference()["accuracy"], abs=1e-12)
        best, worst = division.gap_groups(gap)
        assert best.evaluated.classification.accuracy == frame.group_max()["accuracy"]
        assert worst.evaluated.classification.accuracy == frame.group_min()["accuracy"]
        assert division.unknown == (~kept).sum()


def images(*, group, label, correct):
    return gaps.Images(
        group=np.array(group), label=np.array(label), correct=np.array(correct, float)
    )


def test_accuracy_of_the_same_classes_takes_out_what_the_classes_explain():
    # Class 0 is always right and class 1 half the time, in both groups; group 1 has more of it.
    found = gaps.measure(
        images(
            group=[0] * 6 + [1] * 10,
            label=[0, 0, 0, 0, 1, 1] + [0, 0] + [1] * 8,
            correct=[1, 1, 1, 1, 1, 0] + [1, 1] + [1, 0] * 4,
        )
    )
    assert found.accuracy.difference == pytest.approx(5 / 6 - 6 / 10)
    assert (found.accuracy.best, found.accuracy.worst) == (0, 1)
    assert found.adjusted == pytest.approx([11 / 16, 11 / 16])
    assert found.of_adjusted.difference == pytest.approx(0)


def test_the_interval_of_two_groups_is_about_that_of_a_difference_of_proportions():
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1], [900, 600])
    correct = rng.random(1500) < np.where(group, 0.5, 0.6)
    found = gaps.measure(images(group=group, label=np.zeros(1500, int), correct=correct)).accuracy
    shares = [correct[group == g].mean() for g in (0, 1)]
    half = 1.96 * math.sqrt(sum(p * (1 - p) / n for p, n in zip(shares, (900, 600), strict=True)))
    assert found.interval == pytest.approx(
        (found.difference - half, found.difference + half), abs=0.005
    )


def test_the_interval_of_the_largest_of_many_gaps_is_wider_than_that_of_one():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(8), 200)
    correct = rng.random(1600) < 0.6
    many = gaps.measure(images(group=group, label=group * 0, correct=correct)).accuracy
    two = np.isin(group, (many.best, many.worst))
    alone = gaps.measure(
        images(group=(group[two] == many.worst) * 1, label=group[two] * 0, correct=correct[two])
    ).accuracy
    assert alone.difference == many.difference
    assert np.ptp(many.interval) > 1.4 * np.ptp(alone.interval)
    assert many.interval.low < 0


def test_groups_without_a_mistake_still_have_an_interval():
    found = gaps.measure(
        images(group=[0] * 60 + [1] * 60, label=[0] * 120, correct=[1] * 120)
    ).accuracy
    assert found.difference == 0
    assert 0.05 < found.interval.high < 0.15
    assert (found.best, found.worst) == (0, 1)  # Two groups, though neither is better.


def test_the_p_value_of_two_groups_and_a_class_is_that_of_fishers_test():
    # The statistic of equal groups orders tables as Fisher's test does.
    table = np.array([[30], [30]]), np.array([[14], [23]])
    exact = stats.fisher_exact([[14, 16], [23, 7]]).pvalue
    assert permutation.p_value(*table) == pytest.approx(exact, abs=0.006)


def test_the_p_value_is_that_of_shuffling_images_within_their_classes():
    rng = np.random.default_rng(1)
    group, label = rng.integers(3, size=240), rng.integers(2, size=240)
    correct = rng.random(240) < 0.5 + 0.3 * label - 0.12 * (group == 2)
    shape = (3, 2)
    cells = group * 2 + label
    counts = np.bincount(cells, minlength=6).reshape(shape)

    def statistic(correct):
        hits = np.bincount(cells[correct], minlength=6).reshape(shape)
        expected = counts @ (hits.sum(0) / counts.sum(0))
        return ((hits.sum(1) - expected) ** 2 / counts.sum(1)).sum()

    drawn = []
    for _ in range(4000):
        shuffled = correct.copy()
        for k in (0, 1):
            shuffled[label == k] = rng.permutation(correct[label == k])
        drawn.append(statistic(shuffled))
    p = np.mean(np.array(drawn) >= statistic(correct) - 1e-9)
    hits = np.bincount(cells[correct], minlength=6).reshape(shape)
    assert 0.01 < p < 0.5
    assert permutation.p_value(counts, hits) == pytest.approx(p, abs=0.02)


def test_other_classes_alone_are_not_taken_for_a_bias():
    # Group 1 has the hard class only, group 0 nearly only the easy one.
    counts = np.array([[400, 20], [20, 400]])
    hits = np.array([[360, 10], [18, 200]])
    assert permutation.p_value(counts, hits) > 0.9


def test_small_groups_have_no_numbers_and_are_not_compared():
    preds, _ = with_attributes(120)
    skin = np.array(["dark"] * 60 + ["light"] * 55 + ["medium"] * 5)
    wrong = (preds.labels + 1) % 8
    right = np.eye(8)[np.where(np.arange(120) < 115, preds.labels, wrong)]
    preds = predictions.dataclasses.replace(preds, probabilities=right)
    found = group_results.evaluate(preds, attributes.make({"skin": skin}, asked={}))
    (division,) = found.divisions
    groups = by_name(division)
    assert groups["medium"].evaluated is None and groups["medium"].num_images == 5
    assert division.measured.accuracy.difference == 0  # Not that to "medium", which is 1.
    assert division.to_json()["groups"][2] == {"group": "medium", "num_images": 5}
    alone = group_results.evaluate(
        preds, attributes.make({"skin": skin}, asked={}), least_images=56
    )
    (division,) = alone.divisions
    assert (division.measured, division.p, division.differs) == (None, None, False)


def test_intersections_of_the_same_name_have_numbers_of_their_own():
    preds, _ = with_attributes(120)
    first = np.repeat(["a", "a & b"], 60)
    second = np.repeat(["b & c", "c"], 60)
    given = attributes.make({"first": first, "second": second}, asked={})
    both = group_results.evaluate(preds, given).divisions[2]
    correct = preds.labels == preds.predicted
    assert [group.name for group in both.groups] == ["a & b & c"] * 2
    assert [group.evaluated.classification.accuracy for group in both.groups] == pytest.approx(
        [correct[:60].mean(), correct[60:].mean()]
    )


def test_p_values_are_adjusted_for_all_divisions():
    preds, texts = with_attributes()
    found = group_results.evaluate(preds, attributes.make(texts, asked={}))
    raw = sorted(division.p for division in found.divisions)
    adjusted = sorted(division.adjusted_p for division in found.divisions)
    assert len(raw) == 3
    assert adjusted[0] == pytest.approx(min(1, 3 * raw[0]))


def test_copies_of_an_image_do_not_count_as_images():
    preds, texts = with_attributes(300)
    twice = np.repeat(np.arange(300), 2)
    doubled = predictions.dataclasses.replace(preds.only(twice), copies=np.arange(600) % 2)
    one, two = (
        group_results.evaluate(each, attributes.make(chosen, asked={"skin": ()})).divisions[0]
        for each, chosen in (
            (preds, texts),
            (doubled, {name: each[twice] for name, each in texts.items()}),
        )
    )
    assert [group.num_images for group in two.groups] == [group.num_images for group in one.groups]
    assert two.p == one.p
    assert two.measured.accuracy == one.measured.accuracy


@pytest.mark.parametrize(
    ("texts", "edges", "groups", "codes"),
    [
        (["b", "a", "", "b"], (), ("a", "b"), [1, 0, -1, 1]),
        (["10", "9", "10", "2"], (), ("2", "9", "10"), [2, 1, 2, 0]),
        (["19.5", "20", "", "60"], (20, 60), ("below 20", "20 to 60", "60 or more"), [0, 1, -1, 2]),
        (
            ["20200101", "20200102", "20200103", ""],
            (20200102, 20200103),
            ("below 20200102", "20200102 to 20200103", "20200103 or more"),
            [0, 1, 2, -1],
        ),
        ([*map(str, range(12))], (), ("below 3.67", "3.67 to 7.33", "7.33 or more"), None),
    ],
)
def test_texts_become_groups(texts, edges, groups, codes):
    found = attributes.of("height", np.array(texts), edges=edges)
    assert found.groups == groups
    assert found.codes.tolist() == (codes or [0] * 4 + [1] * 4 + [2] * 4)


def test_a_known_attribute_has_its_usual_ranges():
    ages = np.array([str(age) for age in range(10, 80)])
    assert attributes.of("age", ages).groups == ("below 20", "20 to 40", "40 to 60", "60 or more")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"race": ()}, "--groups=race names no attribute: the data have skin, file;"),
        ({"skin": (1.0,)}, "--groups=skin: ranges need numbers, and it has dark"),
        ({"file": ()}, "--groups=file: it has 40 different values, and groups are at most 20"),
    ],
)
def test_what_is_no_group_is_refused(asked, message, capsys):
    texts = {
        "skin": np.array(["dark"] * 40),
        "file": np.array([f"f{n}" for n in range(40)]),
    }
    with pytest.raises(errors.UserError) as refusal:
        attributes.make(texts, asked=asked)
    assert message in str(refusal.value)
    assert [each.name for each in attributes.make(texts, asked={})] == ["skin"]
    assert "groups        file is left out: it has 40 different" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["age,age", ",", "age:20:20", "age:x", "age:"])
def test_a_flag_that_names_no_attributes_is_refused(text):
    with pytest.raises(errors.UserError, match="--groups must"):
        attributes.parse(text)


def test_the_flag_names_attributes_and_edges():
    assert attributes.parse("age:20:40.5, gender") == {"age": (20, 40.5), "gender": ()}
    assert attributes.parse("") == {}


def test_a_planted_bias_of_ten_points_is_found_and_none_is_found_in_vain():
    rng = np.random.default_rng(7)
    for bias in (0.1, 0.0):
        found = [
            group_bias.judged(
                group_bias.draw(num_examples=4000, share=0.25, bias=bias, rng=rng), bias=bias
            )
            for _ in range(8)
        ]
        assert [each.planted for each in found] == [bool(bias)] * 8
        assert not any(each.in_vain for each in found)
        assert sum(each.holds for each in found) >= 6


def test_a_bias_is_planted_in_the_predictions_of_a_group():
    probs = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.8, 0.1, 0.1], [0.5, 0.3, 0.2]])
    preds = predictions.Predictions(
        class_names=("a", "b", "c"),
        filenames=np.array(["1", "2", "3", "4"]),
        copies=np.zeros(4, np.int64),
        labels=np.array([0, 1, 0, 1]),
        probabilities=probs,
    )
    of_group = np.array([True, True, False, True])
    rng = np.random.default_rng(0)
    found = group_bias.planted(preds, of_group=of_group, points=66, rng=rng)  # Two of the three.
    assert found.probabilities[:2].tolist() == [[0.2, 0.7, 0.1], [0.1, 0.3, 0.6]]
    assert found.probabilities[2:].tolist() == probs[2:].tolist()
    with pytest.raises(ValueError, match="only 2 of the group's 3 answers are correct: 3 cannot"):
        group_bias.planted(preds, of_group=of_group, points=100, rng=rng)
