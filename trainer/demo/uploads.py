"""Uploads of the demo page: files of a private temporary folder, removed as they are read.

Owns the folder, made for one run of the program, readable by its user alone and removed at its
end; and the list of the files that may be read, which are those that were uploaded in this run.
Gradio's own upload was rejected: it names a file by its content, so that the same image sent twice
at once is one file, removed by the first answer; it leaves what is cut off; and what it reads
afterwards is whatever file a request names.
"""

import asyncio
import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import IO

from affectnet_tfds import invalid_example

KEPT_S = 100.0
"""Seconds after which an upload that nobody asked about is removed."""


@contextlib.contextmanager
def folder() -> Iterator[pathlib.Path]:
    """Make the folder, for as long as the block runs; whatever Gradio writes goes there too.

    Gradio must be imported inside the block, not before.
    """
    with tempfile.TemporaryDirectory(prefix="affectnet_faces_app_") as name:  # Mode 0700.
        os.environ["GRADIO_TEMP_DIR"] = name
        yield pathlib.Path(name)


class Uploads:
    """Files that were uploaded in this run and wait to be read, each once."""

    def __init__(self, folder: pathlib.Path, *, kept_s: float = KEPT_S) -> None:
        self._folder = folder
        self._kept_s = kept_s
        self._paths: set[str] = set()

    def __contains__(self, path: object) -> bool:
        return path in self._paths

    def add(self, content: IO[bytes]) -> str:
        """Write an upload to a file of its own, and return its path.

        It is removed when it is taken, or after `kept_s`. Called in the server's event loop.

        Raises:
          OSError: if it cannot be written; nothing is left of it.
        """
        descriptor, path = tempfile.mkstemp(dir=self._folder)  # Mode 0600.
        try:
            with os.fdopen(descriptor, "wb") as file:
                shutil.copyfileobj(content, file)
        except OSError:
            pathlib.Path(path).unlink()
            raise
        self._paths.add(path)
        asyncio.get_running_loop().call_later(self._kept_s, self._discard, path)
        return path

    def read(self, path: str) -> bytes:
        """Return the bytes of an upload.

        Raises:
          invalid_example.InvalidExample: if it is no upload of this run, or is gone.
        """
        try:
            if path in self._paths:
                return pathlib.Path(path).read_bytes()
        except OSError:
            pass
        raise invalid_example.InvalidExample(
            "the upload is gone, upload it again",
            "it was not uploaded through this page, or was removed already",
        )

    def take(self, path: str) -> bytes:
        """Return the bytes of an upload, and remove it.

        Raises:
          invalid_example.InvalidExample: as `read`.
        """
        try:
            return self.read(path)
        finally:
            self._discard(path)

    def _discard(self, path: str) -> None:
        if path in self._paths:
            self._paths.discard(path)
            pathlib.Path(path).unlink(missing_ok=True)
