"""Benchmarks of scale: their releases, what they measure of processes, and how kills are judged."""

import errno
import json
import os
import random
import signal
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks import engine, measure, releases
from runtime import errors
from tests import benchmark_modules
from tests.pipeline import conftest

kills = benchmark_modules.imported("kills")
start_up = benchmark_modules.imported("start_up")


def test_a_release_is_repeated_by_hard_links_to_the_good_images_of_all(tmp_path):
    roots = [tmp_path / "a", tmp_path / "b"]
    for root in roots:
        writer = conftest.ReleaseWriter(root)
        for label in (0, 1, 12):  # The last is no label.
            writer.add("training", label)
        writer.write()
    made = releases.repeated(roots, 10, tmp_path / "made")
    images = sorted((made / "Manually_Annotated_Images").rglob("*.jpg"))
    assert len(images) == 10 == len({path.name for path in images})
    links = sorted(path.stat().st_nlink for path in images)
    assert links == [3] * 4 + [4] * 6  # 10 names of 4 files, each with its own name, too.
    rows = (made / "Manually_Annotated_file_lists" / "training.csv").read_text().splitlines()
    assert len(rows) == 11
    assert {row.split(",")[0] for row in rows[1:]} == {f"{p.parent.name}/{p.name}" for p in images}


@pytest.mark.parametrize("lacking", ["list", "images", "good rows"])
def test_what_is_no_release_of_faces_cannot_be_repeated(lacking, tmp_path):
    writer = conftest.ReleaseWriter(tmp_path / "a")
    writer.add("training", 12 if lacking == "good rows" else 0)
    writer.write()
    named = {
        "list": "training.csv",
        "images": "Manually_Annotated_Images",
        "good rows": "its 1 rows",
    }
    if lacking != "good rows":
        (path,) = (tmp_path / "a").rglob(named[lacking])
        path.rename(path.with_name("other"))
    with pytest.raises(errors.UserError, match=named[lacking]):
        releases.repeated([tmp_path / "a"], 10, tmp_path / "made")


def test_a_release_on_another_disk_is_refused_with_both_places(tmp_path, monkeypatch):
    def refuse(target, source):
        raise OSError(errno.EXDEV, "Invalid cross-device link", source, None, target)

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    with pytest.raises(errors.UserError, match="/disk must be on the disk of /a/b, for hard links"):
        releases.link(Path("/a/b"), Path("/disk/c"))


def test_a_linked_version_of_another_is_not_taken_for_this_ones(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "features.json").touch()
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "features.json").hardlink_to(tmp_path / "one" / "features.json")
    start_up._refuse_another(tmp_path / "one", tmp_path / "linked")
    with pytest.raises(errors.UserError, match="it was made from another version"):
        start_up._refuse_another(tmp_path / "other", tmp_path / "linked")


def test_the_processes_of_a_command_are_measured_by_role(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "POLL_SECONDS", 0.05)
    (tmp_path / "big").write_bytes(bytes(5_000))
    work = "held = bytearray(60_000_000); import time; time.sleep(2)"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}, 'a'])"
    started = [sys.executable, "-c", program, "pipeline.worker"]
    found = measure.run(started, folder=tmp_path)
    by_role = {process.role: process for process in found.processes}
    assert by_role["driver"].peak_bytes > 60e6 > by_role["worker"].peak_bytes > 1e6
    assert found.peak_bytes > by_role["driver"].peak_bytes
    assert by_role["driver"].core_seconds > 0 < by_role["driver"].open_files
    assert found.folder_bytes == 5_000
    assert "1 driver" in measure.of_roles(found.processes)


