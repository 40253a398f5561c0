"""Report files of an evaluation: the table, the JSON, the predictions and the two figures."""

import json
import math

import numpy as np
import pytest
from matplotlib import image

from affectnet_tfds import labels
from trainer.evaluation import metrics, predictions, results
from trainer.reports import figures, files, tables

NAMES = ("neutral", "happy", "sad")
LABELS = np.array([0, 0, 0, 1, 1])
PROBABILITIES = np.array(
    [[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.4, 0.5, 0.1], [0.1, 0.8, 0.1], [0.3, 0.2, 0.5]]
)
HISTORY = [
    {"epoch": 1, "loss": 2.0, "accuracy": 0.2, "val_loss": 1.9, "val_accuracy": 0.3},
    {"epoch": 2, "loss": 1.0, "accuracy": 0.6, "val_loss": 1.2, "val_accuracy": 0.5},
]


def evaluated():
    return metrics.evaluate(LABELS, PROBABILITIES, class_names=NAMES)


def random_evaluated(num_classes):
    rng = np.random.default_rng(num_classes)
    truth = np.resize(np.arange(num_classes), 500)
    probabilities = rng.dirichlet(np.ones(num_classes), size=500)
    return metrics.evaluate(truth, probabilities, class_names=labels.class_names(num_classes))


def predictions_of(truth, probabilities, *, names=NAMES):
    return predictions.Predictions(
        class_names=tuple(names),
        filenames=np.array([f"1/{n}.jpg" for n in range(len(truth))]),
        copies=np.zeros(len(truth), np.int64),
        labels=truth,
        probabilities=probabilities,
    )


def write(folder, *, preds=None, history=HISTORY, protocol=None):
    preds = preds or predictions_of(LABELS, PROBABILITIES)
    return files.write(
        results.evaluate(preds),
        preds=preds,
        page="<p>",
        folder=folder,
        history=history,
        protocol=protocol or {},
    )


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_the_table_is_aligned_and_names_what_is_left_out():
    assert (
        tables.table(evaluated())
        == """\
class              precision  recall     F1  support
neutral                1.000   0.667  0.800        3
happy                  0.500   0.500  0.500        2
sad                        -       -      -        0

macro                  0.750   0.583  0.650        5
weighted               0.800   0.600  0.680        5

accuracy               0.600  of 5 examples
top-2 accuracy         0.800
balanced accuracy      0.583  mean recall of the classes
M measure              0.792  over 1 of 3 class pairs (Hand & Till 2001)

without examples, so left out of the averages: sad"""
    )


def test_the_table_names_classes_that_are_never_predicted():
    silent = metrics.evaluate(
        np.array([0, 1, 2]), np.tile([0.8, 0.1, 0.1], (3, 1)), class_names=NAMES
    )
    assert (
        tables.table(silent).splitlines()[-1]
        == "never predicted (precision counted as 0): happy, sad"
    )


def test_the_table_without_gaps_ends_with_the_m_measure():
    assert tables.table(random_evaluated(7)).splitlines()[-1].startswith("M measure ")


@pytest.mark.parametrize("num_classes", labels.CLASS_COUNTS)
def test_metrics_json_holds_the_protocol_and_the_numbers(tmp_path, num_classes):
    rng = np.random.default_rng(num_classes)
    truth = np.resize(np.arange(num_classes), 500)
    probs = rng.dirichlet(np.ones(num_classes), size=500)
    preds = predictions_of(truth, probs, names=labels.class_names(num_classes))
    protocol = {"split": "validation", "selected": "last epoch"}
    paths = write(tmp_path / "new" / "run", preds=preds, protocol=protocol)
    names = ["report.html", "metrics.json", "predictions.csv", "confusion_matrix.png", "curves.png"]
    assert {name: path.relative_to(tmp_path).as_posix() for name, path in paths.items()} == {
        name: f"new/run/{name}" for name in names
    }
    assert sorted(path.name for path in (tmp_path / "new" / "run").iterdir()) == sorted(paths)
    fields = json.loads(paths["metrics.json"].read_text())
    assert fields.pop("protocol") == protocol
    assert fields == results.evaluate(preds).to_json()
    assert fields["accuracy"] == np.mean(probs.argmax(axis=1) == truth)
    assert len(paths["predictions.csv"].read_text().splitlines()) == 501
    for name in ("confusion_matrix.png", "curves.png"):
        height, width, _ = image.imread(paths[name]).shape
        assert height > 500 and width > 800


def test_writing_again_replaces_the_files_with_the_same_bytes(tmp_path):
    before = {name: path.read_bytes() for name, path in write(tmp_path).items()}
    assert {name: path.read_bytes() for name, path in write(tmp_path).items()} == before


def test_the_confusion_matrix_shows_percent_and_count_of_the_true_class():
    drawing = figures.confusion_figure(evaluated(), split="validation")
    ax = drawing.axes[0]
    neutral = ["67%", "2", "33%", "1", "0%", "0"]
    happy = ["0%", "0", "50%", "1", "50%", "1"]
    assert texts(ax) == neutral + happy  # Nothing in the row of sad, which has no examples.
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "neutral (3)",
        "happy (2)",
        "sad (0)",
    ]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["neutral", "happy", "sad"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "truth (examples)")
    assert ax.get_title() == "validation accuracy 60.0% of 5 examples"


