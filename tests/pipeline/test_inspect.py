"""The inspect program: what is there, what is recognised and why, and the first rows."""

import os

import pytest

from pipeline import config, inspect
from runtime import errors
from tests.pipeline.sources.conftest import put


def inspected(capsys, root, **given) -> str:
    assert inspect.run(config.JobConfig(input_dir=str(root), **given)) == 0
    return capsys.readouterr().out


def test_layout_rows_and_files_passed_over_are_shown(tmp_path, capsys):
    put(tmp_path, "train/happy/a.jpg", "train/happy/S1/b", "val/sad/c.jpg")
    put(tmp_path, "train/happy/clip.mp4", "train/sad/d.jpg", content="no image")
    text = inspected(capsys, tmp_path)
    assert "layout        2017 is not there: training.csv, validation.csv or " in text
    assert "layout        folders is there: class folders (happy or 1, below train and val)" in text
    assert "recognised    folders (AffectNet)\n" in text
    assert "train  happy       train/happy/S1/b   whole image  JPEG, 8 x 8" in text
    assert "train  sad         train/sad/d.jpg    whole image  not a picture: no known" in text
    assert "passed over   1 × .mp4 (such as train/happy/clip.mp4)" in text


def test_a_list_is_read_as_the_flags_say_and_rejects_have_their_reason(tmp_path, capsys):
    put(tmp_path, "a.jpg")
    put(tmp_path, "faces.csv", content="image,emotion\na.jpg,happy\nb.jpg,cheerful\nc.jpg,sad\n")
    text = inspected(capsys, tmp_path, csv="faces.csv")
    assert "list          faces.csv begins with image, emotion" in text
    assert "recognised    csv (AffectNet), as --csv says" in text
    assert "rejected: bad label  b.jpg" in text
    assert "no such file: the row names a file that is not there: c.jpg" in text


def test_a_list_that_cannot_be_read_is_named_and_does_not_end_it(tmp_path, capsys):
    put(tmp_path, "train/happy/a.jpg", "train/sad/b.jpg")
    (tmp_path / "notes.csv").write_bytes("image,label\n".encode("utf-16"))
    os.mkfifo(tmp_path / "pipe.csv")
    put(tmp_path, "x.csv", content="\x1b[2Jimage,label\n")
    text = inspected(capsys, tmp_path)
    assert "notes.csv cannot be read as one: " in text and " is in UTF-16, and must" in text
    assert "pipe.csv cannot be read as one: " in text and "it is a named pipe" in text
    assert "x.csv begins with \\x1b[2Jimage, label" in text
    assert "recognised    folders (AffectNet)\n" in text


def test_what_is_there_is_shown_before_the_refusal(tmp_path, capsys):
    put(tmp_path, "photos/a.jpg")
    put(tmp_path, "mine.csv", content="file,who\nphotos/a.jpg,me\n")
    with pytest.raises(errors.UserError, match="is no AffectNet release in a known layout"):
        inspect.run(config.JobConfig(input_dir=str(tmp_path)))
    text = capsys.readouterr().out
    assert "1 csv, 1 jpg in 2 folders" in text and "mine.csv begins with file, who" in text
