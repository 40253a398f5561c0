"""Open files: reads parts of many files at any position, from any thread, keeping few of them open.

Owns the descriptors. Reads name their position (pread), so that threads and forked processes may
share a descriptor. Mapping the files was rejected: a disk that fails then ends the process by
SIGBUS, without a sentence, and every mapped shard keeps a descriptor.
"""

import collections
import os
import pathlib
import threading
from typing import BinaryIO

from runtime import errors

Stamp = tuple[int, ...]
"""What changes where a file is replaced by another."""

_MOST_OPEN = 512


class OpenFiles:
    """The files that were read last, kept open: no more than a share of `ulimit -n`."""

    def __init__(self, stamps: dict[pathlib.Path, Stamp]) -> None:
        """Read files that have these stamps (see `stamp`)."""
        self._stamps = stamps
        self._most = _most_open()
        self._lock = threading.Lock()
        # A file is closed when nothing refers to it: a thread that reads from it keeps it open.
        self._files: collections.OrderedDict[pathlib.Path, BinaryIO] = collections.OrderedDict()

    def read(self, path: pathlib.Path, *, start: int, length: int) -> bytes:
        """Return bytes of a file; any thread may call this.

        Raises:
          errors.UserError: if the file is another one now than the one that was stamped, or ends
            before them.
          OSError: with the file's path, if the disk does not let it be read.
        """
        with errors.naming(path):
            file = self._file(path)  # Referred to until it was read: another thread may drop it.
            content = self._read_at(file, start=start, length=length)
        if len(content) < length:
            raise replaced(path)
        return content

    def _read_at(self, file: BinaryIO, *, start: int, length: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(file.fileno(), length, start)
        with self._lock:  # Windows cannot read at a position.
            file.seek(start)
            return file.read(length)

    def _file(self, path: pathlib.Path) -> BinaryIO:
        with self._lock:
            file = self._files.get(path)
            if file is None:
                file = path.open("rb", buffering=0)
                if stamp(file) != self._stamps[path]:
                    raise replaced(path)
                self._files[path] = file
            self._files.move_to_end(path)
            if len(self._files) > self._most:
                self._files.popitem(last=False)
            return file


def stamp(file: BinaryIO) -> Stamp:
    """Return size and time of change of an open file; inodes change by themselves, too."""
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns


def _most_open() -> int:
    """Return how many shards of a split may be open at once."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows has no such limit.
        return _MOST_OPEN
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MOST_OPEN if allowed == resource.RLIM_INFINITY else min(_MOST_OPEN, 1 + allowed // 8)


def replaced(file: pathlib.Path) -> errors.UserError:
    """Return the sentence about a file that is another one now than when it was opened first."""
    return errors.UserError(
        f"{file} was replaced while it is read: wait until the build is finished, and give the "
        "same command again; trainer.main then says whether these are still the data of the run"
    )
