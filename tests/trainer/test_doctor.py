"""The doctor as a person starts it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from trainer.distributed import nvidia

ROOT = Path(__file__).resolve().parents[2]


def run(*flags, code="", **environment):
    """Start the doctor, after some code in its process."""
    program = f"{code}\nimport runpy; runpy.run_module('trainer.doctor', run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", program, *flags], capture_output=True, text=True, cwd=ROOT,
        env={**os.environ, **environment}, timeout=200,
    )  # fmt: skip


@pytest.mark.slow
def test_every_line_has_a_level_and_the_worst_is_the_exit_code(data_dir):
    done = run(f"--data_dir={data_dir}", "--json")
    found = json.loads(done.stdout)
    assert ["good", "doubtful", "bad"].index(found["worst"]) == done.returncode, done.stderr
    by_name = {made["name"]: made for made in found["checks"]}
    assert {
        *("python", "packages", "extras", "tensorflow", "gpu", "start", "disk (data)"),
        *("disk (here)", "open files", "data"),
    } <= by_name.keys()
    assert by_name["data"]["level"] == "good" and "62 train" in by_name["data"]["finding"]
    if not nvidia.has_device():
        assert "matrix product right" in by_name["cpu 0"]["finding"]


WITHOUT_TENSORFLOW = """
import importlib.util, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "tensorflow" else found(name, *more)
sys.modules["tensorflow"] = None
"""


def test_without_tensorflow_it_starts_and_says_how_to_install_it(tmp_path):
    done = run(f"--data_dir={tmp_path}", code=WITHOUT_TENSORFLOW)
    assert (done.returncode, done.stderr) == (2, "")
    assert "tensorflow    bad       not installed\n" in done.stdout
    assert "python -m pip install --editable '.[" in done.stdout


STAND_IN = """
import pathlib
from trainer.distributed import nvidia
nvidia.ROOT = pathlib.Path({root!r})
nvidia._package_folders = lambda packages: []  # Those of a GPU's environment.
"""
"""Another root of the file system, in which files stand in for devices and drivers."""


def refused(root, *flags, program):
    start = f"import runpy; runpy.run_module({program!r}, run_name='__main__')"
    code = STAND_IN.format(root=str(root)) + start
    return subprocess.run(
        [sys.executable, "-c", code, *flags], capture_output=True, text=True, cwd=ROOT, timeout=100
    )


@pytest.mark.parametrize(
    "files, sentence",
    [
        (
            ["dev/nvidia0"],
            "the NVIDIA GPU of this machine (/dev/nvidia0) cannot be used: it has no driver",
        ),
        (
            ["dev/nvidia0", "usr/lib64/libcuda.so.1"],
            "the NVIDIA GPU of this machine (/dev/nvidia0) cannot be used: its CUDA libraries are "
            "not installed",
        ),
        (
            ["dev/nvidia0", "usr/lib64/libcuda.so.1", "usr/lib64/libcudart.so.99"],
            "the NVIDIA GPU of this machine (/dev/nvidia0) cannot be used: its CUDA libraries are "
            "of another version (libcudart.so.99)",
        ),
        ([], "this machine has no GPU: use --num_gpus=0 for the CPU"),
    ],
)
def test_training_is_refused_for_what_is_missing(tmp_path, files, sentence):
    for name in ["proc/self/stat", *files]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    done = refused(tmp_path, "--num_gpus=4", program="trainer.main")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: --num_gpus=4, but {sentence}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("program", ["trainer.evaluate", "trainer.sweep"])
def test_the_other_programs_that_use_gpus_refuse_alike(tmp_path, photo_run, program):
    for name in ("proc/self/stat", "dev/nvidia0"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    flags = [f"--model_dir={photo_run.model_dir}"] if program == "trainer.evaluate" else []
    done = refused(tmp_path, *flags, program=program)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "error: TensorFlow cannot use the NVIDIA GPU of this machine (/dev/nvidia0): it has no "
    )
