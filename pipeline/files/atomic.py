"""Atomic writes: files and versions that readers see whole or not at all, on disks and in stores.

A disk has an atomic rename (NFS too, within one folder): a file and a version are written under
another name, synced and renamed. An object store has no rename, but a file in it appears as a
whole; there the store copies a version's files to their final names, and the files by which readers
recognise a version come last. Writing shards under their final names was rejected for stores: a
version that is replaced would be missing for as long as its successor is being made.
"""

import contextlib
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from pipeline.files import object_store
from pipeline.files.object_store import RemotePath
from pipeline.files.storage import AnyPath
from runtime import atomic_file

PUBLISHING_NOTE = "publishing"
"""File in a store's staging folder while its version is published.

If there is a version at that time, it is the one made here, and the rest of the staging folder may
be removed.
"""


_REPLACED = ".replaced-"
"""How the name begins of a version that is being replaced, on a disk."""


@contextlib.contextmanager
def writing(place: AnyPath, *, size_bytes: int = 0) -> Iterator[IO[bytes]]:
    """Open a file to write; it gets its name when the block has ended without an error.

    Args:
      place: its name.
      size_bytes: its size, where it is known, to say what is needed if the disk is full.
    """
    if isinstance(place, RemotePath):
        with tempfile.TemporaryFile() as file:
            yield file
            file.seek(0)
            place.upload(file)
        return
    with atomic_file.writing(place, size_bytes=size_bytes) as file:
        yield file


def write_text(place: AnyPath, text: str) -> None:
    """Write a small text file atomically, as UTF-8."""
    content = text.encode()
    with writing(place, size_bytes=len(content)) as file:
        file.write(content)


@contextlib.contextmanager
def on_disk(folder: AnyPath) -> Iterator[Path]:
    """Yield a folder on a disk, whose files are in `folder` after the block."""
    if isinstance(folder, Path):
        yield folder
        return
    with tempfile.TemporaryDirectory() as local:
        yield Path(local)
        for file in sorted(Path(local).iterdir()):
            with file.open("rb") as content:
                (folder / file.name).upload(content)


def copy(source: AnyPath, target: AnyPath) -> None:
    """Give a finished file a second name: a hard link, or a copy made by the store itself."""
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


def is_published(version: AnyPath, *, last: Sequence[str]) -> bool:
    """Return whether a version is published: its folder, or in a store its last file, exists."""
    return (version / last[-1]).exists() if isinstance(version, RemotePath) else version.exists()


def publish(
    staging: AnyPath, version: AnyPath, *, leave: Callable[[str], bool], last: Sequence[str]
) -> None:
    """Publish the files of a staging folder as the version, in place of an older one.

    Args:
      staging: the finished files, and working files.
      version: folder that readers open.
      leave: whether a file of this name is a working file, which is not published.
      last: the files by which readers recognise a version, in the order in which they appear.
    """
    if isinstance(staging, RemotePath) and isinstance(version, RemotePath):
        _publish_by_copies(staging, version, leave=leave, last=last)
    else:
        _publish_by_rename(Path(str(staging)), Path(str(version)), leave=leave)


def _publish_by_rename(staging: Path, version: Path, *, leave: Callable[[str], bool]) -> None:
    _remove(staging, leave)
    for file in staging.iterdir():
        atomic_file.flush(file)  # Before the rename, as for single files.
    atomic_file.flush(staging)
    old = version.with_name(f"{_REPLACED}{uuid.uuid4().hex}")
    if version.exists():
        version.rename(old)
    staging.rename(version)
    atomic_file.flush(version.parent)
    # Again: a worker that was taken for dead may have written before the rename; now its folder is
    # gone.
    _remove(version, leave)
    shutil.rmtree(old, ignore_errors=True)


def _remove(folder: Path, leave: Callable[[str], bool]) -> None:
    for file in folder.iterdir():
        if leave(file.name):
            file.unlink(missing_ok=True)


def _publish_by_copies(
    staging: RemotePath, version: RemotePath, *, leave: Callable[[str], bool], last: Sequence[str]
) -> None:
    """Publish so that a reader sees the old version, or none, or the new one, at any time.

    Staged files stay until the end, so that an interrupted publication can be repeated.
    """
    names = [entry.name for entry in object_store.entries(staging) if not leave(entry.name)]
    names = [name for name in names if name != PUBLISHING_NOTE]
    # Readers recognise the old version by these, so they go before its other files.
    for name in reversed(last):
        (version / name).unlink(missing_ok=True)
    version.remove_tree()
    (staging / PUBLISHING_NOTE).write_text("")
    object_store.each((staging / name, version / name) for name in names if name not in last)
    for name in last:
        (staging / name).copy_to(version / name)
    staging.remove_tree()


def is_mended(staging: AnyPath, version: AnyPath) -> bool:
    """Return whether no publication of this version was interrupted."""
    if isinstance(staging, RemotePath):
        return not (staging / PUBLISHING_NOTE).exists()
    return not list(version.parent.glob(f"{_REPLACED}*"))


def mend(staging: AnyPath, version: AnyPath, *, last: Sequence[str]) -> None:
    """Restore or remove what an interrupted publication has left; under the build's lock only.

    A version that was moved aside, and whose successor did not come, gets its name back.
    """
    if isinstance(staging, RemotePath):
        if is_published(version, last=last) and (staging / PUBLISHING_NOTE).exists():
            staging.remove_tree()
        return
    for old in version.parent.glob(f"{_REPLACED}*"):
        if version.exists():
            remove_tree(old)
        else:
            Path(str(old)).rename(str(version))
