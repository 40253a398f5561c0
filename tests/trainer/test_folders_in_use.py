"""A folder that one program writes into is refused to another: training, sweep, export, report."""

import contextlib
import dataclasses
import json
import subprocess
import sys

import pytest

from runtime import errors, folder_lock
from tests.trainer.distributed import test_host_channel as channels
from trainer import evaluate
from trainer.config import run_config
from trainer.distributed import host_channel
from trainer.exporting import export_folder
from trainer.run import model_folder


def settings(folder, **changes) -> run_config.Config:
    return run_config.make({"model_dir": str(folder), "num_gpus": 0, **changes})


def in_use(folder):
    return folder_lock.held_in(folder, way_out="")


def alone(folder, **changes):
    return model_folder.locked(settings(folder, **changes), connection=host_channel.alone())


@pytest.mark.parametrize(
    ("module", "flag"),
    [
        ("trainer.main", "model_dir"),
        ("trainer.sweep", "sweep_dir"),
        ("trainer.audit", "output_dir"),
    ],
)
def test_the_second_start_is_refused_before_tensorflow_is_imported(
    tmp_path, data_dir, module, flag
):
    command = [
        *(sys.executable, "-X", "importtime", "-m", module, f"--data_dir={data_dir}"),
        *("--num_gpus=0", f"--{flag}={tmp_path}/run"),
    ]
    with in_use(tmp_path / "run"):
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, done.stderr
    assert not any(line.endswith("| tensorflow") for line in done.stderr.splitlines())
    (sentence,) = [line for line in done.stderr.splitlines() if not line.startswith("import time")]
    assert sentence.startswith(f"error: {tmp_path}/run is in use by ")
    assert sentence.endswith(f"a folder of its own (--{flag})")
    assert not (tmp_path / "run").exists()


def test_a_run_that_is_replaced_keeps_the_lock_of_the_program_that_replaces_it(tmp_path):
    first = settings(tmp_path / "run")
    model_folder.claim(first)
    (tmp_path / "run" / "checkpoints").mkdir()
    (tmp_path / "run" / "old").touch()
    with alone(tmp_path / "run", overwrite=True):
        model_folder.claim(dataclasses.replace(settings(tmp_path / "run", overwrite=True)))
        assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
            ".lock",
            "config.json",
        ]
        with pytest.raises(errors.UserError, match="is in use by"), alone(tmp_path / "run"):
            pass
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.json"]


def test_a_trial_run_needs_no_lock(tmp_path):
    with in_use(tmp_path), alone(tmp_path, dry_run=True):
        pass


def test_a_run_that_has_come_meanwhile_is_not_mixed_with(tmp_path):
    model_folder.claim(settings(tmp_path / "run", epochs=3))
    with pytest.raises(errors.UserError, match="holds a run with"), alone(tmp_path / "run"):
        pass
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.json"]


def test_all_hosts_of_a_training_hold_its_folder_together(tmp_path):
    wanted = settings(tmp_path / "run")
    three = channels.on_all(channels.meet, channels.clusters(3))

    def train(connection):
        with model_folder.locked(wanted, connection=connection):
            connection.exchange(b"all are in")
            token = json.loads((tmp_path / "run" / ".lock").read_text())["token"]
            connection.exchange(b"all have looked")
            return token

    assert len({*channels.on_all(train, three)}) == 1


def test_all_hosts_are_refused_with_the_chief(tmp_path):
    wanted = settings(tmp_path / "run")
    three = channels.on_all(channels.meet, channels.clusters(3))

    def train(connection):
        with model_folder.locked(wanted, connection=connection):
            raise AssertionError

    with in_use(tmp_path / "run"):
        refusals = channels.on_all(train, three)
    assert {type(refusal) for refusal in refusals} == {errors.UserError}
    assert len({str(refusal) for refusal in refusals}) == 1
    assert "is in use by" in str(refusals[0])


def test_two_exports_into_one_folder_do_not_mix(tmp_path):
    folder = tmp_path / "export" / "onnx"
    with export_folder.replaced(folder) as staged:
        (staged / export_folder.MANIFEST).touch()
        with (
            pytest.raises(errors.UserError, match=r"name another folder \(--output_dir\)$"),
            export_folder.replaced(folder),
        ):
            pass
    assert [path.name for path in folder.parent.iterdir()] == ["onnx"]
    assert [path.name for path in folder.iterdir()] == [export_folder.MANIFEST]


def test_a_report_is_not_written_into_a_folder_that_is_trained_in(photo_run):
    asked = evaluate.Evaluation(model_dir=str(photo_run.model_dir), num_gpus=0)
    with (
        contextlib.ExitStack() as stack,
        pytest.raises(errors.UserError, match=r"for the report \(--report_dir\)$"),
    ):
        stack.enter_context(in_use(photo_run.model_dir))
        evaluate.evaluate(asked)
