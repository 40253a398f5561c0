"""Benchmarks of scale: their releases, what they measure of processes, and how kills are judged."""

import json
import random
import sys

import pytest

from benchmarks import engine, measure, releases
from tests import benchmark_modules
from tests.pipeline import conftest

kills = benchmark_modules.imported("kills")


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