def test_what_a_process_writes_counts_once_though_its_parent_has_it_too(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "POLL_SECONDS", 0.05)
    path = tmp_path / "written"
    write = (
        f"import os, time; file = open({str(path)!r}, 'wb'); file.write(bytes(8_000_000)); "
        "file.flush(); os.fsync(file.fileno()); time.sleep(0.5)"
    )
    wait = f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {write!r}])"
    found = measure.run([sys.executable, "-c", f"{wait}; time.sleep(0.5)"])
    assert path.stat().st_size == 8_000_000
    assert found.bytes_written < 12_000_000
    before = psutil.Process().io_counters().write_bytes
    with path.open("ab") as file:
        file.write(b"x")
        file.flush()
        os.fsync(file.fileno())
    is_in_memory = psutil.Process().io_counters().write_bytes == before  # The file system is.
    assert found.bytes_written >= 8_000_000 or is_in_memory


def test_what_was_shuffled_is_summed_over_the_steps_of_a_log(tmp_path):
    step = {"keys": 2, "bytes": 900, "largest_key_bytes": 600, "largest_value_bytes": 100}
    other = {"keys": 1, "bytes": 300, "largest_key_bytes": 300, "largest_value_bytes": 200}
    events = [
        {"event": "start"},
        {"event": "shuffled", "steps": {"DealToShards": step}},
        {"event": "shuffled", "steps": {"WriteShard": other}},
    ]
    (tmp_path / "log").write_text("".join(f"{json.dumps(event)}\n" for event in events))
    assert engine.shuffled(tmp_path / "log") == engine.Shuffled(
        1200, "600 bytes (DealToShards)", "200 bytes (WriteShard)"
    )


@pytest.fixture
def build(tmp_path):
    """A build that has written one file, and lost a process."""
    made = kills.Disturbed(3, tmp_path, [], 1)
    for folder in (made.data, tmp_path / "tmp", made.cluster):
        folder.mkdir()
    (made.data / "shard").write_text("content")
    made.kills = [kills.Kill(1, 0, 3, "worker", 2.0, 5, "went on")]
    return made


@pytest.mark.parametrize(
    ("change", "same", "stray"),
    [
        (lambda data: None, "yes", "none"),
        (lambda data: (data / "shard").write_text("other"), "1 differ: shard", "none"),
        (lambda data: (data / "shard").unlink(), "1 differ: shard", "none"),
        (lambda data: (data / "left").touch(), "yes", "left"),
        (lambda data: (data.parent / "tmp" / "x").touch(), "yes", "none; 1 of temporary files"),
    ],
)
def test_a_disturbed_build_is_compared_with_one_that_nobody_disturbed(
    build, monkeypatch, change, same, stray
):
    monkeypatch.setattr(kills, "_SETTLE_S", 0)
    undisturbed = kills.digests(build.data)
    change(build.data)
    kills.judge(build, undisturbed)
    (kill,) = build.kills
    assert (kill.same_bytes, kill.stray_files, kill.processes_left) == (same, stray, 0)
    kills.write_list(build.kills, build.work)
    listed = f"| 1 | 0 | 3 | worker | 2.0 | 5 | went on | {same} | {stray} | 0 |\n"
    assert (build.work / "kills.md").read_text().endswith(listed)


def test_a_build_that_is_interrupted_does_not_go_on(build):
    build._command = ["sleep", "300"]
    with pytest.raises(KeyboardInterrupt), build:
        build.start()
        raise KeyboardInterrupt
    assert build.process.returncode == -signal.SIGTERM


def test_a_process_that_nothing_keeps_is_found_by_its_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    with kills.subprocess.Popen(["sleep", "60"]) as process:
        assert kills.left(tmp_path, []) == [process.pid]
        assert kills.left(tmp_path, [process.pid]) == []
        process.kill()
    assert kills.left(tmp_path, []) == []


def test_every_target_has_its_turn_and_the_seed_decides_the_order():
    drawn = kills._targets(random.Random(4))
    first = [next(drawn) for _ in range(8)]
    assert sorted(first) == sorted(2 * kills.TARGETS)
    again = kills._targets(random.Random(4))
    assert first == [next(again) for _ in range(8)]
