"""Every number of an evaluation: by hand, and against scikit-learn on random predictions."""

import contextlib
import csv
import math
import os

import numpy as np
import pytest
from scipy import special, stats
from sklearn import calibration as sklearn_calibration
from sklearn import metrics as sklearn_metrics

from affectnet_tfds import labels as affectnet
from runtime import errors, untrusted
from trainer.evaluation import (
    calibration,
    ccc,
    class_subset,
    intervals,
    metrics,
    predictions,
    results,
)


def random_predictions(num_classes=8, *, num_examples=400, seed=0, sharp=1.5):
    rng = np.random.default_rng(seed)
    truth = rng.integers(num_classes, size=num_examples)
    scores = rng.normal(size=(num_examples, num_classes)) + sharp * np.eye(num_classes)[truth]
    probs = np.exp(2 * scores) / np.exp(2 * scores).sum(axis=1, keepdims=True)
    return predictions.Predictions(
        class_names=affectnet.class_names(num_classes),
        filenames=np.array([f"1/{n}.jpg" for n in range(num_examples)]),
        copies=np.zeros(num_examples, np.int64),
        labels=truth,
        probabilities=probs,
    )


@pytest.mark.parametrize("num_classes", affectnet.CLASS_COUNTS)
def test_the_numbers_are_those_of_scikit_learn(num_classes):
    preds = random_predictions(num_classes)
    found = results.evaluate(preds).to_json()
    truth, predicted, probs = preds.labels, preds.predicted, preds.probabilities
    assert found["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(truth, predicted))
    assert found["balanced_accuracy"] == pytest.approx(
        sklearn_metrics.balanced_accuracy_score(truth, predicted)
    )
    assert found["top2_accuracy"] == pytest.approx(
        sklearn_metrics.top_k_accuracy_score(truth, probs, k=2)
    )
    for average in ("macro", "weighted"):
        p, r, f, _ = sklearn_metrics.precision_recall_fscore_support(
            truth, predicted, average=average
        )
        assert [found[average][name] for name in ("precision", "recall", "f1")] == pytest.approx(
            [p, r, f]
        )
    assert found["confusion"] == sklearn_metrics.confusion_matrix(truth, predicted).tolist()
    assert found["m_measure"] == pytest.approx(
        sklearn_metrics.roc_auc_score(truth, probs, multi_class="ovo")
    )
    assert found["calibration"]["nll"] == pytest.approx(sklearn_metrics.log_loss(truth, probs))


def test_calibration_is_that_of_scikit_learn_bin_by_bin():
    preds = random_predictions()
    measured = calibration.measure(preds.labels, preds.probabilities)
    correct = preds.predicted == preds.labels
    accuracy, confidence = sklearn_calibration.calibration_curve(
        correct, preds.confidence, n_bins=15
    )
    filled = [each for each in measured.bins if each.num_examples]
    assert [each.accuracy for each in filled] == pytest.approx(accuracy)
    assert [each.confidence for each in filled] == pytest.approx(confidence)
    shares = np.array([each.num_examples for each in filled]) / len(correct)
    assert measured.ece == pytest.approx(float((shares * np.abs(accuracy - confidence)).sum()))
    unit = np.eye(8)[preds.labels]
    by_class = [
        sklearn_metrics.brier_score_loss(unit[:, k], preds.probabilities[:, k]) for k in range(8)
    ]
    assert measured.brier == pytest.approx(sum(by_class))


def test_expected_calibration_error_by_hand():
    probs = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.5, 0.5]])
    measured = calibration.measure(np.array([0, 1, 1, 0]), probs)
    # 0.9 twice, half of them correct: |0.5 - 0.9|; 0.6 once, correct: |1 - 0.6|; 0.5 once,
    # correct: |1 - 0.5|.
    assert measured.ece == pytest.approx((2 * 0.4 + 0.4 + 0.5) / 4)
    assert measured.brier == pytest.approx((0.02 + 1.62 + 0.32 + 0.5) / 4)
    assert measured.nll == pytest.approx(
        -(math.log(0.9) + math.log(0.1) + math.log(0.6) + math.log(0.5)) / 4
    )
    filled = [each for each in measured.bins if each.num_examples]
    assert [round(each.low * 15) for each in filled] == [7, 8, 13]
    assert [each.num_examples for each in filled] == [1, 1, 2]


