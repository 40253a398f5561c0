"""Comparison of runs: which may be compared, the table, the sentences and the page."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from affectnet_tfds import labels as affectnet
from runtime import errors
from tests import browser
from tests.trainer.comparison import test_training_record
from trainer import compare
from trainer.comparison import page as comparison_page
from trainer.evaluation import paired_comparison, predictions, results
from trainer.reports import files
from trainer.run import trained_run

NAMES = [f"1/{n}.jpg" for n in range(200)]


def predicted(accuracy, *, seed=0, count=200):
    """Predictions of a given accuracy."""
    rng = np.random.default_rng(seed)
    truth = np.arange(count) % 8
    answers = np.where(np.arange(count) < accuracy * count, truth, (truth + 1) % 8)
    probs = np.full((count, 8), 0.05) + 0.6 * np.eye(8)[answers]
    probs += rng.uniform(0, 0.01, probs.shape)
    return predictions.Predictions(
        class_names=affectnet.class_names(8),
        filenames=np.array(NAMES[:count]),
        copies=np.zeros(count, np.int64),
        labels=truth,
        probabilities=probs / probs.sum(axis=1, keepdims=True),
    )


def evaluated(folder, preds, *, data="affectnet_faces/a/1.0.0, fingerprint 1"):
    protocol = {"split": "validation", "data": data}
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(files.to_json(results.evaluate(preds), protocol=protocol))
    (folder / predictions.FILE).write_text(predictions.to_csv(preds))
    return str(folder)


def rendered(folders):
    """Return the page of a comparison."""
    runs = paired_comparison.load(folders)
    about = comparison_page.background(runs, folders=folders, data_dir=None)
    return comparison_page.render(runs, paired_comparison.compare(runs), about=about)


@pytest.fixture
def runs(tmp_path):
    return [
        evaluated(tmp_path / "a", predicted(0.5)),
        evaluated(tmp_path / "b", predicted(0.6, seed=1)),
    ]


def test_two_runs_are_tested_on_the_examples_that_only_one_has_correct(runs):
    (pair,) = paired_comparison.compare(paired_comparison.load(runs))
    assert (pair.first, pair.second, pair.difference) == (0, 1, pytest.approx(-0.1))
    assert (pair.result.only_first, pair.result.only_second) == (0, 20)
    assert pair.result.exact_p == pytest.approx(2 * 0.5**20)
    assert pair.adjusted_p == pair.result.mid_p


def test_examples_are_matched_by_name_and_not_by_their_order(tmp_path, runs):
    shuffled = predicted(0.6, seed=1)
    order = np.random.default_rng(5).permutation(200)
    rows = {
        name: getattr(shuffled, name)[order]
        for name in ("filenames", "labels", "probabilities", "copies")
    }
    other = evaluated(tmp_path / "c", dataclasses.replace(shuffled, **rows))
    (pair,) = paired_comparison.compare(paired_comparison.load([runs[0], other]))
    assert (pair.result.only_first, pair.result.only_second) == (0, 20)
    text = rendered([runs[0], other])
    assert "Of 20 of 200 examples (10%) the runs predict different classes." in text
    assert "<h3>Only c is correct: 20</h3>" in text


def test_copies_of_an_image_are_examples_of_their_own(tmp_path):
    preds = predicted(0.5)
    names, copies = np.repeat(preds.filenames[::2], 2), np.tile([0, 1], 100)
    preds = dataclasses.replace(preds, filenames=names, copies=copies)
    (pair,) = paired_comparison.compare(
        paired_comparison.load([evaluated(tmp_path / "a", preds), evaluated(tmp_path / "b", preds)])
    )
    assert pair.result == (0, 0, 1.0, 1.0)


def test_runs_evaluated_on_other_examples_are_refused(tmp_path, runs):
    other = evaluated(
        tmp_path / "c", predicted(0.5, count=150), data="affectnet_faces/b/1.0.0, fingerprint 2"
    )
    with pytest.raises(errors.UserError) as no:
        paired_comparison.compare(paired_comparison.load([runs[0], other]))
    assert str(no.value) == (
        "a and c were not evaluated on the same examples: 200 and 150, of which 150 are the same "
        "file with the same label (a: validation of affectnet_faces/a/1.0.0, fingerprint 1; "
        "c: validation of affectnet_faces/b/1.0.0, fingerprint 2); evaluate both on one build and "
        "split (python -m trainer.evaluate)"
    )


@pytest.mark.parametrize("kept", [0, 200, -20])
def test_predictions_that_are_cut_off_are_one_sentence(runs, kept):
    path = pathlib.Path(runs[0]) / "predictions.csv"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(errors.UserError, match="as predictions .*: evaluate the run again"):
        paired_comparison.load(runs)


def test_another_label_makes_another_example(tmp_path, runs):
    preds = predicted(0.5)
    labels = preds.labels.copy()
    labels[0] = 5
    other = evaluated(tmp_path / "c", dataclasses.replace(preds, labels=labels))
    with pytest.raises(
        errors.UserError, match="of which 199 are the same file with the same label"
    ):
        paired_comparison.compare(paired_comparison.load([runs[0], other]))


def test_the_same_examples_from_another_build_are_compared_with_a_warning(tmp_path, runs):
    other = evaluated(tmp_path / "c", predicted(0.5), data="affectnet_faces/b/1.0.0, fingerprint 2")
    loaded = paired_comparison.load([runs[0], other])
    for text in (
        rendered([runs[0], other]),
        comparison_page.table(loaded, paired_comparison.compare(loaded)),
    ):
        assert "from different builds: their crops may differ" in text
    assert "different builds" not in rendered(runs)


@pytest.mark.parametrize("folders", [[], ["runs/a"]])
def test_fewer_than_two_runs_are_refused(folders):
    with pytest.raises(errors.UserError, match=f"needs two runs or more: got {len(folders)}"):
        paired_comparison.load(folders)


def test_what_is_not_an_evaluated_run_is_refused(tmp_path, runs):
    with pytest.raises(errors.UserError, match="is given twice"):
        paired_comparison.load([runs[0], runs[0] + "/"])
    with pytest.raises(errors.UserError, match="holds no predictions.csv: evaluate it first"):
        paired_comparison.load([runs[0], str(tmp_path)])
    (tmp_path / "b" / "metrics.json").unlink()
    with pytest.raises(errors.UserError, match="cannot read .*metrics.json"):
        paired_comparison.load(runs)


def test_runs_are_called_by_the_shortest_names_that_tell_them_apart(tmp_path):
    folders = [evaluated(tmp_path / name / "validation", predicted(0.5)) for name in ("x", "y")]
    assert [run.name for run in paired_comparison.load(folders)] == ["x/validation", "y/validation"]


def test_the_table_has_the_numbers_and_the_verdict(runs):
    loaded = paired_comparison.load(runs)
    lines = comparison_page.table(loaded, paired_comparison.compare(loaded)).splitlines()
    assert lines[0].split() == ["a", "b"]
    assert lines[1].split() == ["accuracy", "0.500", "0.600"]
    assert lines[-1] == (
        "b is more accurate than a by 10.0 points: significant difference (McNemar mid-p = 1e-06)"
    )


def test_a_difference_that_is_not_significant_is_named_so(tmp_path, runs):
    close = evaluated(tmp_path / "c", predicted(0.51))
    loaded = paired_comparison.load([runs[0], close])
    lines = comparison_page.table(loaded, paired_comparison.compare(loaded)).splitlines()
    assert lines[-1] == (
        "c is more accurate than a by 1.0 points: no significant difference (McNemar mid-p = 0.250)"
    )
    three = paired_comparison.load([*runs, close])
    assert "adjusted for several pairs" in comparison_page.table(
        three, paired_comparison.compare(three)
    )
    same = paired_comparison.load([runs[0], evaluated(tmp_path / "d", predicted(0.5))])
    assert comparison_page.table(same, paired_comparison.compare(same)).endswith(
        "a and d are equally accurate"
    )


def program(*given, cwd):
    root = pathlib.Path(compare.__file__).parent.parent
    command = [sys.executable, "-m", "trainer.compare", *given]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=cwd, env=environment
    )


def test_the_program_prints_the_table_and_writes_the_page(runs, tmp_path):
    done = program(*runs, f"--output={tmp_path}/page.html", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "balanced accuracy" in done.stdout
    assert f"report        {tmp_path}/page.html" in done.stdout
    assert (
        "note          No images are shown: affectnet_faces/a/1.0.0 with fingerprint 1, on which "
        "the runs were evaluated, is not in "
    ) in done.stdout
    refused = program(*runs, f"--data_dir={tmp_path}", cwd=tmp_path)
    assert refused.returncode == 2 and refused.stdout == ""
    assert f"is not in {tmp_path}; name the folder that has it with --data_dir" in refused.stderr
    assert "McNemar" in (tmp_path / "page.html").read_text()
    wrong = program("--output=x.html", str(tmp_path / "a"), cwd=tmp_path)
    assert wrong.returncode == 2
    assert wrong.stderr == "error: a comparison needs two runs or more: got 1; name their folders\n"
    assert program("--ouput=x", *runs, cwd=tmp_path).stderr.startswith(
        "error: unknown flag --ouput; did you mean"
    )


@pytest.mark.slow
@pytest.mark.parametrize("width", browser.WIDTHS)
def test_in_a_browser_nothing_overflows(tmp_path, chromium, width):
    names = ["a", "a_run_with_quite_a_long_name", "<script>alert(1)<script>"]
    folders = [
        evaluated(tmp_path / name, predicted(0.4 + i / 10, seed=i)) for i, name in enumerate(names)
    ]
    for number, folder in enumerate(folders[:2]):
        rows = [{"epoch": n, "loss": 2 / n, "val_accuracy": n / 9} for n in (1, 2, 3)]
        test_training_record.trained(pathlib.Path(folder), rows=rows, epochs=number + 3)
    page = tmp_path / "page.html"
    page.write_text(rendered(folders), encoding="utf-8")
    browser.show(chromium, page, width=width)
    assert browser.alarms(chromium) == []
    shown = chromium.find_element("tag name", "body").text
    assert names[2] in shown and "--epochs" in shown and "Only <script>" in shown
    assert browser.overflowing(chromium) == []
    assert browser.outside_their_drawing(chromium) == []
    assert browser.overlapping(chromium) == []


def test_a_run_evaluated_before_there_were_intervals_is_compared(runs):
    path = pathlib.Path(runs[0]) / "metrics.json"
    fields = json.loads(path.read_text())
    del fields["intervals_95"], fields["calibration"]
    path.write_text(json.dumps(fields))
    assert rendered(runs).count("<section") == 7


@pytest.mark.parametrize(
    "change, reason",
    [
        ("[]", "values by name were expected: got list"),
        ("3", "values by name were expected: got int"),
        ("[" * 9000, "it is nested too deeply"),
        ("{}", "it has no protocol"),
        ({"protocol": "x"}, "protocol must have values by name: got 'x'"),
        ({"protocol": None}, "protocol must have values by name: got None"),
        ({"protocol": {}}, "protocol has no split"),
        ({"protocol": {"split": ["x"]}}, "protocol: split must be text: got list"),
        ({"accuracy": "x"}, "accuracy must be a number or null: got 'x'"),
        ({"accuracy": None}, "accuracy must be a number from 0 to 1: got None"),
        ({"accuracy": 10**400}, "accuracy must be a number or null: got int"),
        ({"m_measure": float("nan")}, "m_measure must be a number or null: got nan"),
        ({"num_examples": True}, "num_examples must be a whole number: got True"),
        ({"macro": {}}, "macro must have precision, recall and f1"),
        ({"per_class": [{"name": "happy"}]}, "per_class must list name, precision, recall, f1"),
        ({"per_class": 3}, "per_class must list"),
        ({"intervals_95": {"accuracy": [1]}}, "intervals_95 must have two ends"),
        ({"intervals_95": {"accuracy": [1, "x"]}}, "intervals_95: accuracy must be a number"),
        ({"calibration": {"ece": "x"}}, "ece must be a number or null: got 'x'"),
    ],
)
def test_a_damaged_metrics_file_is_a_sentence_wherever_it_is_read(runs, change, reason):
    path = pathlib.Path(runs[0]) / "metrics.json"
    if isinstance(change, dict):
        change = json.dumps(json.loads(path.read_text()) | change)
    path.write_text(change)
    with pytest.raises(errors.UserError, match=f"metrics.json .{reason}.*: evaluate the run again"):
        paired_comparison.load(runs)
    run = trained_run.Run(model_dir=path.parent, settings=None, data=None)
    with pytest.raises(errors.UserError, match=f"metrics.json .{reason}.*writes it anew"):
        run.metrics()


@pytest.mark.parametrize("name", ["metrics.json", "predictions.csv"])
def test_a_pipe_or_device_in_the_place_of_a_report_is_not_read(runs, name):
    path = pathlib.Path(runs[0]) / name
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match="it is a named pipe"):
        paired_comparison.load(runs)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(OSError, match="it is a device or terminal"):
        paired_comparison.load(runs)
