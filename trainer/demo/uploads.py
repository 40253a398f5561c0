"""Pictures that a browser sends, which nobody keeps.

Owns the folder that Gradio writes them to on their way here: made for one run of the program,
readable by its user alone, and removed at its end. A picture lies in it from its upload until it
has been read, which is when it is looked at. Receiving pictures in memory was rejected: it takes
the upload, the camera and the clipboard out of Gradio's hands.
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
    """Make Gradio's folder, for as long as the block runs. Gradio must be imported inside the
    block, not before."""
    with tempfile.TemporaryDirectory(prefix="affectnet_faces_app_") as name:  # Mode 0700.
        os.environ["GRADIO_TEMP_DIR"] = name
        yield pathlib.Path(name)


def take(path: str, *, folder: pathlib.Path) -> bytes:
    """Return the bytes of an upload, and remove it, with the folder of its own that Gradio gave it.

    Raises:
      invalid_example.InvalidExample: if it is no upload, or there no more.
    """
    place, uploads = pathlib.Path(path).resolve(), folder.resolve()
    if place.parent.parent != uploads:
        raise invalid_example.InvalidExample(
            "no upload", "the picture did not come through this page"
        )
    try:
        return place.read_bytes()
    except OSError:
        raise invalid_example.InvalidExample(
            "upload gone", "the picture is not here any more; give it once again"
        ) from None
    finally:
        shutil.rmtree(place.parent, ignore_errors=True)
