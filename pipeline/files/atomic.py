"""How something that is being written becomes visible: a file, a version.

A disk has a rename that nobody can see half of (NFS too, within one folder): a file and a version
are written aside, synced and renamed. A store has no rename, but a file in it appears as a whole;
there the store copies a version's files into place, and those by which readers know a version come
last. Writing shards into their last place was rejected for stores: a version that is replaced would
be gone for as long as its successor is in the making.
"""

import contextlib
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

from pipeline.files import object_store
from pipeline.files.object_store import RemotePath
from pipeline.files.storage import AnyPath
from runtime import atomic_file

PUBLISHING_NOTE = "publishing"
"""In a store's staging folder from when the version's name is free until all is done: if there is a
version then, it is the one made here, and what is left of the staging folder may go."""


@contextlib.contextmanager
def writing(place: AnyPath) -> Iterator[IO[bytes]]:
    """Give a file to write; it has its name, whole, when the block has ended well."""
    if isinstance(place, RemotePath):
        with tempfile.TemporaryFile() as file:
            yield file
            file.seek(0)
            place.upload(file)
        return
    with atomic_file.writing(place) as file:
        yield file


def write_text(place: AnyPath, text: str) -> None:
    """Write a small file, so that a reader sees all of it or none."""
    with writing(place) as file:
        file.write(text.encode())


@contextlib.contextmanager
def on_disk(folder: AnyPath) -> Iterator[Path]:
    """Give a folder on a disk whose new files are in `folder` when the block has ended well."""
    if isinstance(folder, Path):
        yield folder
        return
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)
        for file in sorted(Path(made).iterdir()):
            with file.open("rb") as content:
                (folder / file.name).upload(content)


def copy(source: AnyPath, target: AnyPath) -> None:
    """Have a finished file under a second name, without copying its bytes through here."""
    if isinstance(source, RemotePath) and isinstance(target, RemotePath):
        source.copy_to(target)
    else:
        Path(str(target)).hardlink_to(str(source))


def remove_tree(folder: AnyPath) -> None:
    """Remove a folder and all in it, if it is there."""
    if isinstance(folder, RemotePath):
        folder.remove_tree()
    else:
        shutil.rmtree(folder, ignore_errors=True)


def remove_empty(folders: Iterable[AnyPath]) -> None:
    """Remove folders up to the first that holds something; a store has no empty ones."""
    for folder in folders:
        if isinstance(folder, RemotePath) or any(folder.iterdir()):
            return
        folder.rmdir()


def is_published(version: AnyPath, *, last: Sequence[str]) -> bool:
    """Tell whether a version is there: a folder on a disk, and in a store the file that is written
    last."""
    return (version / last[-1]).exists() if isinstance(version, RemotePath) else version.exists()


def publish(
    staging: AnyPath, version: AnyPath, *, leave: Callable[[str], bool], last: Sequence[str]
) -> None:
    """Make the files of a staging folder the version, in place of the one that may be there.

    Args: staging: the finished files, and some that only the making needed. version: where readers
      look. leave: by name, whether a file is of the latter. last: the files by which readers know
      that a version is there, in the order in which they appear.
    """
    if isinstance(staging, RemotePath) and isinstance(version, RemotePath):
        _publish_by_copies(staging, version, leave=leave, last=last)
    else:
        _publish_by_rename(Path(str(staging)), Path(str(version)), leave=leave)


def _publish_by_rename(staging: Path, version: Path, *, leave: Callable[[str], bool]) -> None:
    _remove(staging, leave)
    old = version.with_name(f".replaced-{uuid.uuid4().hex}")
    if version.exists():
        version.rename(old)
    staging.rename(version)
    _remove(
        version, leave
    )  # What a worker that was taken for dead wrote before the renaming; now it has no folder.
    shutil.rmtree(old, ignore_errors=True)


def _remove(folder: Path, leave: Callable[[str], bool]) -> None:
    for found in folder.iterdir():
        if leave(found.name):
            found.unlink(missing_ok=True)


def _publish_by_copies(
    staging: RemotePath, version: RemotePath, *, leave: Callable[[str], bool], last: Sequence[str]
) -> None:
    """Publish so that, at any moment, a reader sees the old version, or none, or the new one.

    What is staged stays until all is done, so that a publishing that was cut off can be done again.
    """
    names = [entry.name for entry in object_store.entries(staging) if not leave(entry.name)]
    names = [name for name in names if name != PUBLISHING_NOTE]
    for name in reversed(last):
        (version / name).unlink(missing_ok=True)
    version.remove_tree()
    (staging / PUBLISHING_NOTE).write_text("")
    object_store.each((staging / name, version / name) for name in names if name not in last)
    for name in last:
        (staging / name).copy_to(version / name)
    staging.remove_tree()


def clear_published(staging: AnyPath) -> None:
    """Remove what is left of the staging folder of a version that is there."""
    if isinstance(staging, RemotePath) and (staging / PUBLISHING_NOTE).exists():
        staging.remove_tree()