def test_a_probability_on_the_edge_of_a_bin_belongs_to_the_lower_one():
    measured = calibration.measure(np.array([0]), np.array([[1.0, 0.0]]))
    assert measured.bins[-1].num_examples == 1
    measured = calibration.measure(np.array([0]), np.array([[0.6, 0.4]]))
    assert measured.bins[8].num_examples == 1  # (8/15, 9/15]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_put_in_is_found(temperature):
    rng = np.random.default_rng(1)
    logits = 2 * rng.normal(size=(20_000, 4))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (honest.cumsum(axis=1) < rng.random((len(honest), 1))).sum(axis=1)
    stated = calibration.apply_temperature(honest, temperature=1 / temperature)
    assert calibration.fit_temperature(truth, stated) == pytest.approx(temperature, rel=0.05)
    scaling = calibration.scale(truth, stated, groups=np.arange(len(truth)))
    assert scaling.after.ece < 0.02
    assert scaling.after.nll <= calibration.measure(truth, stated).nll + 1e-3


def test_a_temperature_is_evaluated_on_images_it_was_not_fitted_on():
    probs = np.array([[0.9, 0.1], [0.9, 0.1], [0.8, 0.2], [0.8, 0.2]])
    truth = np.array([0, 0, 1, 1])
    after = calibration.scale(truth, probs, groups=np.array([0, 0, 1, 1])).after
    # Fitted on the half that is all correct it sharpens to the limit, which the half that is all
    # wrong pays for.
    assert after.nll > calibration.measure(truth, probs).nll
    assert calibration.scale(truth, probs, groups=np.zeros(4, np.int64)) is None


def test_no_probability_is_no_error():
    assert math.isfinite(calibration.measure(np.array([1]), np.array([[1.0, 0.0]])).nll)
    assert calibration.apply_temperature(
        np.array([[1.0, 0.0]]), temperature=2.0
    ).sum() == pytest.approx(1)


def test_intervals_hold_the_number_and_are_as_wide_as_theory_has_them():
    preds = random_predictions(num_examples=2000)
    found = results.evaluate(preds)
    accuracy = found.classification.accuracy
    low, high = found.intervals["accuracy"]
    half = 1.96 * math.sqrt(accuracy * (1 - accuracy) / 2000)
    assert (low, high) == pytest.approx((accuracy - half, accuracy + half), abs=0.004)
    for name, value in (
        ("balanced_accuracy", found.classification.balanced_accuracy),
        ("macro_f1", found.classification.macro.f1),
        ("top2_accuracy", found.classification.top2_accuracy),
        ("m_measure", found.classification.m_measure),
    ):
        low, high = found.intervals[name]
        assert low < value < high and high - low < 0.06


def test_what_an_image_adds_is_what_the_metric_loses_without_it():
    preds = random_predictions(num_examples=60, num_classes=7)
    groups = np.repeat(np.arange(40), [1, 2] * 20)  # Every second image has a copy.
    preds.labels[:] = preds.labels[np.searchsorted(groups, groups)]
    images = intervals.Images(groups, preds.labels[np.searchsorted(groups, np.arange(40))])
    found = intervals.jackknives(preds.labels, preds.probabilities, images=images)
    whole = headline(preds)
    assert {name: each.value for name, each in found.items()} == pytest.approx(whole)
    for image in range(40):
        rest = headline(preds.only(groups != image))
        lost = {name: whole[name] - rest[name] for name in whole}
        changes = {name: each.changes[image] for name, each in found.items()}
        assert changes == pytest.approx(lost, abs=1e-12)


def headline(preds) -> dict[str, float]:
    found = metrics.evaluate(preds.labels, preds.probabilities, class_names=preds.class_names)
    return {
        "accuracy": found.accuracy,
        "top2_accuracy": found.top2_accuracy,
        "balanced_accuracy": found.balanced_accuracy,
        "macro_f1": found.macro.f1,
        "m_measure": found.m_measure,
    }


def test_what_an_image_adds_to_the_concordance_is_what_it_loses_without_it():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 30)
    y = np.clip(0.5 * x + rng.normal(0, 0.4, 30), -1, 1)
    groups = np.repeat(np.arange(20), [1, 2] * 10)
    images = intervals.Images(groups, np.zeros(20, np.int64))
    found = intervals.jackknife_of_ccc(x, y, images=images)
    assert found.value == pytest.approx(ccc.ccc(x, y))
    for image in range(20):
        kept = groups != image
        lost = ccc.ccc(x, y) - ccc.ccc(x[kept], y[kept])
        assert found.changes[image] == pytest.approx(lost, abs=1e-12)


