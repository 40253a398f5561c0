"""Atomic writes on a disk: flushed before the rename, and nothing left after a failure."""

import os
from pathlib import Path

import pytest

from pipeline.files import atomic


@pytest.fixture
def calls(monkeypatch) -> list[str]:
    """What is asked of the system, in order: flushes with what they flush, and renames."""
    asked: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def recorded_fsync(descriptor):
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        asked.append(f"flush {'folder' if path.is_dir() else path.read_bytes().decode()}")
        fsync(descriptor)

    def recorded_replace(self, target):
        asked.append(f"rename to {Path(target).name}")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(Path, "replace", recorded_replace)
    return asked


def test_a_file_is_flushed_before_it_gets_its_name(tmp_path, calls):
    with atomic.writing(tmp_path / "shard") as file:
        file.write(b"a record")
        assert not (tmp_path / "shard").exists()
    assert calls[:2] == ["flush a record", "rename to shard"]
    assert (tmp_path / "shard").read_bytes() == b"a record"


def test_a_text_is_flushed_before_it_gets_its_name(tmp_path, calls):
    atomic.write_text(tmp_path / "sidecar.json", "{}")
    assert calls[:2] == ["flush {}", "rename to sidecar.json"]


def test_a_block_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    atomic.write_text(tmp_path / "sidecar.json", "old")
    with pytest.raises(ZeroDivisionError), atomic.writing(tmp_path / "sidecar.json") as file:
        file.write(b"new")
        file.write(bytes(1 // 0))
    assert [path.name for path in tmp_path.iterdir()] == ["sidecar.json"]
    assert (tmp_path / "sidecar.json").read_text() == "old"
