"""Builds on an engine: a release, the program as a process, and all that it publishes compared."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline import config
from tests.pipeline import conftest, test_main

VERSION = test_main.VERSION
STAGING = VERSION.with_name(".building-1.0.0")
NUM_SHARDS = 24
SETTINGS = {
    "image_size": 600,
    "num_shards": NUM_SHARDS,
    "balance": "150",
    "config_name": "tiny",
    "max_reject_frac": 0.1,
}


def write_release(root: Path) -> Path:
    """Write 240 images, one there twice, one in validation too, and three rows to reject."""
    writer = conftest.ReleaseWriter(root)
    paths = [writer.add("training", i % 4) for i in range(240)]
    for path, copy in ((paths[0], "9/again.jpg"), (paths[1], "9/leaked.jpg")):
        (writer.images / "9").mkdir(exist_ok=True)
        (writer.images / copy).hardlink_to(writer.images / path)
    writer.add("training", 0, path="9/again.jpg")
    writer.add("validation", 1, path="9/leaked.jpg")
    writer.add("training", 1, path="9/missing.jpg")
    writer.add("training", 12)
    writer.add("training", 2, box=(900, 900, 50, 50))
    return writer.write()


def build_locally(release: Path, data_dir: Path) -> Path:
    """Return the version that a local build makes."""
    test_main.run(
        config.JobConfig(input_dir=str(release), data_dir=str(data_dir), num_workers=1, **SETTINGS)
    )
    return data_dir / VERSION


def without_job_server(flags: Sequence[str]) -> list[str]:
    """Return a cluster's flags but for those of its job server."""
    return [flag for flag in flags if not flag.startswith(("--runner=", "--job_endpoint="))]


def start(release: Path, data_dir: Path, flags: Sequence[str]) -> subprocess.Popen:
    """Start the program, with a folder for temporary files beside its data."""
    temporary = data_dir / "temporary"
    temporary.mkdir(exist_ok=True)
    ours = [f"--{name}={value}" for name, value in SETTINGS.items()]
    ours += [f"--input_dir={release}", f"--data_dir={data_dir}"]
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.main", *ours, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )


def finish(process: subprocess.Popen) -> str:
    """Wait for the program; return what it said."""
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return said


def wait_for_shards(process: subprocess.Popen, data_dir: Path, count: int) -> None:
    """Wait until a build has finished so many shards."""
    while process.poll() is None and len(finished(data_dir)) < count:
        time.sleep(0.05)
    assert process.poll() is None, (
        f"the build ended before {count} shards were seen: {process.communicate()[0]}"
    )


def interrupt(process: subprocess.Popen, data_dir: Path) -> None:
    """Stop a build as Ctrl-C does, once it has finished three shards."""
    wait_for_shards(process, data_dir, 3)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 130 and "finished and kept" in said, said


def assert_continued(said: str) -> None:
    """Check what a build says that continues an interrupted one."""
    assert f" of {NUM_SHARDS + 1} shards are finished" in said, said
    # The bar sees the shards of workers elsewhere.
    assert f"{NUM_SHARDS + 1}/{NUM_SHARDS + 1}" in said, said


def finished(data_dir: Path) -> set[str]:
    """Return the names of the sidecars that a build has written, of a version not yet published."""
    return {path.name for path in (data_dir / STAGING).glob("*.tfrecord*.json")}


def assert_same(version: Path, local: Path) -> None:
    """Compare all that a build publishes, its place apart."""
    assert len(test_main.sums(local)) > NUM_SHARDS
    assert test_main.sums(version) == test_main.sums(local)
    assert {p.name for p in version.iterdir()} == {p.name for p in local.iterdir()}
    assert {p.name for p in version.parent.iterdir()} == {"1.0.0"}
    assert not list((version.parents[2] / "temporary").iterdir())
    for name in ("build_report.json", "rejects.csv", "dataset_info.json", "features.json"):
        assert (version / name).read_text() == (local / name).read_text(), name
