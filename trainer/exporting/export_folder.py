"""Export folder: its name, what marks it as an export, and how it is replaced as a whole.

Owns the rule that an export replaces an export or nothing. Loads no TensorFlow, so that a folder is
refused before it is imported.
"""

import contextlib
import pathlib
import shutil
from collections.abc import Iterator

from runtime import atomic_file, errors, folder_lock

MANIFEST = "export.json"
"""File that every export holds: what was exported, in which format, and how it compared."""


def check(folder: pathlib.Path) -> None:
    """Check that a folder may be written: it is new, empty or an export.

    Raises:
      errors.UserError: if it is something else.
      OSError: if the folder above does not allow it.
    """
    atomic_file.check_writable(folder.parent)
    if not folder.exists() or (folder / MANIFEST).is_file():
        return
    if not folder.is_dir() or any(folder.iterdir()):
        raise errors.UserError(
            f"--output_dir must name a new folder or an export (with {MANIFEST}), which is "
            f"replaced: {folder} is neither; name a new folder"
        )


@contextlib.contextmanager
def replaced(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yield an empty folder, which replaces the one that is named at the end of the block.

    After an error in the block, what was there before stays.

    Raises:
      errors.UserError: if another program is exporting into the folder.
    """
    lock = folder_lock.File(folder.with_name(f".{folder.name}{folder_lock.NAME}"))
    with folder_lock.held(folder, lock, way_out="name another folder (--output_dir)"):
        yield from _replaced(folder)


def _replaced(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    staged = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(staged, ignore_errors=True)  # Of a process that was killed.
    staged.mkdir(parents=True)
    try:
        yield staged
        shutil.rmtree(folder, ignore_errors=True)
        staged.replace(folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
