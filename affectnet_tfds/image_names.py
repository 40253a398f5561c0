"""Image files in folders: told by the endings of their names, and others by their first bytes.

Owns the one definition for the job, predict and all that read a folder. Going by the ending alone
was rejected: pictures from the web end in .jpg_large, .heic or nothing, and were never looked at.
"""

import re

ENDINGS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif",
)  # fmt: skip
"""Endings of image files, in any case."""

HEAD_BYTES = 16
"""Bytes of a file that `begins_as_image` looks at."""

_BEGINNING = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|BM.{4}\0{4}|II\*\0|MM\0\*|GIF8[79]a|RIFF.{4}WEBP", re.DOTALL
)


def ends_as_image(name: str) -> bool:
    """Tell by its name whether a file is taken for an image, whatever it holds."""
    return name.lower().endswith(ENDINGS) and not is_of_system(name)


def begins_as_image(head: bytes) -> bool:
    """Tell by its first bytes whether a file is of a format that is read."""
    return _BEGINNING.match(head) is not None


def is_of_system(name: str) -> bool:
    """Tell whether macOS or Windows made a file or folder of this name, beside the user's own."""
    return name.startswith("._") or name in ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")
