"""Training facts: what a report and a model card say of the training, from a run's own files."""

import dataclasses
import json

import pytest

from trainer.config import run_config
from trainer.run import run_log, training_facts

START = {
    "started": "2026-03-01T09:30:00+00:00",
    "devices": "CPU, one replica",
    "machine": "Some processor, 2 CPU cores, 8 GB",
    "git": {"commit": "0123456789abcdef", "changed": False},
    "versions": {"python": "3.11.2", "tensorflow": "2.21.0", "affectnet-faces": "0.1.0"},
}
HISTORY = [{"epoch": 1, "step": 50, "epoch_s": 61.4}, {"epoch": 2, "step": 100, "epoch_s": 20.4}]


def facts(folder, *, starts=(START,), history=HISTORY, **training):
    (folder / run_log.FILE).write_text(json.dumps(list(starts)))
    settings = run_config.make({"epochs": 2, "batch_size": 64, **training})
    return training_facts.facts(folder, settings=settings, history=history)


def test_a_run_says_how_long_where_and_by_which_code_it_was_trained(tmp_path):
    assert facts(tmp_path) == {
        "training": "2 epochs, 100 steps of 64 images, in 1 min 22 s",
        "hardware": "Some processor, 2 CPU cores, 8 GB; CPU, one replica",
        "started": "2026-03-01 09:30:00 UTC",
        "code": "affectnet-faces 0.1.0, revision 0123456789ab",
        "software": "Python 3.11.2, TensorFlow 2.21.0",
    }


def test_a_run_that_was_continued_elsewhere_says_both(tmp_path):
    moved = {**START, "devices": "2 x GPU", "git": {"commit": "f" * 40, "changed": True}}
    found = facts(tmp_path, starts=[START, START, moved], epochs=5)
    assert found["training"].startswith("2 of 5 epochs, ")
    assert found["started"].endswith(" UTC, and continued 2 times")
    machine = START["machine"]
    assert found["hardware"] == f"{machine}; CPU, one replica; then {machine}; 2 x GPU"
    assert found["code"].endswith(
        "; then affectnet-faces 0.1.0, revision ffffffffffff, with changes that were not committed"
    )


def test_what_an_earlier_release_did_not_write_down_is_left_out(tmp_path):
    old = {name: START[name] for name in ("started", "devices")}
    history = [{"epoch": 1, "step": 50}]
    found = facts(tmp_path, starts=[old], history=history, epochs=1)
    assert found == {
        "training": "1 epoch, 50 steps of 64 images",
        "hardware": "CPU, one replica",
        "started": "2026-03-01 09:30:00 UTC",
    }
    assert training_facts.facts(tmp_path / "none", settings=run_config.Config(), history=[]) == {}


@pytest.mark.parametrize("content", ["{", '{"a": 1}', "[1, 2]", '[{"git": 1, "versions": [2]}]'])
def test_a_damaged_log_says_nothing(tmp_path, content):
    (tmp_path / run_log.FILE).write_text(content)
    settings = run_config.Config()
    assert training_facts.facts(tmp_path, settings=settings, history=[]) == {}


def test_settings_are_shown_as_text_without_folders(tmp_path):
    settings = run_config.make(
        {"batch_size": 32, "dense_units": [8, 4], "model_dir": "/somewhere/run", "num_gpus": 0}
    )
    settings = dataclasses.replace(
        settings, model=dataclasses.replace(settings.model, weights="/home/me/best.npz")
    )
    changed = training_facts.changed_settings(settings)
    assert changed == {"batch_size": "32", "dense_units": "8,4", "weights": "best.npz"}
    everything = training_facts.all_settings(settings)
    assert set(everything) == set(run_config.decisive()) and everything["seed"] == "0"
    assert everything["batch_norm"] == "false" and everything["patience"] == "train all"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (60, "1 min 0 s"),
        (3599.6, "1 h 0 min"),
        (93784, "26 h 3 min"),
    ],
)
def test_durations_are_written_in_two_units(seconds, text):
    assert training_facts.duration(seconds) == text
