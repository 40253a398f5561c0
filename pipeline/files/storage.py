"""Storage paths: finding, listing and reading files on disks (shared ones too) and in stores.

A path on a disk is a plain pathlib.Path, so that nothing is slower for the stores' sake; a path in
a store is an object_store.RemotePath, which has the same methods. Where disks and stores differ,
there is a function here for finding and reading, or in atomic.py for writing.
"""

import concurrent.futures
import contextlib
import itertools
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import TypeVar

from pipeline.files import object_store
from pipeline.files.object_store import RemotePath
from runtime import errors, untrusted

AnyPath = Path | RemotePath
AnyEntry = os.DirEntry[str] | object_store.Entry
Item = TypeVar("Item")
Result = TypeVar("Result")


def path(text: str) -> AnyPath:
    """Return the path that a flag names.

    Raises:
      errors.UserError: if it is a URL of an unknown kind.
    """
    return object_store.parse(text) if "://" in text else Path(text).expanduser()


def absolute(place: AnyPath) -> AnyPath:
    """Return an absolute path: workers have other working folders."""
    return place.absolute() if isinstance(place, Path) else place


def join(root: AnyPath, text: str) -> AnyPath:
    """Return a path relative to another, or the path itself if it is absolute."""
    return path(text) if "://" in text or text.startswith("/") else root / text


def relative(place: AnyPath, root: AnyPath) -> str:
    """Return the text that `join` takes: relative to the root if below it, else absolute."""
    return str(place).removeprefix(f"{root}/")


def entries(folder: AnyPath) -> Iterable[AnyEntry]:
    """List a folder, in no order."""
    return object_store.entries(folder) if isinstance(folder, RemotePath) else os.scandir(folder)


def input_entries(folder: AnyPath) -> Iterable[AnyEntry]:
    """List a folder that does not change while the job runs; a store is asked only once."""
    return object_store.remembered(folder) if isinstance(folder, RemotePath) else os.scandir(folder)


def forget_listings() -> None:
    """Clear the cache of `input_entries`."""
    object_store.remembered.cache_clear()


def is_folder(entry: AnyEntry) -> bool:
    """Return whether an entry of a folder is a folder; a link to itself is none."""
    try:
        return entry.is_dir()
    except OSError as error:
        if errors.is_of_one_file(error):
            return False
        raise


def size_of(entry: AnyEntry) -> int:
    """Return the size of a file in bytes; -1 for a link that leads nowhere."""
    try:
        return entry.stat().st_size
    except OSError as error:
        if errors.is_of_one_file(error):
            return -1
        raise


def leads_out(entry: AnyEntry, within: str) -> bool:
    """Return whether an entry is a link out of a folder."""
    return (
        isinstance(entry, os.DirEntry)
        and entry.is_symlink()
        and not untrusted.is_inside(entry.path, within)
    )


def leads_up(entry: AnyEntry) -> bool:
    """Return whether an entry is a link to a folder that it is in, whose files come anyway."""
    if not isinstance(entry, os.DirEntry) or not entry.is_symlink():
        return False
    above = os.path.realpath(os.path.dirname(entry.path))  # noqa: PTH120
    return f"{above}/".startswith(f"{os.path.realpath(entry.path)}/")


def files_below(root: AnyPath) -> Iterator[AnyPath]:
    """Yield the files below a folder, in no order."""
    if isinstance(root, Path):
        yield from (path for path in root.rglob("*") if path.is_file())
        return
    folders = deque([root])
    while folders:
        folder = folders.popleft()
        for entry in object_store.remembered(folder):
            if entry.is_dir():
                folders.append(folder / entry.name)
            else:
                yield folder / entry.name


