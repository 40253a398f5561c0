"""Settings and learning curves of compared runs: what is read of a folder, table and charts."""

import json
import re

import pytest

from runtime import errors
from trainer.comparison import curves_section, settings_section, training_record
from trainer.config import run_config
from trainer.run import data_provenance, history

Record = training_record.TrainingRecord


def trained(folder, *, rows=(), **settings):
    """Write the files of a run of which a record is made."""
    folder.mkdir(parents=True, exist_ok=True)
    config = run_config.make({"data_dir": "/data", **settings})
    run_config.save(config, path=folder / run_config.FILE)
    (folder / data_provenance.FILE).write_text("{}")
    history.write_csv(rows, path=folder / history.HISTORY)
    return str(folder)


def cells(table):
    rows = re.findall(r"<tr>(.*?)</tr>", str(table))
    return [
        [re.sub("<.*?>", "", cell) for cell in re.findall(r"<t[dh].*?</t[dh]>", r)] for r in rows
    ]


def test_the_table_has_the_settings_that_differ_and_no_others(tmp_path):
    folders = [
        trained(tmp_path / "a", epochs=3, learning_rate=0.01, conv_filters=(8, 16), data_dir="/b"),
        trained(tmp_path / "b", epochs=3, learning_rate=0.002, batch_norm=True, log_to=("mlflow",)),
    ]
    table, note = settings_section.section(["a", "b"], training_record.load(folders))
    assert cells(table) == [
        ["setting", "a", "b"],
        ["--conv_filters", "8,16", "32,64,128"],
        ["--batch_norm", "false", "true"],
        ["--learning_rate", "0.01", "0.002"],
    ]
    count = len(run_config.decisive()) - 3
    assert f"{count} other settings that change a result are the same" in note


def test_runs_with_the_same_settings_are_told_so(tmp_path):
    records = training_record.load([trained(tmp_path / name) for name in "ab"])
    assert "No setting differs: " in str(settings_section.section(["a", "b"], records)[0])


def test_a_model_of_others_has_no_settings_and_runs_beside_it_are_compared(tmp_path):
    folders = [trained(tmp_path / "a", epochs=3), str(tmp_path), trained(tmp_path / "c", epochs=4)]
    table, _ = settings_section.section(["a", "other", "c"], training_record.load(folders))
    assert cells(table)[1:] == [["--epochs", "3", "not known", "4"]]
    (sentence,) = settings_section.section(["a", "other"], training_record.load(folders[:2]))
    assert "The settings of fewer than two of these models are known" in sentence


def test_a_report_on_other_data_has_the_record_of_the_run_around_it(tmp_path):
    trained(tmp_path / "run", epochs=7, rows=[{"epoch": 1, "loss": 2.0}])
    inner = tmp_path / "run/affectnet7_validation_1"
    inner.mkdir()
    (record,) = training_record.load([str(inner)])
    assert record.settings and record.settings["epochs"] == 7
    assert record.data_dir == "/data" and record.history == [{"epoch": 1.0, "loss": 2.0}]


def test_the_config_file_of_another_program_is_no_record(tmp_path):
    (tmp_path / "config.json").write_text('{"architectures": ["Other"]}')
    (tmp_path / "report").mkdir()
    assert training_record.load([str(tmp_path), str(tmp_path / "report")]) == [Record(), Record()]


def test_a_damaged_config_is_a_sentence(tmp_path):
    folder = trained(tmp_path / "a")
    (tmp_path / "a/config.json").write_text(json.dumps({"model": 3}))
    with pytest.raises(errors.UserError, match=r"config\.json is damaged"):
        training_record.load([folder])


def polylines(chart):
    """Return the data's coordinates of each line: charts are 198 high from y 200 to 10."""
    drawn = re.findall(r'<polyline points="([^"]*)" fill="none" stroke="(#\w+)"', str(chart))
    return [
        ([tuple(map(float, point.split(","))) for point in points.split()], colour)
        for points, colour in drawn
    ]


def test_curves_are_drawn_over_each_other_in_units_of_one_axis():
    """The lowest value is 0.2 and the highest 0.7: the axis goes from 0.175 to 0.725."""
    records = [
        Record(history=[{"epoch": 1, "val_accuracy": 0.2}, {"epoch": 3, "val_accuracy": 0.7}]),
        Record(
            history=[{"epoch": 1, "holdout_accuracy": 0.45}, {"epoch": 2, "holdout_accuracy": 0.2}]
        ),
    ]
    legend, grid, _ = curves_section.section(["a", "b"], records)
    assert "a" in legend and "b" in legend and grid.count("<figure>") == 1
    assert (
        "Accuracy on validation or held-out images by epoch: a ends at 0.700; b ends at 0.200"
        in (grid)
    )
    (first, blue), (second, orange) = polylines(grid)[-2:]
    # 190 units high, from 200 to 10; 0.2 is 0.025 of 0.55 above the lower end.
    low, high, middle = (200 - 190 * part / 0.55 for part in (0.025, 0.525, 0.275))
    left, right = first[0][0], first[1][0]
    assert [y for _, y in first] == pytest.approx([low, high], abs=0.1)
    assert [y for _, y in second] == pytest.approx([middle, low], abs=0.1)
    assert [x for x, _ in second] == pytest.approx([left, (left + right) / 2], abs=0.1)
    assert (blue, orange) == ("#0072B2", "#E69F00")


def test_each_recorded_quantity_has_a_chart_and_a_run_without_history_no_line():
    rows = [{"epoch": n, "loss": 1.0, "accuracy": 0.5, "val_loss": 2.0} for n in (1, 2)]
    legend, grid, _ = curves_section.section(["a", "b"], [Record(history=rows), Record()])
    assert re.findall("<figcaption>(.*?)</figcaption>", grid) == [
        "Loss in training",
        "Loss on validation or held-out images",
        "Accuracy in training",
    ]
    assert legend.count("<span") == 1
    (sentence,) = curves_section.section(["a"], [Record()])
    assert "No learning curve of these models is known." in sentence


def test_a_run_of_one_epoch_is_a_dot_of_its_colour():
    records = [
        Record(history=[{"epoch": 1, "loss": 1.0}]),
        Record(history=[{"epoch": 1, "loss": 2}]),
    ]
    _, grid, _ = curves_section.section(["a", "b"], records)
    assert re.findall(r'<circle[^>]*fill="(#\w+)"', grid) == ["#0072B2", "#E69F00"]
