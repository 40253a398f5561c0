"""Image files: read ahead by threads, found whatever the case of their extension, and hashed."""

import functools
import hashlib
import sys
from collections.abc import Iterable, Iterator, Sequence

from affectnet_tfds import image_codec
from pipeline.files import storage
from pipeline.rows import annotations, listed_pixels

NO_SUCH_FILE, UNREADABLE = "no such file", "unreadable file"

MAY_PASS = (NO_SUCH_FILE, UNREADABLE)
"""Reasons of rejects that say nothing of an image's content: the next look may find it."""


def read_ahead(
    root: storage.AnyPath, paths: Iterable[str], *, folders: Sequence[str], follow_links: bool
) -> Iterator[bytes | annotations.InvalidExample]:
    """Yield what `read` returns for every path, read by threads ahead of its use.

    Decoding keeps one core busy; without threads it would wait for every file.
    """
    threads = storage.read_threads(root)
    batch = storage.read_batch(root)
    return storage.ahead(
        functools.partial(read, root, folders=folders, follow_links=follow_links),
        paths,
        threads=threads,
        batch=batch,
        waiting=8 * threads // batch,
    )


def read(
    root: storage.AnyPath,
    path: str,
    *,
    folders: Sequence[str] = (),
    follow_links: bool = False,
) -> bytes | annotations.InvalidExample:
    """Return an image file's bytes, or the defect that prevents reading it.

    Args:
      root: of the release.
      path: of the image file, relative to the root; or of pixels in a list (listed_pixels).
      folders: those of the release that held files when the build began
        (base.Release.folders), relative to the root.
      follow_links: whether links may lead out of the root.

    Raises:
      object_store.Unreachable: if a store does not answer whether it is there.
      OSError: if the disk fails.
      errors.UserError: if one of the folders is gone, and the file with it.
    """
    within = "" if follow_links else str(root)
    listed = listed_pixels.parse(path)
    at_most = (
        sys.maxsize if listed else image_codec.MAX_FILE_BYTES
    )  # A list was checked when it was surveyed.
    for candidate in _spellings(root / (listed.file if listed else path)):
        try:
            storage.check_input(candidate, at_most=at_most, within=within)
            return _listed(candidate, listed) if listed else candidate.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            storage.check_is_of_file(error, candidate)
            return annotations.InvalidExample(UNREADABLE, f"{error.strerror}: {path}")
    for folder in folders:
        if path.startswith(f"{folder}/") or not folder:
            storage.check_is_there(root / folder)
    return annotations.InvalidExample(
        NO_SUCH_FILE, f"the row names a file that is not there: {path}"
    )


def _listed(
    file: storage.AnyPath, listed: listed_pixels.Field
) -> bytes | annotations.InvalidExample:
    """Return the image whose pixels are a field of a list."""
    with file.open("rb") as opened:
        opened.seek(listed.start)
        return listed_pixels.as_image(opened.read(listed.stop - listed.start))


def _spellings(path: storage.AnyPath) -> Iterator[storage.AnyPath]:
    yield path
    other_case = (path.with_suffix(path.suffix.lower()), path.with_suffix(path.suffix.upper()))
    yield from (spelt for spelt in other_case if spelt != path)
    yield from storage.namesakes(path)


def content_hash(content: bytes) -> str:
    """Return 128 bits of an image file's content, in hex."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()
