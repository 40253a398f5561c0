"""Classification metrics: by hand, against scikit-learn, and the refusals."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from trainer.evaluation import metrics

NAMES = ("neutral", "happy", "sad")

# truth        n    n    n    h    h    s
# predicted    n    n    h    h    s    n
LABELS = np.array([0, 0, 0, 1, 1, 2])
PROBABILITIES = np.array(
    [
        [0.7, 0.2, 0.1],
        [0.5, 0.3, 0.2],
        [0.4, 0.5, 0.1],
        [0.1, 0.8, 0.1],
        [0.3, 0.2, 0.5],
        [0.6, 0.1, 0.3],
    ]
)


def names(num_classes):
    return [f"class {k}" for k in range(num_classes)]


def random_case(num_classes, *, seed, num_examples=60):
    """Labels with every class, and probabilities in eighths or so: many ties, in classes and
    between examples."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.resize(np.arange(num_classes), num_examples))
    counts = rng.multinomial(16, np.full(num_classes, 1 / num_classes), size=num_examples)
    return labels, counts / 16


def test_accuracy_precision_recall_and_f1_are_those_worked_by_hand():
    found = metrics.evaluate(LABELS, PROBABILITIES, class_names=NAMES)
    assert found.confusion == ((2, 1, 0), (0, 1, 1), (1, 0, 0))
    assert found.accuracy == pytest.approx(3 / 6)
    assert found.balanced_accuracy == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert found.per_class[0] == metrics.Scores(
        pytest.approx(2 / 3), pytest.approx(2 / 3), pytest.approx(2 / 3), 3
    )
    assert found.per_class[1] == metrics.Scores(0.5, 0.5, 0.5, 2)
    assert found.per_class[2] == metrics.Scores(0.0, 0.0, 0.0, 1)
    macro = pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert found.macro == metrics.Scores(macro, macro, macro, 6)
    weighted = pytest.approx((3 * 2 / 3 + 2 * 1 / 2 + 0) / 6)
    assert found.weighted == metrics.Scores(weighted, weighted, weighted, 6)
    assert (found.num_examples, found.absent, found.never_predicted) == (6, (), ())


def test_top2_accuracy_counts_a_true_class_in_second_place():
    # The true class is second in rows 2 (0.4) and 5 (0.3), third in row 4 (0.2).
    found = metrics.evaluate(LABELS, PROBABILITIES, class_names=NAMES)
    assert found.top2_accuracy == pytest.approx(5 / 6)


def test_the_first_of_equally_probable_classes_is_the_predicted_one():
    found = metrics.evaluate(np.array([0, 1, 2]), np.full((3, 3), 1 / 3), class_names=NAMES)
    assert found.confusion == ((1, 0, 0), (1, 0, 0), (1, 0, 0))
    assert found.top2_accuracy == pytest.approx(2 / 3)
    assert found.never_predicted == ("happy", "sad")


def test_m_measure_is_that_worked_by_hand():
    # A(n|h): p(n) of n .7 .5 .4, of h .1 .3: all 6 pairs in order.
    # A(h|n): .8 .2 against .2 .3 .5: 3 + 0.5 of 6.
    # A(n|s): .7 .5 .4 against .6: 1 of 3. A(s|n): .3 against .1 .2 .1: 3 of 3.
    # A(h|s): .8 .2 against .1: 2 of 2. A(s|h): .3 against .1 .5: 1 of 2.
    found = metrics.evaluate(LABELS, PROBABILITIES, class_names=NAMES)
    pairs = [(1 + 3.5 / 6) / 2, (1 / 3 + 1) / 2, (1 + 1 / 2) / 2]
    assert found.m_measure == pytest.approx(sum(pairs) / 3)
    assert (found.m_pairs_used, found.m_pairs_possible) == (3, 3)


