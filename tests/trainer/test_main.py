"""The program as a person starts it."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests import programs, terminal
from trainer.run import checkpoint

SMALL = [
    "--num_gpus=0",
    "--virtual_devices=2",
    "--conv_filters=4,8",
    "--dense_units=16",
    "--learning_rate=0.01",
]


def command(*flags, module="trainer.main"):
    return [sys.executable, "-m", module, *map(str, flags)]


def run(*flags, module="trainer.main"):
    return subprocess.run(
        command(*flags, module=module), capture_output=True, text=True, timeout=240
    )


def test_more_gpus_than_there_are_is_one_sentence_and_exit_code_2_within_seconds(tmp_path):
    with (tmp_path / "stdout").open("w") as stdout, (tmp_path / "stderr").open("w") as stderr:
        process = subprocess.Popen(command("--num_gpus=400"), stdout=stdout, stderr=stderr)
        _, status, usage = os.wait4(process.pid, 0)  # The CPU time of this process alone.
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 2
    cpu_s = usage.ru_utime + usage.ru_stime  # However busy the machine is.
    assert cpu_s < 2 or pathlib.Path("/dev/nvidia0").exists()  # To import TensorFlow takes more.
    assert (tmp_path / "stdout").read_text() == ""
    refusal = (tmp_path / "stderr").read_text()
    assert refusal.startswith("error: --num_gpus=400, but this machine has ")
    assert "--num_gpus=0 --virtual_devices=400 to try the 400-way path on it\n" in refusal
    assert refusal.count("\n") == 1


@pytest.mark.parametrize(
    "flag, sentence",
    [
        ("--epochs=many", "--epochs must be a whole number: got 'many'"),
        (
            "--conv_filters=8,x",
            "--conv_filters must be a whole number or several with commas: got 'x'",
        ),
        ("--dropout=2", "--dropout must be between 0 and 0.95: got 2.0"),
        (
            "--optimizer=adm",
            "--optimizer must be one of adam, adamw, muon, sgd: got adm; did you mean adam?",
        ),
        ("--nesterov=perhaps", "--nesterov must be true or false: got 'perhaps'"),
        ("--learning_rate=-1", "--learning_rate must be at least 0: got -1.0"),
        (
            "--schedule=cosin",
            "--schedule must be one of cosine, step, exponential, plateau, constant: got cosin; "
            "did you mean cosine?",
        ),
        (
            "--decay_epochs=5,soon",
            "--decay_epochs must be a number or several with commas: got 'soon'",
        ),
        ("--holdout_frac=0.9", "--holdout_frac must be between 0 and 0.5: got 0.9"),
        (
            "--profile_steps=9",
            "--profile_steps must be the first and the last step, as 10,20: got 9",
        ),
        ("--recipe=dmo", "no recipe and no .yaml file is called dmo; did you mean demo?"),
        ("--epoch=3", "unknown flag --epoch; did you mean --epochs?"),
        ("epochs=3", "flags are written --name=value: got 'epochs=3' by itself; --help lists them"),
    ],
)
def test_a_bad_flag_is_one_sentence(flag, sentence):
    done = run(flag)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {sentence}\n")


def test_a_folder_without_the_data_set_says_what_to_run(tmp_path):
    done = run(f"--data_dir={tmp_path}")
    assert done.returncode == 2
    assert done.stderr.startswith(
        f"error: {tmp_path} holds no affectnet_faces; make it with 'make shards' or "
    )


def test_a_run_whose_settings_were_truncated_is_refused_in_one_sentence(tmp_path):
    version = tmp_path / "data/affectnet_faces/affectnet8/1.0.0"
    version.mkdir(parents=True)
    (version / "features.json").write_text("{}")
    (tmp_path / "config.json").write_text('{\n  "data_dir": nu')
    done = run(f"--data_dir={tmp_path / 'data'}", f"--model_dir={tmp_path}", "--num_gpus=0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: cannot read {tmp_path / 'config.json'} as JSON (")
    assert done.stderr.count("\n") == 1


def test_help_is_grouped_and_says_units_and_defaults():
    done = run("--help")
    assert done.returncode == 0
    assert (
        done.stdout.index("\nData\n")
        < done.stdout.index("\nModel\n")
        < done.stdout.index("\nRun\n")
    )
    assert "--checkpoint_minutes\n      longest time between checkpoints" in done.stdout
    assert "in minutes. Default: 10.0." in done.stdout
    assert "  --[no]nesterov\n" in done.stdout


@pytest.mark.slow
def test_training_beats_chance_and_leaves_a_report_that_evaluate_repeats(data_dir, tmp_path):
    where = [f"--data_dir={data_dir}", f"--model_dir={tmp_path}/run"]
    done = programs.run(
        "trainer.main",
        *where,
        *SMALL,
        "--epochs=12",
        "--batch_size=8",
        "--augment=0",
        "--dropout=0",
        "--conv_filters=8,16",
    )
    assert done.returncode == 0, done.stderr
    assert "DRAWN FACES, NOT AFFECTNET" in done.stdout
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["accuracy"] > 0.5  # Chance is one in eight.
    for name in (
        "report.html",
        "predictions.csv",
        "confusion_matrix.png",
        "curves.png",
        "history.csv",
        "config.json",
        "best.npz",
    ):
        assert (tmp_path / "run" / name).stat().st_size > 0
    again = programs.run("trainer.evaluate", *where, "--num_gpus=0")
    assert again.returncode == 0, again.stderr
    evaluated = (tmp_path / "run/metrics.json").read_text()
    assert json.loads(evaluated)["accuracy"] == metrics["accuracy"]
    assert metrics["protocol"]["trained on"] == "the train split of the same data"
    on_train = programs.run("trainer.evaluate", *where, "--num_gpus=0", "--split=train")
    assert on_train.returncode == 0, on_train.stderr
    assert (tmp_path / "run/metrics.json").read_text() == evaluated  # Nothing of it was replaced.
    assert (
        json.loads((tmp_path / "run/sample_train/metrics.json").read_text())["num_examples"] == 62
    )
    nothing = run(*where, "--config_name=affectnet7", module="trainer.evaluate")
    assert nothing.returncode == 2 and "--config_name=affectnet7 is not in" in nothing.stderr
    other = run(*where, *SMALL, "--epochs=13")
    assert other.returncode == 2
    assert f"{tmp_path}/run holds a run with " in other.stderr and "--epochs=12" in other.stderr


@pytest.mark.slow
def test_on_a_terminal_no_line_is_left_behind_and_the_log_has_every_event(data_dir, tmp_path):
    code, output = programs.run_on_terminal(
        "trainer.main",
        *SMALL,
        "--virtual_devices=1",
        "--conv_filters=4",
        "--augment=0",
        "--epochs=2",
        "--batch_size=2",
        f"--data_dir={data_dir}",
        f"--model_dir={tmp_path}/run",
        f"--log_json={tmp_path}/log",
        columns=80,
    )
    assert code == 0, output
    assert output.count("\repoch ") >= 8  # Step groups of two epochs.
    shown = [row for row in terminal.rows(output, columns=80) if row.startswith("epoch ")]
    assert len(shown) == 2 and all(" step 31/31 " in row for row in shown)
    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [each["event"] for each in events] == [
        *("start", "training_start", "epoch", "epoch", "training_end", "evaluation", "end"),
    ]
    assert events[-1]["exit_code"] == 0 and 0 <= events[-2]["accuracy"] <= 1


EXACT = [
    *SMALL,
    "--conv_filters=4",
    "--optimizer=adamw",
    "--ema_decay=0.9",
    "--holdout_frac=0.3",
    "--patience=2",
    "--erase_prob=0.5",
    "--epochs=6",
    "--batch_size=2",
    "--batch_norm",
    "--deterministic",
]
"""About 20 steps an epoch, in groups of 8; averages, weight decay, a holdout, early stopping."""

KILL_SEED = 8
"""Decides at which steps and how long after its start a run is killed."""

KILLED_WHILE_WRITING = """
import os, runpy, signal

