"""kill -9 of a worker or of all at any moment, the same command again: the same bytes. SIGTERM: the
same, and nothing is left over."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline import config
from pipeline.beam import local_workers
from pipeline.shards import write_lease
from runtime import errors
from tests.pipeline import conftest, test_main

pytestmark = pytest.mark.slow


SETTINGS = {"image_size": 600, "num_shards": 24, "config_name": "tiny", "balance": "150"}


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Path:
    """240 pictures, large enough that a build takes a while."""
    writer = conftest.ReleaseWriter(tmp_path_factory.mktemp("release"))
    for i in range(240):
        writer.add("training", i % 4)
    writer.add("validation", 0)
    return writer.write()


def start(release: Path, data_dir: Path, *, temporary: Path | None = None) -> subprocess.Popen:
    """Start a build in a process group of its own, and with a folder of its own for temporary
    files."""
    environment = {**os.environ, "TMPDIR": str(temporary)} if temporary else None
    flags = [f"--{name}={value}" for name, value in SETTINGS.items()]
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pipeline.main",
            f"--input_dir={release}",
            f"--data_dir={data_dir}",
            "--num_workers=2",
            *flags,
        ],
        stdout=subprocess.PIPE if temporary else subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=environment,
        text=True,
    )


def finished_shards(data_dir: Path) -> int:
    return len(list(data_dir.glob("affectnet_faces/tiny/.building-1.0.0/*.tfrecord*.json")))


def wait_for(process: subprocess.Popen, data_dir: Path, *, shards: int) -> None:
    """Wait until so many shards are finished."""
    while process.poll() is None and finished_shards(data_dir) < shards:
        time.sleep(0.02)
    assert process.poll() is None, "the build ended before it could be stopped"


def kill_after(process: subprocess.Popen, data_dir: Path, *, shards: int) -> None:
    """Kill the build, workers too, once so many shards are finished."""
    wait_for(process, data_dir, shards=shards)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def kill_a_worker(process: subprocess.Popen, data_dir: Path) -> str:
    """Kill one worker while it writes a shard; return what the build says of it."""
    # Workers are there before shards are, while this process writes its rows into files.
    shards = "incomplete.*.tfrecord-*"
    while len(working := workers_of(process)) < 2 or not list(data_dir.rglob(shards)):
        time.sleep(0.02)
        assert process.poll() is None, "the build ended before a worker could be killed"
    os.kill(working[0], signal.SIGKILL)
    said, _ = process.communicate(timeout=10)
    assert process.returncode == errors.EXIT_CODE, said
    return said.splitlines()[-1]


def workers_of(process: subprocess.Popen) -> list[int]:
    """Return the processes that a build has started."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(pid) for pid in children.read_text().split()]


def test_kills_of_a_worker_and_of_all_and_a_restart_give_the_bytes_of_an_unbroken_build(
    release, tmp_path
):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    test_main.run(
        config.JobConfig(input_dir=str(release), data_dir=str(whole), num_workers=1, **SETTINGS)
    )
    (tmp_path / "temporary").mkdir()
    said = kill_a_worker(start(release, broken, temporary=tmp_path / "temporary"), broken)
    assert said.startswith("error: worker 1 of 2 (process ")
    assert not list(broken.rglob("incomplete.*")) and not list((tmp_path / "temporary").iterdir())
    for shards in (1, 7, 15):
        kill_after(start(release, broken), broken, shards=shards)
    assert not (broken / "affectnet_faces" / "tiny" / "1.0.0").exists()
    assert start(release, broken).wait() == 0
    versions = [folder / "affectnet_faces" / "tiny" / "1.0.0" for folder in (whole, broken)]
    assert test_main.sums(versions[0]) == test_main.sums(versions[1])
    assert {p.name for p in versions[0].iterdir()} == {p.name for p in versions[1].iterdir()}


@pytest.mark.parametrize("shards", [0, 3])
def test_sigterm_stops_workers_too_keeps_finished_shards_and_leaves_no_temporary_files(
    release, tmp_path, shards
):
    """Workers that have no shard yet are ended, and not waited for."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = start(release, tmp_path, temporary=temporary)
    leases = f"**/{write_lease.LEASE_FILE}"
    while not shards and not list(tmp_path.glob(leases)) and process.poll() is None:
        time.sleep(0.01)
    wait_for(process, tmp_path, shards=shards)
    process.terminate()
    began = time.monotonic()
    said, _ = process.communicate(timeout=60)  # Its pipe is closed when the last worker is gone.
    assert process.returncode == 143, said
    assert time.monotonic() - began < local_workers.STOP_S
    assert f"stopped: {finished_shards(tmp_path)} of 25 shards are finished and kept" in said
    assert not list(temporary.iterdir())