def test_the_interval_of_accuracy_is_wilsons_as_if_copies_were_not_there():
    correct = np.arange(50) < 30
    probs = np.where(correct[:, None], (0.9, 0.1), (0.2, 0.8))
    labels = np.zeros(50, np.int64)
    groups = np.arange(50)
    found = intervals.classification(labels, probs, groups=groups)["accuracy"]
    t = stats.t.ppf(0.975, 49)
    size = 49  # Spread over the jackknife's variance, p (1 - p) / (50 - 1).
    middle = (0.6 + t**2 / 2 / size) / (1 + t**2 / size)
    half = t * math.sqrt(0.24 / size + t**2 / 4 / size**2) / (1 + t**2 / size)
    assert found == pytest.approx((middle - half, middle + half))
    twice = [np.repeat(each, 2, axis=0) for each in (labels, probs, groups)]
    copies = intervals.classification(twice[0], twice[1], groups=twice[2])["accuracy"]
    assert copies == pytest.approx(found)
    apart = intervals.classification(twice[0], twice[1], groups=np.arange(100))["accuracy"]
    assert apart.high - apart.low < 0.8 * (found.high - found.low)


def test_a_perfect_score_of_few_images_is_not_certain():
    labels = np.repeat(np.arange(3), (80, 10, 10))
    perfect = np.eye(3)[labels]
    found = intervals.classification(labels, perfect, groups=np.arange(100))
    z2 = 1.959964**2
    assert found["accuracy"] == pytest.approx((1 / (1 + z2 / 100), 1))
    size = 9 / (1 / 80 + 1 / 10 + 1 / 10)  # As the mean of shares of 80, 10 and 10 images.
    for name in ("balanced_accuracy", "macro_f1", "m_measure"):
        assert found[name] == pytest.approx((1 / (1 + z2 / size), 1)), name
    single = intervals.classification(labels[:5], perfect[:5], groups=np.arange(5))
    assert math.isnan(single["m_measure"].low) and single["accuracy"].high == 1


def test_the_intervals_of_400_images_of_unequal_classes_hold_the_true_number_in_95_of_100_splits():
    """Percentiles of bootstrap resamples are too low for macro F1 in 8 of 100, for 2.5."""
    rng = np.random.default_rng(0)
    shares = np.array((0.34, 0.24, 0.13, 0.10, 0.07, 0.05, 0.045, 0.025))
    known = np.repeat(np.arange(8), 4000)
    table = np.array(
        [
            np.bincount(drawn(known, shares, rng)[known == k].argmax(axis=1), minlength=8)
            for k in range(8)
        ]
    )
    joint = shares[:, None] * table / 4000
    truth = {
        "accuracy": np.trace(joint),
        "balanced_accuracy": (np.diag(joint) / shares).mean(),
        "macro_f1": (2 * np.diag(joint) / (shares + joint.sum(axis=0))).mean(),
    }
    found = []
    for _ in range(200):
        labels = rng.choice(8, size=400, p=shares)
        probs = drawn(labels, shares, rng)
        found.append(intervals.classification(labels, probs, groups=np.arange(400)))
    for name, value in truth.items():
        too_high = sum(each[name].low > value for each in found)
        too_low = sum(each[name].high < value for each in found)
        assert too_high <= 10 and too_low <= 10 and 4 <= too_high + too_low <= 14, name


def drawn(labels, shares, rng):
    """Probabilities of a classifier that favours frequent classes, float[N, 8]."""
    scores = rng.normal(size=(len(labels), 8)) + 1.5 * np.eye(8)[labels]
    return special.softmax(1.5 * scores + np.log(shares), axis=1)


def test_affect_metrics_by_hand():
    truth = np.array([0.0, 0.5, -0.5, math.nan])
    found = ccc.evaluate(truth, np.array([0.0, 1.0, -1.0, 9.0]))
    # cov = 1/3, var = 1/6 and 2/3, means are equal.
    assert found.ccc == pytest.approx(2 * (1 / 3) / (1 / 6 + 2 / 3))
    assert (found.pearson, found.sign_agreement, found.num_examples) == (pytest.approx(1), 1, 3)
    assert found.rmse == pytest.approx(math.sqrt(0.5 / 3))


