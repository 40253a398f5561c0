"""Atomic file replacement: a reader, or a program that starts after a crash, sees the old file or
the new one, never a part.

Owns the temporary name, the flushes and the rename. A fixed temporary name was rejected: two
processes that write the same file would write into each other's copy.
"""

import contextlib
import errno
import itertools
import os
import pathlib
import uuid
from collections.abc import Iterator
from typing import BinaryIO

from runtime import errors

TEMPORARY_PREFIX = "incomplete."
"""How temporary names begin; TFDS passes over such files (core/utils/file_utils.py)."""

_NOT_SUPPORTED = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)


def check_writable(folder: pathlib.Path) -> None:
    """Raise the OSError that writing into a folder would meet, before hours of work; make nothing.

    Where the folder does not exist yet, it is the nearest one above that has to allow it.
    """
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        number = errno.ENOTDIR
    elif os.statvfs(existing).f_flag & os.ST_RDONLY:
        number = errno.EROFS
    elif not os.access(existing, os.W_OK | os.X_OK):
        number = errno.EACCES
    else:
        return
    raise OSError(number, os.strerror(number), str(existing))


def replace(path: pathlib.Path, *, content: bytes) -> pathlib.Path:
    """Replace a file's content in one rename; return its path. The folder is made if necessary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path, size_bytes=len(content)) as file:
        file.write(content)
    return path


@contextlib.contextmanager
def writing(path: pathlib.Path, *, size_bytes: int = 0) -> Iterator[BinaryIO]:
    """Open a file to write; it gets its name when the block has ended without an error.

    Args:
      path: its name.
      size_bytes: its size, where it is known, to say what is needed if the disk is full.

    Raises:
      errors.FullDiskError: if the disk is full.
      OSError: if the system refuses, naming the path.
    """
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}.{path.name}")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            # Before the rename: after a power failure the new name must not refer to an empty file.
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        _discard(temporary)
        if error.errno is None or error.filename not in (None, str(temporary)):
            raise
        # A full disk names no file, and nobody knows the temporary one.
        if errors.is_full(error):
            full = errors.FullDiskError(error.errno, error.strerror, str(path))
            full.needed_bytes = size_bytes
            raise full from None
        raise OSError(error.errno, error.strerror, str(path)) from None
    except BaseException:
        _discard(temporary)
        raise
    flush(path.parent)


def set_aside(path: pathlib.Path) -> pathlib.Path:
    """Rename a damaged file, so that it is neither used nor lost; return its path."""
    names = (f"{path.name}.damaged{number or ''}" for number in itertools.count())
    kept = next(other for name in names if not (other := path.with_name(name)).exists())
    return path.rename(kept)


def _discard(temporary: pathlib.Path) -> None:
    """Remove a temporary file; that it was never made must not hide why."""
    with contextlib.suppress(OSError):
        temporary.unlink()


def flush(path: pathlib.Path) -> None:
    """Flush a file, or the entries of a folder, so that it survives a power failure."""
    # Not to wait for the writer of a named pipe that is in the place of a file.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:  # Some network file systems cannot flush a folder.
            raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        os.close(descriptor)
