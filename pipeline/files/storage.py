"""Where the job's files are: on a disk (shared ones too), or in an object store.

A place on a disk is a plain pathlib.Path, so that nothing is slower for the stores' sake; a place
in a store is an object_store.RemotePath, which answers to the same methods. What truly differs is a
function here, where it is about finding and reading, or in commit.py, where it is about what
readers may see of something that is being written.
"""

import concurrent.futures
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

AnyPath = Path | RemotePath
AnyEntry = os.DirEntry[str] | object_store.Entry
Item = TypeVar("Item")
Result = TypeVar("Result")


def path(text: str) -> AnyPath:
    """Return the place that a flag names.

    Raises:
      errors.UserError: if it is a URL of a kind that is not known.
    """
    return object_store.parse(text) if "://" in text else Path(text).expanduser()


def absolute(place: AnyPath) -> AnyPath:
    """Return a place under a name that holds in any working folder: workers have others."""
    return place.absolute() if isinstance(place, Path) else place


def join(root: AnyPath, text: str) -> AnyPath:
    """Return a place relative to another, or the place itself where the text is a whole one."""
    return path(text) if "://" in text or text.startswith("/") else root / text


def relative(place: AnyPath, root: AnyPath) -> str:
    """Return a place as `join` finds it again: relative where it is below the root, else whole."""
    return str(place).removeprefix(f"{root}/")


def entries(folder: AnyPath) -> Iterable[AnyEntry]:
    """List a folder, in no order."""
    return object_store.entries(folder) if isinstance(folder, RemotePath) else os.scandir(folder)


def input_entries(folder: AnyPath) -> Iterable[AnyEntry]:
    """List a folder that does not change while the job runs: in a store, only once."""
    return object_store.remembered(folder) if isinstance(folder, RemotePath) else os.scandir(folder)


def forget_listings() -> None:
    """Let `input_entries` ask again."""
    object_store.remembered.cache_clear()


def files_below(root: AnyPath) -> Iterator[AnyPath]:
    """Yield the files below a folder, as they are met."""
    if isinstance(root, Path):
        yield from (found for found in root.rglob("*") if found.is_file())
        return
    folders = deque([root])
    while folders:
        folder = folders.popleft()
        for entry in object_store.remembered(folder):
            if entry.is_dir():
                folders.append(folder / entry.name)
            else:
                yield folder / entry.name


def namesakes(place: AnyPath) -> list[AnyPath]:
    """Return the files beside a place whose names differ from its own by the case of letters, or
    not at all."""
    folder, wanted = place.parent, place.name.lower()
    if isinstance(folder, Path):
        names = [found.name for found in folder.iterdir()] if folder.is_dir() else []
    else:
        names = [entry.name for entry in _listed_or_empty(folder)]
    return [folder / name for name in sorted(names) if name.lower() == wanted]


def _listed_or_empty(folder: RemotePath) -> list[object_store.Entry]:
    try:
        return object_store.remembered(folder)
    except FileNotFoundError:
        return []


def contents(
    folder: AnyPath, names: Iterable[str], *, at_most: int = -1
) -> Iterator[bytes | OSError]:
    """Yield what many small files hold, or why they cannot be read.

    Args:
      folder: where they are.
      names: their names.
      at_most: bytes of each (-1: all).

    Raises:
      object_store.Unreachable: if a store does not say whether one is there.
    """
    if isinstance(folder, Path):
        for name in names:
            try:
                with open(f"{folder}/{name}", "rb") as file:  # noqa: PTH123  # A Path for each of a million is slow.
                    yield file.read(at_most)
            except OSError as error:
                yield error
    else:
        yield from ahead(lambda name: _content(folder / name), names, threads=object_store.THREADS)


def _content(place: RemotePath) -> bytes | OSError:
    try:
        return place.read_bytes()
    except FileNotFoundError as error:
        return error


def read_threads(root: AnyPath, *, on_disk: int = 4) -> int:
    """Return how many files to read at a time: as many as the caller wants of a disk, more of a
    store."""
    return on_disk if isinstance(root, Path) else object_store.THREADS


def read_batch(root: AnyPath) -> int:
    """Return how many files a thread should read at once.

    On a disk, handing a file from one thread to another costs more than reading it; in a store,
    every file is a wait.
    """
    return 8 if isinstance(root, Path) else 1


def worth_skipping(place: AnyPath) -> int:
    """Return how many bytes of a file are better skipped than read; in a store, a request takes as
    long as so many."""
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
      read: what to do with an item, on a thread.
      items: what to do it with.
      threads: how many there are (1: this one reads, in turn).
      batch: items that a thread takes at once.
      waiting: batches that are read or being read, at most (two a thread).
    """
    if threads == 1:
        yield from map(read, items)
        return
    pool, queue = (
        concurrent.futures.ThreadPoolExecutor(threads),
        deque[concurrent.futures.Future[list[Result]]](),
    )
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
    """Return how often it is reasonable to look into a folder, or to write a word into it."""
    return 0.5 if isinstance(folder, Path) else 5.0


def processes(folder: AnyPath) -> BaseContext:
    """Return how to start processes that read from a folder: a store's connections do not live
    through a fork."""
    return multiprocessing.get_context(None if isinstance(folder, Path) else "spawn")