def test_affect_metrics_are_those_of_scikit_learn_and_numpy():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 300)
    y = np.clip(0.6 * x + rng.normal(0, 0.3, 300) + 0.1, -1, 1)
    found = ccc.evaluate(x, y)
    assert found.pearson == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert found.rmse == pytest.approx(math.sqrt(sklearn_metrics.mean_squared_error(x, y)))
    assert found.sign_agreement == pytest.approx(
        sklearn_metrics.accuracy_score(np.sign(x), np.sign(y))
    )
    scale = x.std() / y.std()
    shift = (x.mean() - y.mean()) ** 2 / (x.std() * y.std())
    assert found.ccc == pytest.approx(
        found.pearson * 2 / (scale + 1 / scale + shift)
    )  # Lin 1989: pearson times bias


def test_affect_metrics_of_nothing_are_undefined_and_of_no_numbers_refused():
    assert math.isnan(ccc.evaluate(np.array([math.nan]), np.array([0.0])).ccc)
    assert math.isnan(ccc.evaluate(np.zeros(3), np.zeros(3)).pearson)
    with pytest.raises(ValueError, match="predictions must be numbers: got nan"):
        ccc.evaluate(np.zeros(2), np.array([0.0, math.nan]))
    with pytest.raises(ValueError, match="of one shape"):
        ccc.evaluate(np.zeros(2), np.zeros(3))


def test_valence_and_arousal_are_evaluated_where_a_model_has_them():
    preds = random_predictions(num_examples=20)
    truth = np.linspace(-1, 1, 20)
    predicted = truth / 2
    both = predictions.dataclasses.replace(
        preds, affect={"valence": (truth, predicted), "arousal": (truth, -predicted)}
    )
    found = results.evaluate(both).to_json()
    low, high = found["intervals_95"]["valence_ccc"]
    assert low - 1e-9 <= found["affect"]["valence"]["ccc"] <= high + 1e-9
    found = found["affect"]
    assert found["valence"]["pearson"] == pytest.approx(1)
    assert found["arousal"]["pearson"] == pytest.approx(-1)
    assert results.evaluate(preds).to_json()["affect"] == {}


def test_seven_classes_of_eight_leave_contempt_out():
    preds = random_predictions(8)
    seven = results.evaluate(preds).seven
    among = preds.labels < 7
    probs = preds.probabilities[among, :7]
    expected = sklearn_metrics.accuracy_score(preds.labels[among], probs.argmax(axis=1))
    assert seven.num_examples == among.sum() and seven.accuracy == pytest.approx(expected)
    assert seven.class_names == affectnet.class_names(7)
    assert results.evaluate(random_predictions(7)).seven is None


def test_what_is_left_of_the_probabilities_sums_to_one():
    kept = class_subset.restricted(np.array([[0.2, 0.2, 0.6], [0.0, 0.0, 1.0]]), num_classes=2)
    assert kept.tolist() == [[0.5, 0.5], [0.5, 0.5]]


def test_a_model_is_not_evaluated_on_classes_it_does_not_have():
    seven, eight = affectnet.class_names(7), affectnet.class_names(8)
    class_subset.check(eight, data_classes=seven, model="runs/a", data="affectnet7")
    class_subset.check(eight, data_classes=eight, model="runs/a", data="affectnet8")
    with pytest.raises(errors.UserError) as no:
        class_subset.check(
            seven, data_classes=eight, model="runs/a", data="affectnet_faces/affectnet8/1.0.0"
        )
    assert str(no.value) == (
        "runs/a has 7 classes (neutral, happy, sad, surprise, fear, disgust, anger), and "
        "affectnet_faces/affectnet8/1.0.0 also has contempt: evaluate it on a build of its own "
        "classes (--config_name), or train a model of 8"
    )


def test_predictions_come_back_from_their_file(tmp_path):
    preds = random_predictions(num_examples=30)
    names = ['1/"><img src=x>.jpg', "1/a,b.jpg", "1/two\nlines.jpg", *preds.filenames[3:]]
    preds = predictions.dataclasses.replace(preds, filenames=np.array(names), copies=np.arange(30))
    path = tmp_path / predictions.FILE
    path.write_text(predictions.to_csv(preds), encoding="utf-8")
    back = predictions.read(path)
    assert back.filenames.tolist() == [untrusted.printable(name) for name in names]
    assert back.class_names == preds.class_names
    np.testing.assert_array_equal(back.labels, preds.labels)
    np.testing.assert_array_equal(back.copies, preds.copies)
    np.testing.assert_allclose(back.probabilities, preds.probabilities, atol=1e-6)