@contextlib.contextmanager
def naming(place: AnyPath) -> Iterator[None]:
    """Name the file in a system's error that names none: one of reading or writing an open file."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(place)) from error


def check_is_of_file(error: OSError, place: AnyPath) -> None:
    """Check that an error of reading a file says something of it, and not that its disk failed.

    Raises:
      OSError: the error, with the file's path, if it does not.
    """
    if not errors.is_of_one_file(error):
        with naming(place):
            raise error


def holds_something(folder: Path) -> bool:
    """Return whether a folder is there and not empty: an unmounted disk leaves an empty one."""
    try:
        with os.scandir(folder) as found:
            return any(True for _ in found)
    except (FileNotFoundError, NotADirectoryError):
        return False


def check_is_there(folder: AnyPath) -> None:
    """Check that a folder of the input, which held files when the build began, still does.

    A store is not asked: it raises Unreachable where it does not answer.

    Raises:
      errors.UserError: if it is gone.
    """
    if isinstance(folder, Path) and not holds_something(folder):
        raise errors.UserError(
            f"{folder} is gone or empty, and held files when the build began; when it is back, the "
            "same command continues"
        )


def namesakes(place: AnyPath) -> list[AnyPath]:
    """Return the files beside a path whose names are equal to its own, ignoring case."""
    folder = place.parent
    wanted = place.name.lower()
    if isinstance(folder, Path):
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    else:
        names = [entry.name for entry in _listed_or_empty(folder)]
    return [folder / name for name in sorted(names) if name.lower() == wanted]


def _listed_or_empty(folder: RemotePath) -> list[object_store.Entry]:
    try:
        return object_store.remembered(folder)
    except FileNotFoundError:
        return []


def check_input(place: AnyPath, *, at_most: int, within: str = "") -> None:
    """Check a file of the input before it is opened (untrusted.check); a store has plain ones only.

    Raises:
      OSError: if it is no regular file of at most so many bytes, or leads out of the input.
    """
    if isinstance(place, Path):
        untrusted.check(place, at_most=at_most, within=within)


def content(place: AnyPath, *, at_most: int = untrusted.LIST_BYTES) -> bytes:
    """Return the content of a file that the job wrote, and that may have been changed since.

    Raises:
      OSError: naming the file, if it is no regular file of at most so many bytes, or unreadable.
    """
    check_input(place, at_most=at_most)
    with naming(place):
        return place.read_bytes()


def contents(
    folder: AnyPath,
    names: Iterable[str],
    *,
    at_most: int = untrusted.ANNOTATION_BYTES,
    within: str = "",
) -> Iterator[bytes | OSError]:
    """Yield the content of many small files, or the error why one cannot be read.

    Args:
      folder: the files' folder.
      names: their names, which are in it.
      at_most: bytes of each; a larger one is not read.
      within: folder that no link may lead out of; "": links may lead anywhere.

    Raises:
      object_store.Unreachable: if a store does not answer whether one is there.
      OSError: if the disk fails.
      errors.UserError: if the folder is gone.
    """
    if isinstance(folder, Path):
        for name in names:
            try:
                # Not Path.open: a Path for each of a million files is slow.
                untrusted.check(f"{folder}/{name}", at_most=at_most, within=within)
                with open(f"{folder}/{name}", "rb") as file:  # noqa: PTH123
                    content: bytes | OSError = file.read(at_most)
            except OSError as error:
                check_is_of_file(error, folder / name)
                if isinstance(error, FileNotFoundError):
                    check_is_there(folder)
                content = error
            yield content
    else:
        yield from ahead(lambda name: _content(folder / name), names, threads=object_store.THREADS)


def _content(place: RemotePath) -> bytes | OSError:
    try:
        return place.read_bytes()
    except FileNotFoundError as error:
        return error


def read_threads(root: AnyPath, *, on_disk: int = 4) -> int:
    """Return how many files to read at a time: `on_disk` from a disk, more from a store."""
    return on_disk if isinstance(root, Path) else object_store.THREADS


def read_batch(root: AnyPath) -> int:
    """Return how many files a thread should read before it hands them over.

    On a disk, handing over a file costs more than reading it; in a store, every file is a wait.
    """
    return 8 if isinstance(root, Path) else 1


def worth_skipping(place: AnyPath) -> int:
    """Return the gap in bytes from which a second read is quicker than reading the gap."""
    return 4 << 10 if isinstance(place, Path) else 64 << 10


def ahead(
    read: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    threads: int,
    batch: int = 1,
    waiting: int | None = None,
) -> Iterator[Result]:
    """Yield read(item) for every item, in order, read by threads ahead of their use.

    Args:
      read: called with an item, on a thread.
      items: its arguments.
      threads: number of threads (1: the caller's own).
      batch: items that a thread takes at once.
      waiting: most batches that are read or being read (two a thread).
    """
    if threads == 1:
        yield from map(read, items)
        return
    pool = concurrent.futures.ThreadPoolExecutor(threads)
    queue = deque[concurrent.futures.Future[list[Result]]]()
    remaining = iter(items)
    try:
        while group := list(itertools.islice(remaining, batch)):
            queue.append(pool.submit(lambda group: [read(item) for item in group], group))
            if len(queue) >= (waiting or 2 * threads):
                yield from queue.popleft().result()
        while queue:
            yield from queue.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def poll_seconds(folder: AnyPath) -> float:
    """Return the seconds between two looks into a folder, or two progress reports."""
    return 0.5 if isinstance(folder, Path) else 5.0


def processes(folder: AnyPath) -> BaseContext:
    """Return how to start processes that read from a folder: forks break a store's connections."""
    return multiprocessing.get_context(None if isinstance(folder, Path) else "spawn")