def test_m_measure_of_constant_probabilities_is_one_half():
    found = metrics.evaluate(LABELS, np.full((6, 3), 1 / 3), class_names=NAMES)
    assert found.m_measure == 0.5


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("num_classes", range(3, 12))
def test_m_measure_equals_scikit_learns_macro_ovo_area(num_classes, seed):
    labels, probabilities = random_case(num_classes, seed=seed)
    found = metrics.evaluate(labels, probabilities, class_names=names(num_classes))
    area = sklearn_metrics.roc_auc_score(labels, probabilities, multi_class="ovo", average="macro")
    assert found.m_measure == pytest.approx(area, abs=1e-12)
    assert found.m_pairs_used == num_classes * (num_classes - 1) / 2


@pytest.mark.parametrize("seed", range(3))
def test_m_measure_of_two_classes_is_the_area_under_the_roc_curve(seed):
    labels, probabilities = random_case(2, seed=seed)
    found = metrics.evaluate(labels, probabilities, class_names=names(2))
    assert found.m_measure == pytest.approx(
        sklearn_metrics.roc_auc_score(labels, probabilities[:, 1])
    )
    assert (found.m_pairs_used, found.top2_accuracy) == (1, 1.0)


@pytest.mark.parametrize("num_classes", range(2, 12))
def test_scores_equal_scikit_learns_on_random_predictions(num_classes):
    labels, probabilities = random_case(num_classes, seed=7)
    predicted = probabilities.argmax(axis=1)
    found = metrics.evaluate(labels, probabilities, class_names=names(num_classes))
    report = sklearn_metrics.classification_report(
        labels, predicted, labels=range(num_classes), output_dict=True, zero_division=0
    )
    rows = [*found.per_class, found.macro, found.weighted]
    keys = [*map(str, range(num_classes)), "macro avg", "weighted avg"]
    for scores, key in zip(rows, keys, strict=True):
        assert [scores.precision, scores.recall, scores.f1, scores.support] == pytest.approx(
            [*report[key].values()]
        )
    assert found.accuracy == pytest.approx(sklearn_metrics.accuracy_score(labels, predicted))
    expected = sklearn_metrics.balanced_accuracy_score(labels, predicted)
    assert found.balanced_accuracy == pytest.approx(expected)


def test_a_class_without_examples_is_left_out_of_averages_and_pairs():
    labels, probabilities = LABELS[:5], PROBABILITIES[:5]  # No sad; row 4 is predicted sad.
    found = metrics.evaluate(labels, probabilities, class_names=NAMES)
    sad = found.per_class[2]
    assert [math.isnan(v) for v in (sad.precision, sad.recall, sad.f1)] == [True, True, True]
    assert found.absent == ("sad",)
    assert found.macro.precision == pytest.approx((1 + 1 / 2) / 2)  # Neutral 2 of 2, happy 1 of 2.
    assert found.balanced_accuracy == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert found.weighted.recall == pytest.approx(found.accuracy)
    assert (found.m_pairs_used, found.m_pairs_possible) == (1, 3)
    assert found.m_measure == pytest.approx((1 + 3.5 / 6) / 2)


def test_absent_classes_leave_m_equal_to_scikit_learns():
    labels, probabilities = random_case(8, seed=1)
    kept = ~np.isin(labels, [2, 7])
    found = metrics.evaluate(labels[kept], probabilities[kept], class_names=names(8))
    area = sklearn_metrics.roc_auc_score(
        labels[kept], probabilities[kept], multi_class="ovo", average="macro", labels=range(8)
    )
    assert found.m_measure == pytest.approx(area, abs=1e-12)
    assert (found.m_pairs_used, found.m_pairs_possible) == (15, 28)


def test_m_of_a_single_class_is_undefined():
    found = metrics.evaluate(LABELS[:3], PROBABILITIES[:3], class_names=NAMES)
    assert math.isnan(found.m_measure)
    assert (found.m_pairs_used, found.m_pairs_possible) == (0, 3)
    assert found.to_json()["m_measure"] is None