def test_a_few_of_many_are_not_rounded_to_none_nor_most_to_all():
    truth = np.array([0] * 1000 + [1])
    probabilities = np.eye(2)[[0] * 999 + [1, 1]]
    numbers = metrics.evaluate(truth, probabilities, class_names=("neutral", "happy"))
    drawing = figures.confusion_figure(numbers, split="")
    assert texts(drawing.axes[0]) == [">99%", "999", "<1%", "1", "0%", "0", "100%", "1"]


@pytest.mark.parametrize("num_classes", labels.CLASS_COUNTS)
def test_every_word_of_the_confusion_matrix_is_inside_the_figure_and_its_cell(num_classes):
    drawing = figures.confusion_figure(random_evaluated(num_classes), split="validation")
    drawing.draw_without_rendering()
    ax = drawing.axes[0]
    cell = ax.transData.transform([(0, 0), (1, 1)])
    width = abs(cell[1][0] - cell[0][0])
    assert all(text.get_window_extent().width < width for text in ax.texts)
    words = [*ax.get_xticklabels(), *ax.get_yticklabels(), ax.title, ax.xaxis.label, ax.yaxis.label]
    for word in words:
        box = word.get_window_extent()
        assert drawing.bbox.x0 <= box.x0 and box.x1 <= drawing.bbox.x1
        assert drawing.bbox.y0 <= box.y0 and box.y1 <= drawing.bbox.y1


def test_curves_draw_train_and_validation_by_epoch():
    loss, accuracy = figures.curves_figure(HISTORY).axes
    assert [line.get_ydata().tolist() for line in loss.lines] == [[2.0, 1.0], [1.9, 1.2]]
    assert [line.get_ydata().tolist() for line in accuracy.lines] == [[0.2, 0.6], [0.3, 0.5]]
    assert [list(line.get_xdata()) for line in loss.lines] == [[1, 2], [1, 2]]
    assert [line.get_label() for line in accuracy.lines] == [
        "train, 0.600 at the end",
        "validation, 0.500 at the end",
    ]
    assert (loss.get_title(), accuracy.get_title()) == ("loss", "accuracy")
    assert {loss.get_xlabel(), accuracy.get_xlabel()} == {"epoch"}


@pytest.mark.parametrize("prefix", ["val_", "holdout_"])
@pytest.mark.parametrize("quantity", figures.QUANTITIES)
def test_every_word_of_a_curve_of_the_page_is_inside_the_figure(quantity, prefix):
    history = [{quantity: 12.5, prefix + quantity: 12.5}]
    drawing = figures.curve_figure(history, quantity=quantity)
    drawing.draw_without_rendering()
    ax = drawing.axes[0]
    words = [*ax.get_legend().get_texts(), *ax.get_yticklabels(), ax.xaxis.label, ax.yaxis.label]
    assert len(ax.get_legend().get_texts()) == 2
    for word in words:
        box = word.get_window_extent()
        assert drawing.bbox.x0 <= box.x0 and box.x1 <= drawing.bbox.x1
        assert drawing.bbox.y0 <= box.y0 and box.y1 <= drawing.bbox.y1


def test_the_page_and_the_png_draw_the_same_curves():
    both = figures.curves_figure(HISTORY).axes
    for ax, quantity in zip(both, figures.QUANTITIES, strict=True):
        (narrow,) = figures.curve_figure(HISTORY, quantity=quantity).axes
        assert [line.get_label() for line in narrow.lines] == [
            line.get_label() for line in ax.lines
        ]
        for narrow_line, line in zip(narrow.lines, ax.lines, strict=True):
            np.testing.assert_array_equal(narrow_line.get_xydata(), line.get_xydata())


def test_a_run_of_one_epoch_shows_its_points_inside_the_frame():
    loss, accuracy = figures.curves_figure(HISTORY[:1]).axes
    for ax in (loss, accuracy):
        assert [tick for tick in ax.get_xticks() if 0.5 <= tick <= 1.5] == [1]
        assert all(0 < line.get_ydata()[0] < ax.get_ylim()[1] for line in ax.lines)
        assert all(line.get_marker() in ("o", "s") for line in ax.lines)


def test_what_was_not_recorded_is_named():
    loss, accuracy = figures.curves_figure([{"loss": 2.0}, {"loss": 1.0, "val_loss": 1.5}]).axes
    assert loss.lines[0].get_ydata().tolist() == [2.0, 1.0]
    np.testing.assert_array_equal(loss.lines[1].get_ydata(), [math.nan, 1.5])
    assert texts(accuracy) == ["no accuracy was recorded"]
    assert [texts(ax) for ax in figures.curves_figure([]).axes] == [
        ["no loss was recorded"],
        ["no accuracy was recorded"],
    ]


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_loss_that_diverged_leaves_a_gap(tmp_path, broken):
    history = [{"loss": 1.0}, {"loss": broken}, {"loss": 0.5}]
    loss, _ = figures.curves_figure(history).axes
    np.testing.assert_array_equal(loss.lines[0].get_ydata(), [1.0, math.nan, 0.5])
    assert loss.get_ylim() == (0, pytest.approx(1.1))
    write(tmp_path, history=history)
