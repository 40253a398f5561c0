"""Output disk: errors of the disk that a build is written to, in one sentence.

Owns what such an error means for the build: a disk that is full is told with the space that is
still needed, and one that was unmounted is not taken for a file that somebody deleted.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.files import storage
from runtime import errors, program


@contextlib.contextmanager
def explained(
    folder: storage.AnyPath,
    *,
    needed_bytes: int,
    is_counted: Callable[[str], bool] = lambda name: False,
) -> Iterator[None]:
    """Explain what ends the block where it comes of the disk of a folder.

    Args:
      folder: where the block writes; a store has no such errors.
      needed_bytes: about how much it writes there, with the counted files that are there already.
      is_counted: whether a file of this name is such a one.

    Raises:
      errors.UserError: if the folder is gone.
      errors.FullDiskError: if its disk is full.
    """
    try:
        yield
    except Exception as error:
        if isinstance(folder, Path):
            _check_is_there(folder, error)
            if isinstance(error, OSError) and errors.is_full(error):
                if program.is_of_stdout(error):
                    raise
                raise _no_room(folder, error, needed_bytes, is_counted) from error
        raise


def _check_is_there(folder: Path, error: Exception) -> None:
    try:
        folder.stat()
    except FileNotFoundError:
        raise errors.UserError(
            f"{folder} is gone, into which this build writes: if its disk was unmounted, mount it, "
            "and the same command continues"
        ) from error
    except OSError:
        return  # The disk answers with an error of its own, which is told.


def _no_room(
    folder: Path, error: OSError, needed_bytes: int, is_counted: Callable[[str], bool]
) -> OSError:
    full = errors.FullDiskError(error.errno, error.strerror, error.filename or str(folder))
    if isinstance(error, errors.FullDiskError):
        full.needed_bytes = error.needed_bytes
    with contextlib.suppress(OSError):
        sizes = [e.stat().st_size for e in storage.entries(folder) if is_counted(e.name)]
        full.needed_bytes = max(full.needed_bytes, needed_bytes - sum(sizes))
    return full
