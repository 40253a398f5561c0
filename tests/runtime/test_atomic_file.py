import errno
import os
import pathlib
import stat
import types

import pytest

from runtime import atomic_file


def test_a_file_is_replaced_whole_in_a_folder_that_is_made(tmp_path):
    path = tmp_path / "new" / "settings.json"
    assert atomic_file.replace(path, content=b"one") == path
    atomic_file.replace(path, content=b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["settings.json"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "settings.json"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="halfway"), atomic_file.writing(path) as file:
        file.write(b"ne")
        raise RuntimeError("halfway")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["settings.json"]


def test_two_writers_of_one_file_do_not_share_a_temporary_file(tmp_path):
    path = tmp_path / "settings.json"
    with atomic_file.writing(path) as first:
        with atomic_file.writing(path) as second:
            first.write(b"first")
            second.write(b"second")
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"first"


def test_the_content_is_flushed_before_the_rename_and_the_folder_after_it(tmp_path, monkeypatch):
    path, flushed = tmp_path / "settings.json", []

    def fsync(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        flushed.append((kind, path.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    atomic_file.replace(path, content=b"content")
    assert flushed == [("file", False), ("folder", True)]


def test_a_file_has_the_permissions_of_any_other_new_file(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    path = atomic_file.replace(tmp_path / "atomic", content=b"")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_folder_that_can_be_made_is_writable_and_is_not_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path, tmp_path / "new" / "run", pathlib.Path("new/run"), pathlib.Path()):
        atomic_file.check_writable(folder)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_refused_by_the_name_of_what_is_in_the_way(
    tmp_path, monkeypatch
):
    file = tmp_path / "file"
    file.write_bytes(b"")
    with pytest.raises(NotADirectoryError) as refused:
        atomic_file.check_writable(file / "run")
    assert refused.value.filename == str(file)
    with monkeypatch.context() as patch:  # The superuser may write anywhere.
        patch.setattr(os, "access", lambda path, mode: path != tmp_path)
        with pytest.raises(PermissionError) as refused:
            atomic_file.check_writable(tmp_path / "new" / "run")
    assert refused.value.filename == str(tmp_path)
    monkeypatch.setattr(os, "statvfs", lambda path: types.SimpleNamespace(f_flag=os.ST_RDONLY))
    with pytest.raises(OSError, match="Read-only") as refused:
        atomic_file.check_writable(tmp_path)
    assert refused.value.errno == errno.EROFS
