"""The GPU benchmark, tried on a CPU with sizes that take seconds."""

import json
import pathlib
import subprocess
import sys

import pytest

from benchmarks import gpu, gpu_rows

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_table_is_filled_and_written_as_markdown_and_json(data_dir, tmp_path):
    command = [
        *(sys.executable, "-m", "benchmarks.gpu", f"--data_dir={data_dir}", "--config_name=sample"),
        *("--num_gpus=0", "--models=cnn", "--image_sizes=16", "--batch_size=16", "--seconds=0.05"),
        *("--variant=float32", f"--output_dir={tmp_path}"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert found["device"] == "CPU, one replica"
    (row,) = found["rows"]
    assert (row["model"], row["image_size"], row["variant"]) == ("cnn", 16, "float32")
    assert "error" not in row
    for name in ("images_per_s", "images_per_s_no_cache", "alone_per_s", "ms_a_step", "fit_per_s"):
        assert row[name] > 0
    assert 0 <= row["input_wait_frac"] <= 1
    assert gpu.line(row) in (tmp_path / "gpu.md").read_text()


def test_what_was_not_measured_is_a_row_with_the_reason():
    row = {"model": "cnn", "image_size": 112, "variant": "float32", "error": "no time left"}
    assert gpu.line(row).startswith("| cnn | 112 | float32 | no time left |")
    assert gpu.line(row).count("|") == gpu._HEADER.count("|")


def test_a_command_that_takes_too_long_leaves_what_it_printed():
    command = ["sh", "-c", "echo one; exec sleep 60"]
    assert gpu.run(command, timeout_s=3) == ("one\n", "no time left")


def test_a_command_that_fails_gives_its_last_line():
    command = ["sh", "-c", "echo the last words >&2; exit 1"]
    assert gpu.run(command, timeout_s=60) == ("", "exit code 1: the last words")


def test_the_variants_of_the_table_are_those_that_a_row_knows():
    assert gpu.VARIANTS.default == list(gpu_rows.VARIANTS)
