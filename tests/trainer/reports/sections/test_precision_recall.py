"""Precision and recall by threshold: against scikit-learn and by hand."""

import math
import re

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from trainer.evaluation import predictions
from trainer.reports.sections import precision_recall
from webpage import markup


def predictions_of(labels, probs):
    """Predictions of two classes, by the probability of the second."""
    probs = np.array(probs)
    return predictions.Predictions(
        class_names=("neutral", "happy"),
        filenames=np.array([f"{n}.jpg" for n in range(len(labels))]),
        copies=np.zeros(len(labels), np.int64),
        labels=np.array(labels),
        probabilities=np.stack([1 - probs, probs], axis=1),
    )


HAND = predictions_of([0, 0, 1, 1, 1], [0.1, 0.6, 0.4, 0.7, 0.95])


def test_at_a_threshold_precision_and_recall_are_those_of_what_reaches_it():
    (_, happy) = precision_recall.curves(HAND)
    # At 0.3: 0.4, 0.6, 0.7 and 0.95 reach it, three of them happy, and there are three.
    assert happy.at(0.3) == (0.3, 0.75, 1.0)
    assert happy.at(0.5) == (0.5, pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert happy.at(0.7) == (0.7, 1.0, pytest.approx(2 / 3))  # At the threshold itself: taken.
    assert happy.at(0.9)[1:] == (1.0, pytest.approx(1 / 3))
    precision, recall = happy.at(0.96)[1:]
    assert math.isnan(precision) and recall == 0


def test_the_best_threshold_is_that_of_the_highest_f1():
    (_, happy) = precision_recall.curves(HAND)
    # F1 at 0.4: 2 * 0.75 / 1.75 = 0.857; at 0.7: 0.8; at 0.6: 0.667.
    assert happy.thresholds[happy.best] == 0.4
    assert happy.f1[happy.best] == pytest.approx(0.857, abs=5e-4)
    wrong = predictions_of([0, 1], [0.9, 0.1])
    assert [each.f1.max() for each in precision_recall.curves(wrong)] == pytest.approx([2 / 3] * 2)


def test_on_random_predictions_every_point_is_scikit_learns():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 300)
    preds = predictions_of(labels, np.clip(rng.normal(0.4 + 0.2 * labels, 0.2), 0, 1).round(2))
    (_, happy) = precision_recall.curves(preds)
    for threshold in (0.05, 0.31, 0.5, 0.77):
        taken = preds.probabilities[:, 1] >= threshold
        assert happy.at(threshold)[1:] == pytest.approx(
            (
                sklearn_metrics.precision_score(labels, taken),
                sklearn_metrics.recall_score(labels, taken),
            )
        )
    assert happy.share == labels.mean()
    best = max(
        sklearn_metrics.f1_score(labels, preds.probabilities[:, 1] >= each)
        for each in happy.thresholds
    )
    assert happy.f1[happy.best] == pytest.approx(best)


def test_the_table_has_a_row_a_class_with_examples():
    drawn = str(markup.joined(precision_recall.section(HAND)))
    assert re.findall(r"<td>(\w+)</td>", drawn) == ["neutral", "happy"]
    (row,) = re.findall(r"<td>happy</td>(.*?)</tr>", drawn)
    assert re.findall(r">([^<]+)</td>", row) == [
        *("0.857", "0.40", "0.75 / 1.00", "0.67 / 0.67", "1.00 / 0.67", "1.00 / 0.33")
    ]
    assert drawn.count("<circle") == 4 + 4
    none_of_happy = predictions_of([0, 0], [0.2, 0.3])
    drawn = str(markup.joined(precision_recall.section(none_of_happy)))
    assert "<td>happy</td>" not in drawn
    (row,) = re.findall(r"<td>neutral</td>(.*?)</tr>", drawn)
    assert re.findall(r">([^<]+)</td>", row)[-1] == "-"
