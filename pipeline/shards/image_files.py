"""Image files: read ahead by threads, found whatever the case of their extension, and hashed."""

import functools
import hashlib
from collections.abc import Iterable, Iterator

from pipeline.files import storage
from pipeline.rows import annotations


def read_ahead(
    root: storage.AnyPath, paths: Iterable[str]
) -> Iterator[bytes | annotations.InvalidExample]:
    """Yield what `read` returns for every path, read by threads ahead of its use.

    Decoding keeps one core busy; without threads it would wait for every file.
    """
    threads = storage.read_threads(root)
    batch = storage.read_batch(root)
    return storage.ahead(
        functools.partial(read, root),
        paths,
        threads=threads,
        batch=batch,
        waiting=8 * threads // batch,
    )


def read(root: storage.AnyPath, path: str) -> bytes | annotations.InvalidExample:
    """Return an image file's bytes, or the defect that prevents reading it.

    Raises:
      object_store.Unreachable: if a store does not answer whether it is there.
    """
    for candidate in _spellings(root / path):
        try:
            return candidate.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            return annotations.InvalidExample("unreadable file", f"{error.strerror}: {path}")
    return annotations.InvalidExample(
        "no such file", f"the row names a file that is not there: {path}"
    )


def _spellings(path: storage.AnyPath) -> Iterator[storage.AnyPath]:
    yield path
    other_case = (path.with_suffix(path.suffix.lower()), path.with_suffix(path.suffix.upper()))
    yield from (spelt for spelt in other_case if spelt != path)
    yield from storage.namesakes(path)


def content_hash(content: bytes) -> str:
    """Return 128 bits of an image file's content, in hex."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()
