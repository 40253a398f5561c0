"""Lock of a folder of the job's output, on a disk or in an object store.

Owns how a store that has no conditional writes keeps a lock: whoever finds none writes one, waits
for others that found none either, and reads whose was the last. A program that is held up for
longer than that between finding and writing still overwrites another's lock; the other ends at its
next renewal. Conditional requests were rejected: pyarrow has none.
"""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from pipeline.files.object_store import RemotePath
from pipeline.files.storage import AnyPath
from runtime import folder_lock

SETTLE_S = 1.0
"""Seconds within which two programs that found no lock in a store have both written theirs."""


@contextlib.contextmanager
def held(folder: AnyPath, *, lock: AnyPath, way_out: str) -> Iterator[None]:
    """Hold the lock of a folder within the block.

    Args:
      folder: what is locked, for the sentence.
      lock: the lock file, which must stay when the folder is removed or renamed.
      way_out: what to do instead of waiting.

    Raises:
      errors.UserError: if a program that is still running holds it, or the store does not answer.
      OSError: if the lock file cannot be written.
    """
    place = folder_lock.File(lock) if isinstance(lock, Path) else _StoreFile(lock)
    with folder_lock.held(folder, place, way_out=way_out):
        yield


def of_version(version: AnyPath) -> AnyPath:
    """Return the lock file of those that write a version: its builds and its conversion."""
    place = version if version.name else version.absolute()  # As where it is ".".
    return place.with_name(f".building-{place.name}.lock")


class _StoreFile:
    """A lock file in an object store: a folder_lock.Place."""

    beat_s = 10.0

    def __init__(self, path: RemotePath) -> None:
        self.path = path
        self.settle_s = SETTLE_S

    def create(self, content: bytes) -> bool:
        if self.read() is not None:
            return False
        self.renew(content)
        time.sleep(self.settle_s)
        return self.read() == content

    def read(self) -> bytes | None:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None

    def replace(self, content: bytes, *, dead: bytes) -> bool:
        if self.read() != dead:
            return False
        self.renew(content)
        return True

    def renew(self, content: bytes) -> None:
        self.path.write_text(content.decode())

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
