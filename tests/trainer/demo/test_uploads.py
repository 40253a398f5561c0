"""Uploads of the demo page: removed as they are read or in time, and nothing else is read."""

import asyncio
import io
import os
import pathlib

import pytest

from affectnet_tfds import invalid_example
from trainer.demo import uploads


def added(received: uploads.Uploads, *contents: bytes) -> list[pathlib.Path]:
    async def add() -> list[str]:
        return [received.add(io.BytesIO(content)) for content in contents]

    return list(map(pathlib.Path, asyncio.run(add())))


def test_an_upload_is_gone_once_it_is_taken(tmp_path):
    received = uploads.Uploads(tmp_path)
    (path,) = added(received, b"bytes")
    assert str(path) in received and path.stat().st_mode & 0o777 == 0o600
    assert received.read(str(path)) == received.take(str(path)) == b"bytes"
    assert list(tmp_path.iterdir()) == [] and str(path) not in received
    with pytest.raises(invalid_example.InvalidExample) as gone:
        received.take(str(path))
    assert gone.value.reason == "the upload is gone, upload it again"


def test_the_same_content_twice_is_two_uploads(tmp_path):
    received = uploads.Uploads(tmp_path)
    first, second = added(received, b"bytes", b"bytes")
    assert received.take(str(first)) == received.take(str(second)) == b"bytes"


@pytest.mark.parametrize("path", ["{folder}/b.jpg", "{folder}/../b.jpg", "{folder}/link", ""])
def test_what_is_no_upload_is_neither_read_nor_removed(path, tmp_path):
    folder, secret = tmp_path / "uploads", tmp_path / "b.jpg"
    folder.mkdir()
    for file in (secret, folder / "b.jpg"):
        file.write_bytes(b"secret")
    (folder / "link").symlink_to(secret)
    received = uploads.Uploads(folder)
    (kept,) = added(received, b"bytes")
    with pytest.raises(
        invalid_example.InvalidExample, match="was not uploaded through this page, or was removed"
    ):
        received.take(path.format(folder=folder))
    assert sorted(folder.iterdir()) == sorted([folder / "b.jpg", folder / "link", kept])
    assert secret.exists()


def test_an_upload_that_is_never_read_is_removed_in_time(tmp_path):
    received = uploads.Uploads(tmp_path, kept_s=0.01)

    async def add_and_wait() -> str:
        path = received.add(io.BytesIO(b"bytes"))
        assert pathlib.Path(path).exists()
        while path in received:
            await asyncio.sleep(0.01)
        return path

    path = asyncio.run(asyncio.wait_for(add_and_wait(), 20))
    assert not pathlib.Path(path).exists()
    assert uploads.KEPT_S < 120


def test_an_upload_that_cannot_be_written_leaves_nothing(tmp_path):
    class Broken(io.BytesIO):
        def read(self, size=-1):
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output error"):
        asyncio.run(_add(uploads.Uploads(tmp_path), Broken()))
    assert list(tmp_path.iterdir()) == []


async def _add(received, content):
    return received.add(content)


def test_the_folder_of_uploads_is_its_users_alone_and_goes(monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", "elsewhere")
    with uploads.folder() as folder:
        assert os.environ["GRADIO_TEMP_DIR"] == str(folder)
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "a").touch()
    assert not folder.exists()
