"""Export folder: what may be replaced, and that it is replaced as a whole or not at all."""

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
