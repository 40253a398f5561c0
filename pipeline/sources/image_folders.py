"""Folders of one small file a picture: listed once, in an order that does not depend on the disk.

A row is a picture or an annotation; either may lack the other, which the reader, or the writing of
shards, rejects.
"""

import hashlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

from pipeline.files import storage
from pipeline.rows import annotations
from pipeline.sources import base, folder_walk

DEFAULT_KIND = ".jpg"
"""The extension of a picture that is not there."""


class Pair(NamedTuple):
    """A folder of pictures and the folder of their annotations, relative to the release's root."""

    images: str
    annotations: str


class Listing(NamedTuple):
    """Names of pictures, sorted, and a digest of these and of the names and sizes of their
    annotations."""

    names: tuple[str, ...]
    digest: str


def pairs_of(
    folders: Iterable[folder_walk.Folder], *, images: str, annotations: str
) -> dict[str, Pair]:
    """Return every folder, relative, that has both a folder of pictures and one of annotations."""
    known = list(folders)
    found = {}
    for folder in known:
        pictures = folder_walk.child(known, folder.relative, images)
        notes = folder_walk.child(known, folder.relative, annotations)
        if pictures and notes:
            found[folder.relative] = Pair(pictures.relative, notes.relative)
    return found


def paired(root: str, pair: Pair, *, stem_of: Callable[[str], str | None]) -> Listing:
    """List pictures together with the annotations that lie in another folder.

    Args:
      stem_of: an annotation file's name → the stem of its picture's name; None for any other file.
    """
    annotated, sizes = set(), []
    for entry in _entries(root, pair.annotations):
        if (found := stem_of(entry.name)) is not None:
            annotated.add(found)
            sizes.append(f"{entry.name}\0{entry.stat().st_size}")
    pictures = pictures_in(root, pair.images)
    without = annotated - {stem(name) for name in pictures}
    names = sorted([*pictures, *(name + DEFAULT_KIND for name in without)])
    return Listing(tuple(names), digest([*names, *sorted(sizes)]))


def pictures_in(root: str, folder: str) -> list[str]:
    """Return the names of the pictures in a folder, sorted."""
    return sorted(
        entry.name for entry in _entries(root, folder) if folder_walk.is_picture(entry.name)
    )


def digest(lines: Iterable[str]) -> str:
    """Return a digest of lines, as they are ordered."""
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def stem(name: str) -> str:
    """Return a file's name without its extension."""
    return name.rpartition(".")[0] or name


def reject(place: annotations.Place, name: str, reason: str, detail: str) -> annotations.Reject:
    """Reject a picture whose annotation cannot be read."""
    return annotations.Reject(
        place.split, place.subset, f"{place.images}/{name}", -1, reason, detail, place.source
    )


def place_of(table: base.Table, name: str, *, prefix: str) -> annotations.Place:
    """Return where a picture of a folder stands."""
    return annotations.Place(
        table.split, table.subset, table.images, prefix, f"{table.images}/{name}".lstrip("/")
    )


def _entries(root: str, folder: str) -> Iterable[storage.AnyEntry]:
    return storage.input_entries(storage.path(root) / folder)
