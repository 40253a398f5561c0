"""Training on a GPU: the promises that hold on a CPU, and what only a GPU shows.

Every test starts programs, as a person does: this process hides GPUs from itself (conftest).
"""

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests import programs
from tests.trainer import conftest, drift
from trainer.distributed import nvidia
from trainer.evaluation import predictions
from trainer.run import checkpoint

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.slow,
    pytest.mark.skipif(not nvidia.has_device(), reason="this machine has no NVIDIA GPU"),
]

ON_GPU = ("--num_gpus=1",)
SMALL = (
    "--conv_filters=4,8", "--dense_units=16", "--epochs=3", "--batch_size=16",
    "--learning_rate=0.01",
)  # fmt: skip
"""Twelve steps on 62 images of 32 px."""


@pytest.fixture(scope="module")
def train(data_dir, tmp_path_factory):
    """Return a function that trains on a GPU, once for the same flags, and returns the folder."""
    runs = {}

    def trained(*flags):
        if flags not in runs:
            folder = tmp_path_factory.mktemp("gpu") / "run"
            done = start(data_dir, folder, *flags)
            assert done.returncode == 0, done.stderr
            runs[flags] = folder
        return runs[flags]

    return trained


def start(data_dir, folder, *flags):
    where = (f"--data_dir={data_dir}", f"--model_dir={folder}")
    return programs.run("trainer.main", *where, *ON_GPU, *SMALL, *flags)


def arrays_of(folder):
    arrays, _ = checkpoint.load_newest(folder / "checkpoints")
    return arrays


def losses_of(folder):
    with (folder / "history.csv").open(newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize("parts", [2, 4])
def test_parts_of_a_gpu_train_as_the_whole_one_does(train, monkeypatch, parts):
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")  # Its rounding alone drifts by 0.17 (H200).
    flags = ("--batch_norm", "--dropout=0.5")
    first = arrays_of(train(*flags, "--learning_rate=0"))
    names = [name for name in first if not name.startswith(("slot/", "average/"))]
    whole, split = (
        arrays_of(train(*flags, f"--virtual_devices={number}")) for number in (1, parts)
    )
    in_order = [[arrays[name] for name in names] for arrays in (whole, split, first)]
    assert drift.largest(in_order[0], in_order[1], start=in_order[2]) < drift.LIMIT


def test_a_killed_run_ends_in_bitwise_the_weights_of_an_unbroken_one(train, data_dir, tmp_path):
    flags = ("--deterministic", "--batch_norm", "--dropout=0.5")
    expected = arrays_of(train(*flags))
    command = [
        sys.executable, "-m", "trainer.main", f"--data_dir={data_dir}", f"--model_dir={tmp_path}",
        *ON_GPU, *SMALL, *flags, "--checkpoint_steps=1",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while not list(tmp_path.glob("checkpoints/step-*.npz")):
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    continued = start(data_dir, tmp_path, *flags, "--checkpoint_steps=1")
    assert "continuing" in continued.stdout, continued.stderr
    found = arrays_of(tmp_path)
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name].tobytes() != expected[name].tobytes()] == []


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_trains_as_float32_does_up_to_rounding(train, precision):
    expected = losses_of(train())
    assert losses_of(train(f"--precision={precision}")) == pytest.approx(expected, rel=0.05)


def test_xla_computes_what_tensorflow_does(train):
    assert losses_of(train("--jit")) == pytest.approx(losses_of(train()), rel=0.01)


def test_xla_with_batch_normalisation_is_refused_in_a_sentence(data_dir, tmp_path):
    done = start(data_dir, tmp_path, "--batch_norm", "--jit")
    assert done.returncode == 2
    assert "error: --jit cannot compile batch normalisation over 1 replica, whose" in done.stderr


def test_a_run_takes_the_memory_that_it_needs_and_no_more():
    code = (
        "from trainer.config import run_config; from trainer.distributed import devices; "
        "import tensorflow as tf, sys; "
        "devices.prepare(run_config.Devices(num_gpus=1)); "
        "tf.ones([1000, 1000]) @ tf.ones([1000, 1000]); print('ready', flush=True); "
        "sys.stdin.read()"
    )
    before = used_mib()
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        taken = used_mib() - before
        process.stdin.close()
    assert 0 < taken < 0.5 * nvidia_smi("memory.total")


def used_mib():
    return nvidia_smi("memory.used")


def nvidia_smi(what):
    """Return a number of the first GPU."""
    command = ["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader,nounits"]
    return float(subprocess.check_output(command, text=True).split()[0])


@pytest.mark.parametrize("flags", [("--num_gpus=0",), ON_GPU])
def test_a_gpu_run_is_evaluated_alike_on_the_cpu_and_on_a_gpu(train, tmp_path, flags):
    folder = train()
    done = programs.run(
        "trainer.evaluate", f"--model_dir={folder}", f"--report_dir={tmp_path}", *flags
    )
    assert done.returncode == 0, done.stderr
    found, expected = (
        json.loads((each / "metrics.json").read_text()) for each in (tmp_path, folder)
    )
    assert found["m_measure"] == pytest.approx(expected["m_measure"], abs=1e-3)


def test_an_evaluation_on_a_gpu_gives_the_probabilities_of_one_on_the_cpu(train, tmp_path):
    found = []
    for flags in (("--num_gpus=0",), ON_GPU):
        report = tmp_path / flags[0]
        done = programs.run(
            "trainer.evaluate", f"--model_dir={train()}", f"--report_dir={report}", *flags
        )
        assert done.returncode == 0, done.stderr
        found.append(predictions.read(report / predictions.FILE).probabilities)
    assert found[1] == pytest.approx(found[0], abs=1e-5)


def test_a_gpu_run_is_exported_and_predicts(train, tmp_path, drawn):
    folder = tmp_path / "run"
    shutil.copytree(train(), folder)
    facts = json.loads((folder / "data.json").read_text())
    (folder / "data.json").write_text(json.dumps({**facts, "crop": conftest.GEOMETRY._asdict()}))
    exported = programs.run("trainer.export", f"--model_dir={folder}", "--format=savedmodel")
    assert exported.returncode == 0, exported.stderr
    photo, _ = drawn
    predicted = programs.run(
        "trainer.predict", photo, f"--model_dir={folder}", "--detector=none", "--json"
    )
    assert predicted.returncode == 0, predicted.stderr
    (face,) = json.loads(predicted.stdout)
    assert sum(face["probabilities"].values()) == pytest.approx(1, abs=1e-4)


def test_full_memory_is_one_sentence_that_names_the_flags(data_dir, tmp_path):
    done = start(
        data_dir, tmp_path, "--virtual_devices=16", "--batch_size=48", "--image_size=768",
        "--conv_filters=512", "--dense_units=1",
    )  # fmt: skip
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert re.match(r"error: the memory of GPU \d+ is full: it cannot hold 3 images of a", line)
    assert "--batch_size" in line and "--accumulate_steps=2" in line
