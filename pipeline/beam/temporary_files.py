"""Temporary files of Beam: a folder that goes when the program ends, or when a later one begins.

Owns whose folder is whose: a program holds a lock in its own, which the system releases however it
ends, so that the next one removes what a killed one has left. The number of the process in the
folder's name was rejected: containers that share a disk have the same numbers.
"""

import atexit
import contextlib
import functools
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

_PREFIX = "affectnet_faces_"
_LOCK = "in_use"


@contextlib.contextmanager
def used() -> Iterator[None]:
    """Give Beam a temporary folder that is removed at exit: it leaves files of each pipeline.

    It cannot be removed earlier: Beam's job servers use it until the program ends.
    """
    before = tempfile.tempdir
    tempfile.tempdir = str(folder_until_exit())
    try:
        yield
    finally:
        tempfile.tempdir = before


@functools.cache
def folder_until_exit() -> pathlib.Path:
    """Return the folder of this program, which is made by the first call."""
    remove_abandoned(pathlib.Path(tempfile.gettempdir()))
    folder = pathlib.Path(tempfile.mkdtemp(prefix=_PREFIX))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    descriptor = os.open(folder / "lock", os.O_CREAT | os.O_RDWR)  # Open until the program ends.
    if _is_locked_now(descriptor):
        (folder / "lock").rename(folder / _LOCK)  # It has this name only while it is locked.
    return folder


def remove_abandoned(parent: pathlib.Path) -> None:
    """Remove the folders of programs that were killed."""
    for lock in parent.glob(f"{_PREFIX}*/{_LOCK}"):
        try:
            descriptor = os.open(lock, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
        except OSError:  # Another user's, or gone meanwhile.
            continue
        try:
            if _is_locked_now(descriptor):
                shutil.rmtree(lock.parent, ignore_errors=True)
        finally:
            os.close(descriptor)


def _is_locked_now(descriptor: int) -> bool:
    """Lock a file, and return whether it was free; on Windows no file is ever free."""
    try:
        import fcntl  # Here: Windows has none.

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True
