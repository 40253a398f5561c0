"""Uploads of the demo page: a private temporary folder, whose files are removed as they are read.

Owns the folder that Gradio writes uploads to: made for one run of the program, readable by its user
alone, and removed at its end. Receiving images in memory was rejected: Gradio's upload, camera and
clipboard could not be used.
"""

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

from affectnet_tfds import invalid_example


@contextlib.contextmanager
def folder() -> Iterator[pathlib.Path]:
    """Make Gradio's folder, for as long as the block runs.

    Gradio must be imported inside the block, not before.
    """
    with tempfile.TemporaryDirectory(prefix="affectnet_faces_app_") as name:  # Mode 0700.
        os.environ["GRADIO_TEMP_DIR"] = name
        yield pathlib.Path(name)


def take(path: str, *, folder: pathlib.Path) -> bytes:
    """Return the bytes of an upload, and remove it with the folder that Gradio made for it.

    Raises:
      invalid_example.InvalidExample: if it is no upload, or is gone.
    """
    file = pathlib.Path(path).resolve()
    if file.parent.parent != folder.resolve():
        raise invalid_example.InvalidExample("no upload", "it was not uploaded through this page")
    try:
        return file.read_bytes()
    except OSError:
        raise invalid_example.InvalidExample(
            "upload gone", "it was removed already; upload it again"
        ) from None
    finally:
        shutil.rmtree(file.parent, ignore_errors=True)