def lose_half_and_die(descriptor, flush=os.fsync):
    if not os.readlink(f"/proc/self/fd/{descriptor}").endswith(".config.json"):
        return flush(descriptor)
    os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
    os.kill(os.getpid(), signal.SIGKILL)

os.fsync = lose_half_and_die
runpy.run_module("trainer.main", run_name="__main__", alter_sys=True)
"""
"""Before config.json a run flushes the lock of its folder."""


@pytest.mark.slow
def test_a_run_killed_while_it_starts_and_at_its_steps_ends_in_the_weights_of_an_unbroken_one(
    data_dir, tmp_path, monkeypatch
):
    """Killed while it writes config.json, at a random moment before its first step, and twice
    later."""
    exact = [*EXACT, f"--data_dir={data_dir}"]
    unbroken = programs.Program("trainer.main", *exact, f"--model_dir={tmp_path}/unbroken")
    flags = [*exact, f"--model_dir={tmp_path}/run", "--checkpoint_steps=1"]
    (tmp_path / "dies_while_writing.py").write_text(KILLED_WHILE_WRITING)
    monkeypatch.syspath_prepend(tmp_path)
    killed = programs.run("dies_while_writing", *flags)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    lock, left = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert lock == ".lock" and left.startswith("incomplete.") and left.endswith(".config.json")

    generator = random.Random(KILL_SEED)
    wait_s = generator.uniform(0, 1.5)
    steps = sorted(generator.sample(range(1, 3 * 20), k=2))
    print(f"killed {wait_s:.3f} s after config.json was written (KILL_SEED = {KILL_SEED})")
    process = programs.Program("trainer.main", *flags)
    wait_for(process, lambda: (tmp_path / "run/config.json").exists())
    time.sleep(wait_s)
    kill(process)
    assert newest_step(tmp_path / "run/checkpoints") == 0

    print(f"killed after steps {steps}")
    for step in steps:
        process = programs.Program("trainer.main", *flags)
        wait_for(process, lambda step=step: newest_step(tmp_path / "run/checkpoints") >= step)
        kill(process)
    continued = programs.run("trainer.main", *flags)
    assert continued.returncode == 0, continued.stderr
    assert "continuing" in continued.stdout
    assert not list((tmp_path / "run").glob("incomplete.*"))
    done = unbroken.wait()
    assert done.returncode == 0, done.stderr
    assert_same(tmp_path / "run", expected=tmp_path / "unbroken")


def wait_for(process, condition):
    """Wait until a condition holds, while a program runs."""
    while not condition():
        assert process.poll() is None
        time.sleep(0.01)


def kill(process):
    assert process.kill() == -signal.SIGKILL  # It had not ended by itself.


def assert_same(model_dir, *, expected):
    """Compare everything in the newest checkpoints of two runs, bit for bit."""
    arrays, facts = newest(model_dir)
    expected_arrays, expected_facts = newest(expected)
    assert arrays.keys() == expected_arrays.keys()
    for name, array in expected_arrays.items():
        np.testing.assert_array_equal(arrays[name], array, err_msg=name)
    for key in ("epoch", "step", "best_epoch", "best_score"):
        assert facts[key] == expected_facts[key]


def newest_step(folder):
    return max(
        (int(path.stem.removeprefix("step-")) for path in folder.glob("step-*.npz")), default=0
    )


def newest(model_dir):
    return checkpoint.load_newest(model_dir / "checkpoints")