def test_json_holds_plain_values_with_none_for_what_is_undefined():
    found = metrics.evaluate(LABELS[:5], PROBABILITIES[:5], class_names=NAMES)
    fields = found.to_json()
    assert json.loads(json.dumps(fields, allow_nan=False)) == fields
    assert fields["per_class"][2] == {
        "name": "sad",
        "precision": None,
        "recall": None,
        "f1": None,
        "support": 0,
    }
    assert fields["confusion"] == [[2, 1, 0], [0, 1, 1], [0, 0, 0]]
    assert (fields["num_examples"], fields["accuracy"]) == (5, 0.6)
    assert (fields["absent"], fields["never_predicted"]) == (["sad"], [])
    assert [*fields] == [
        "num_examples",
        "class_names",
        "accuracy",
        "top2_accuracy",
        "balanced_accuracy",
        "macro",
        "weighted",
        "confusion",
        "m_measure",
        "m_pairs_used",
        "m_pairs_possible",
        "per_class",
        "absent",
        "never_predicted",
    ]


def test_a_float32_softmax_is_accepted():
    logits = np.random.default_rng(0).normal(scale=5, size=(500, 11)).astype(np.float32)
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    assert probabilities.dtype == np.float32
    labels = np.resize(np.arange(11), 500)
    assert metrics.evaluate(labels, probabilities, class_names=names(11)).m_pairs_used == 55


def swapped(row, column, value):
    probabilities = PROBABILITIES.copy()
    probabilities[row, column] = value
    return probabilities


@pytest.mark.parametrize(
    ("labels", "probabilities", "class_names", "message"),
    [
        (
            LABELS,
            PROBABILITIES[:, :2],
            NAMES,
            "probabilities must be a row a label and a column a class, (6, 3): got shape (6, 2)",
        ),
        (
            LABELS[:5],
            PROBABILITIES,
            NAMES,
            "probabilities must be a row a label and a column a class, (5, 3): got shape (6, 3)",
        ),
        (
            LABELS.astype(float),
            PROBABILITIES,
            NAMES,
            "labels must be integers of shape [N]: got float64 of shape (6,)",
        ),
        (
            LABELS[:, None],
            PROBABILITIES,
            NAMES,
            "labels must be integers of shape [N]: got int64 of shape (6, 1)",
        ),
        (
            LABELS[:0],
            PROBABILITIES[:0],
            NAMES,
            "there must be at least one example to evaluate: got 0; is the split empty?",
        ),
        (LABELS, PROBABILITIES, ["happy"], "class_names must hold at least 2 names: got ['happy']"),
        (
            LABELS + 1,
            PROBABILITIES,
            NAMES,
            "label must be 0..2 (neutral to sad): got 3 in row 5; "
            "take labels and class_names from the same config of the data set",
        ),
        (
            LABELS - 1,
            PROBABILITIES,
            NAMES,
            "label must be 0..2 (neutral to sad): got -1 in row 0; "
            "take labels and class_names from the same config of the data set",
        ),
        (
            LABELS,
            swapped(3, 1, math.nan),
            NAMES,
            "probability must be a number in 0..1: got nan in row 3, class happy; "
            "give softmax outputs, and check the loss if they are nan",
        ),
        (
            LABELS,
            swapped(2, 0, -0.25),
            NAMES,
            "probability must be a number in 0..1: got -0.25 in row 2, class neutral; "
            "give softmax outputs, and check the loss if they are nan",
        ),
        (
            LABELS,
            swapped(4, 2, math.inf),
            NAMES,
            "probability must be a number in 0..1: got inf in row 4, class sad; "
            "give softmax outputs, and check the loss if they are nan",
        ),
        (
            LABELS,
            swapped(1, 0, 0.4375),
            NAMES,
            "probabilities of an example must sum to 1: got 0.9375 in row 1; "
            "compute the softmax in float32, not in half precision",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_refused_with_its_row(
    labels, probabilities, class_names, message
):
    with pytest.raises(ValueError) as refusal:
        metrics.evaluate(labels, probabilities, class_names=class_names)
    assert str(refusal.value) == message


def test_importing_metrics_and_report_does_not_import_tensorflow_or_pyplot():
    check = (
        "import sys, trainer.evaluation.metrics, trainer.reports.files; "
        "sys.exit(bool({'tensorflow', 'matplotlib.pyplot'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