def test_the_file_has_class_names_and_valence_and_arousal():
    preds = predictions.Predictions(
        class_names=("neutral", "happy"),
        filenames=np.array(["1/a.jpg"]),
        copies=np.array([0]),
        labels=np.array([1]),
        probabilities=np.array([[0.75, 0.25]]),
        affect={
            "valence": (np.array([math.nan]), np.array([0.5])),
            "arousal": (np.array([0.25]), np.array([-0.125])),
        },
    )
    assert predictions.to_csv(preds) == (
        "filename,copy,label,predicted,p_neutral,p_happy,"
        "valence,predicted_valence,arousal,predicted_arousal\n"
        "1/a.jpg,0,happy,neutral,0.75,0.25,nan,0.5,0.25,-0.125\n"
    )


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "filename,copy,label,predicted,p_happy\n"])
def test_another_file_is_refused(tmp_path, text):
    with pytest.raises(errors.UserError, match="holds no predictions.csv: evaluate it first"):
        predictions.read(tmp_path / "nothing" / predictions.FILE)
    (tmp_path / predictions.FILE).write_text(text)
    with pytest.raises(errors.UserError, match="cannot read .*predictions.csv as predictions"):
        predictions.read(tmp_path / predictions.FILE)


HEADER = "filename,copy,label,predicted,p_neutral,p_happy"
GOOD = "1/a.jpg,0,happy,neutral,0.75,0.25"


@pytest.mark.parametrize(
    "row, reason",
    [
        ("1/b.jpg,0,happy,neutral,nan,0.25", "row 2: a probability must .* from 0 to 1: got 'nan'"),
        ("1/b.jpg,0,happy,neutral,inf,0.25", "row 2: a probability must .*: got 'inf'"),
        ("1/b.jpg,0,happy,neutral,0.75,-0.25", "row 2: a probability must .*: got '-0.25'"),
        ("1/b.jpg,0,happy,neutral,x,0.25", "row 2: a probability must be .*: got 'x'"),
        ("1/b.jpg,0,hapqy,neutral,0.75,0.25", "row 2: label must be .*: got 'hapqy'"),
        ("1/b.jpg,0,happy,neutrel,0.75,0.25", "row 2: predicted must be .*: got 'neutrel'"),
        ("1/b.jpg,-9,happy,neutral,0.75,0.25", "row 2: copy must be a whole number .*: got '-9'"),
        (f"1/b.jpg,{'1' * 30},happy,neutral,0.75,0.25", "row 2: copy must be a whole number"),
        ("1/b.jpg,0,happy,neutral,0.75", "row 2 has 5 of 6 columns"),
        (GOOD, "row 2 has the file, copy and label of row 1"),
        (f"{'x' * 200_000},0,happy,neutral,0.75,0.25", "field larger than field limit"),
    ],
)
def test_a_damaged_row_of_predictions_is_a_sentence_that_names_it(tmp_path, row, reason):
    path = tmp_path / predictions.FILE
    path.write_text(f"{HEADER}\n{GOOD}\n{row}\n")
    before = csv.field_size_limit(131_072)  # The module's own, which the job raises.
    try:
        with pytest.raises(errors.UserError, match=f"as predictions .*{reason}.*evaluate the run"):
            predictions.read(path)
    finally:
        csv.field_size_limit(before)


@pytest.mark.parametrize("column", ["q_happy", "p_neutral", "p_happy,valence"])
def test_other_columns_of_predictions_are_refused(tmp_path, column):
    path = tmp_path / predictions.FILE
    path.write_text(f"filename,copy,label,predicted,p_neutral,{column}\n{GOOD}\n")
    with pytest.raises(errors.UserError, match="must have a column p_CLASS for each class"):
        predictions.read(path)


def test_a_flipped_bit_of_predictions_is_read_or_a_sentence(tmp_path):
    path = tmp_path / predictions.FILE
    content = predictions.to_csv(random_predictions(num_examples=5)).encode()
    rng = np.random.default_rng(4)
    for position in rng.integers(len(content), size=400):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with contextlib.suppress(errors.UserError):
            assert np.isfinite(predictions.read(path).probabilities).all()


def test_a_pipe_in_the_place_of_predictions_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / predictions.FILE)
    with pytest.raises(OSError, match="it is a named pipe"):
        predictions.read(tmp_path / predictions.FILE)
