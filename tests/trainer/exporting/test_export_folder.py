"""Export folder: what may be replaced, and that it is replaced as a whole or not at all."""

import pathlib
import shutil

import pytest

from runtime import errors
from trainer.exporting import export_folder


def test_a_folder_that_is_new_empty_or_an_export_may_be_written(tmp_path):
    export_folder.check(tmp_path / "new")
    export_folder.check(tmp_path)
    (tmp_path / "export.json").touch()
    (tmp_path / "model.onnx").touch()
    export_folder.check(tmp_path)


def test_another_folder_or_a_file_is_refused(tmp_path):
    (tmp_path / "notes.txt").touch()
    for path in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(
            errors.UserError, match="must name a new folder or an export .*is neither"
        ):
            export_folder.check(path)


def test_an_export_replaces_the_old_one_as_a_whole(tmp_path):
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "old").touch()
    (tmp_path / ".export.part").mkdir()
    (tmp_path / ".export.part/rest").touch()  # A killed process left it.
    with export_folder.replaced(folder) as staged:
        (staged / "new").touch()
        assert [path.name for path in folder.iterdir()] == ["old"]
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_after_an_error_the_old_export_stays_and_nothing_else(tmp_path):
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "old").touch()
    with pytest.raises(ZeroDivisionError), export_folder.replaced(folder) as staged:
        (staged / "new").touch()
        raise ZeroDivisionError
    assert [path.name for path in folder.iterdir()] == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def export(folder, name):
    with export_folder.replaced(folder) as staged:
        (staged / name).touch()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def old(tmp_path):
    """Return an earlier export."""
    export(tmp_path / "export", "export.json")
    return tmp_path / "export"


@pytest.mark.parametrize("failing", ["export", ".export.part"])
def test_what_cannot_be_renamed_leaves_the_old_export_whole(old, failing, monkeypatch):
    rename = pathlib.Path.rename

    def refuse(path, target):
        if path.name == failing:
            raise OSError(16, "Device or resource busy", str(path))
        return rename(path, target)

    monkeypatch.setattr(pathlib.Path, "rename", refuse)
    with pytest.raises(OSError, match="busy"):
        export(old, "new")
    assert names(old) == ["export.json"] and names(old.parent) == ["export"]


def test_an_old_export_that_cannot_be_removed_stays_beside_the_new_one(old, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "rmtree", lambda path, ignore_errors: None)
    export(old, "new")
    assert f"warning: {old.parent / '.export.old'}, an earlier" in capsys.readouterr().err
    assert names(old) == ["new"] and names(old.parent / ".export.old") == ["export.json"]
    monkeypatch.undo()
    export(old, "newer")
    assert names(old) == ["newer"] and names(old.parent) == ["export"]


def test_an_export_that_a_killed_process_had_renamed_has_its_name_back(old):
    old.rename(old.parent / ".export.old")
    with pytest.raises(ZeroDivisionError), export_folder.replaced(old):
        raise ZeroDivisionError
    assert names(old) == ["export.json"] and names(old.parent) == ["export"]


@pytest.mark.parametrize("line", ["1 2 8:1 / {} rw", "1 2 8:1 /a {} rw,relatime shared:1 - ext4"])
def test_a_folder_that_a_disk_is_mounted_on_is_refused_at_the_start(tmp_path, line, monkeypatch):
    folder = tmp_path / "a volume"
    folder.mkdir()
    mounts = tmp_path / "mountinfo"
    mounts.write_text(line.format(str(folder).replace(" ", "\\040")))
    monkeypatch.setattr(export_folder, "_MOUNTS", mounts)
    with pytest.raises(errors.UserError, match="is mounted on .*/a volume; name a folder in it"):
        export_folder.check(folder)
    export_folder.check(folder / "export")


def test_a_link_to_a_folder_stays_a_link(old):
    link = old.parent / "link"
    link.symlink_to("export")
    export_folder.check(link)
    export(link, "new")
    assert link.is_symlink() and names(old) == ["new"]
    (old.parent / "circle").symlink_to("circle")
    with pytest.raises(OSError, match="symbolic links"):
        export_folder.check(old.parent / "circle")
