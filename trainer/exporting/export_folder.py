"""Export folder: its name, what marks it as an export, and how it is replaced as a whole.

Owns the rule that an export replaces an export or nothing: the old one is renamed, and removed once
the new one has its name. Loads no TensorFlow, so that a folder is refused before it is imported.
Replacing file by file, where a disk is mounted on the folder, was rejected: a process that is
killed would leave parts of two exports.
"""

import contextlib
import errno
import os
import pathlib
import re
import shutil
import sys
from collections.abc import Iterator

from runtime import atomic_file, errors, folder_lock

MANIFEST = "export.json"
"""File that every export holds: what was exported, in which format, and how it compared."""

_MOUNTS = pathlib.Path("/proc/self/mountinfo")


def check(folder: pathlib.Path) -> None:
    """Check that a folder may be written: it is new, empty or an export, and can be renamed.

    Raises:
      errors.UserError: if it is something else.
      OSError: if the folder above does not allow it.
    """
    target = _target(folder)
    if _is_mounted(target):
        raise errors.UserError(
            f"--output_dir must name a folder that can be replaced: a disk or volume is mounted on "
            f"{folder}; name a folder in it, such as {folder / 'export'}"
        )
    atomic_file.check_writable(target.parent)
    if not target.exists() or (target / MANIFEST).is_file():
        return
    if not target.is_dir() or any(target.iterdir()):
        raise errors.UserError(
            f"--output_dir must name a new folder or an export (with {MANIFEST}), which is "
            f"replaced: {folder} is neither; name a new folder"
        )


@contextlib.contextmanager
def replaced(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yield an empty folder, which replaces the one that is named at the end of the block.

    After an error in the block, what was there before stays. A link to a folder stays a link.

    Raises:
      errors.UserError: if another program is exporting into the folder.
    """
    target = _target(folder)
    lock = folder_lock.File(target.with_name(f".{target.name}{folder_lock.NAME}"))
    with folder_lock.held(folder, lock, way_out="name another folder (--output_dir)"):
        yield from _replaced(target)


def _target(folder: pathlib.Path) -> pathlib.Path:
    """Return the folder itself, where links and dots lead to it."""
    target = pathlib.Path(os.path.realpath(folder))
    if target.is_symlink():  # In a circle.
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(folder))
    return target


def _is_mounted(folder: pathlib.Path) -> bool:
    """Return whether something is mounted on a folder, from the same disk too (Linux)."""
    if os.path.ismount(folder):
        return True
    with contextlib.suppress(OSError):
        mounts = [line.split()[4] for line in _MOUNTS.read_bytes().splitlines()]
        unescaped = (re.sub(rb"\\(\d{3})", lambda m: bytes([int(m[1], 8)]), m) for m in mounts)
        return os.fsencode(folder) in unescaped
    return False


def _replaced(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    staged = folder.with_name(f".{folder.name}.part")
    _recover(folder)
    shutil.rmtree(staged, ignore_errors=True)  # Of a process that was killed.
    staged.mkdir(parents=True)
    try:
        yield staged
        _publish(staged, folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _publish(staged: pathlib.Path, folder: pathlib.Path) -> None:
    """Give a folder its name; what had it is removed then."""
    old = _aside(folder, len(_all_aside(folder)))
    with contextlib.suppress(FileNotFoundError):
        folder.rename(old)
    try:
        staged.rename(folder)
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            old.rename(folder)
        raise
    for path in _all_aside(folder):
        shutil.rmtree(path, ignore_errors=True)
        if path.exists():
            print(f"warning: {path}, an earlier export, could not be removed", file=sys.stderr)


def _recover(folder: pathlib.Path) -> None:
    """Give an export its name back that a process had renamed which was killed then."""
    if (aside := _all_aside(folder)) and not folder.exists():
        aside[-1].rename(folder)


def _all_aside(folder: pathlib.Path) -> list[pathlib.Path]:
    """Return earlier exports that were renamed, the last one last."""
    found: list[pathlib.Path] = []
    while (path := _aside(folder, len(found))).exists():
        found.append(path)
    return found


def _aside(folder: pathlib.Path, number: int) -> pathlib.Path:
    return folder.with_name(f".{folder.name}.old{number or ''}")
