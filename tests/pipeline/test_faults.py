"""kill -9 at any moment, the same command again: the same bytes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.pipeline import conftest, test_main

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Path:
    """240 pictures, large enough that a build takes a while."""
    writer = conftest.ReleaseWriter(tmp_path_factory.mktemp("release"))
    for i in range(240):
        writer.add("training", i % 4)
    writer.add("validation", 0)
    return writer.write()


def start(release: Path, data_dir: Path) -> subprocess.Popen:
    """Start a build in a process group of its own."""
    flags = ["--image_size=600", "--num_shards=24", "--num_workers=2", "--config_name=tiny", "--balance=150"]
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.main", f"--input_dir={release}", f"--data_dir={data_dir}", *flags],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def finished_shards(data_dir: Path) -> int:
    return len(list(data_dir.glob("affectnet_faces/tiny/.building-1.0.0/*.tfrecord*.json")))


def kill_after(process: subprocess.Popen, data_dir: Path, *, shards: int) -> None:
    """Kill the build, workers too, once so many shards are finished."""
    while process.poll() is None and finished_shards(data_dir) < shards:
        time.sleep(0.02)
    assert process.poll() is None, "the build ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_three_kills_and_a_restart_give_the_bytes_of_an_unbroken_build(release, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert start(release, whole).wait() == 0
    for shards in (1, 7, 15):
        kill_after(start(release, broken), broken, shards=shards)
    assert not (broken / "affectnet_faces" / "tiny" / "1.0.0").exists()
    assert start(release, broken).wait() == 0
    versions = [folder / "affectnet_faces" / "tiny" / "1.0.0" for folder in (whole, broken)]
    assert test_main.sums(versions[0]) == test_main.sums(versions[1])
    assert {p.name for p in versions[0].iterdir()} == {p.name for p in versions[1].iterdir()}
