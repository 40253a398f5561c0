"""Uploads of the demo page: removed as they are read, and nothing else is read or removed."""

import os
import pathlib

import pytest

from affectnet_tfds import invalid_example
from trainer.demo import uploads


def upload(folder, content: bytes = b"bytes") -> pathlib.Path:
    path = folder / "0f3a" / "a.jpg"
    path.parent.mkdir()
    path.write_bytes(content)
    return path


def test_an_upload_is_gone_once_it_is_read(tmp_path):
    path = upload(tmp_path)
    assert uploads.take(str(path), folder=tmp_path) == b"bytes"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(
        invalid_example.InvalidExample, match="was removed already; upload it again"
    ):
        uploads.take(str(path), folder=tmp_path)


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "{folder}/0f3a/../../secret/b.jpg", "{folder}/0f3a", "{folder}/link/b.jpg"],
)
def test_what_is_no_upload_is_neither_read_nor_removed(path, tmp_path):
    folder, secret = tmp_path / "uploads", tmp_path / "secret"
    folder.mkdir()
    secret.mkdir()
    (secret / "b.jpg").write_bytes(b"secret")
    (folder / "link").symlink_to(secret)
    kept = upload(folder)
    with pytest.raises(invalid_example.InvalidExample, match="was not uploaded through this page"):
        uploads.take(path.format(folder=folder), folder=folder)
    assert kept.exists() and (secret / "b.jpg").exists()


def test_the_folder_of_uploads_is_its_users_alone_and_goes(monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", "elsewhere")
    with uploads.folder() as folder:
        assert os.environ["GRADIO_TEMP_DIR"] == str(folder)
        assert folder.stat().st_mode & 0o777 == 0o700
        upload(folder)
    assert not folder.exists()
