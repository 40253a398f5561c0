"""Folders with one small annotation file an image, listed once and sorted.

A row is an image or an annotation; either may lack the other, which is then rejected by the reader
or while shards are written.
"""

import hashlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

from pipeline.files import storage
from pipeline.rows import annotations
from pipeline.sources import base, folder_walk, passed_over

DEFAULT_KIND = ".jpg"
"""Extension given to an image that is missing."""


class Pair(NamedTuple):
    """A folder of images and the folder of their annotations, relative to the release's root."""

    images: str
    annotations: str


class Listing(NamedTuple):
    """Image names, sorted, and a digest of them and of the annotations' names and sizes."""

    names: tuple[str, ...]
    digest: str


def pairs_of(
    folders: Iterable[folder_walk.Folder], *, images: str, annotations: str
) -> dict[str, Pair]:
    """Return every folder, relative, that has both a folder of images and one of annotations."""
    known = list(folders)
    pairs = {}
    for folder in known:
        image_folder = folder_walk.child(known, folder.relative, images)
        annotation_folder = folder_walk.child(known, folder.relative, annotations)
        if image_folder and annotation_folder:
            pairs[folder.relative] = Pair(image_folder.relative, annotation_folder.relative)
    return pairs


def folders_of(pairs: Iterable[Pair]) -> list[str]:
    """Return the folders of pairs."""
    return [folder for pair in pairs for folder in pair]


def paired(
    root: str,
    pair: Pair,
    *,
    stem_of: Callable[[str], str | None],
    tally: passed_over.Tally,
) -> Listing:
    """List images together with the annotations in another folder.

    Args:
      root: of the release.
      pair: the two folders.
      stem_of: an annotation file's name → the stem of its image's name; None for any other file.
      tally: counts the files that are neither.
    """
    annotated = set()
    sizes = []
    for entry in _entries(root, pair.annotations):
        if (annotated_stem := stem_of(entry.name)) is not None:
            annotated.add(annotated_stem)
            sizes.append(f"{entry.name}\0{storage.size_of(entry)}")
        else:
            _pass_over(f"{pair.annotations}/{entry.name}", entry, tally=tally)
    images = tally.images_below(pair.images, nested=False)
    without_image = annotated - {stem(name) for name in images}
    names = sorted([*images, *(name + DEFAULT_KIND for name in without_image)])
    return Listing(tuple(names), digest([*names, *sorted(sizes)]))


def _pass_over(path: str, entry: storage.AnyEntry, *, tally: passed_over.Tally) -> None:
    """Count a file that is no annotation, or the files of a folder among the annotations."""
    if not storage.is_folder(entry):
        tally.add(path)
        return
    for below in tally.files_below(path):
        tally.add(below)


def digest(lines: Iterable[str]) -> str:
    """Return a digest of lines in their order."""
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def stem(name: str) -> str:
    """Return a file's name without its extension."""
    return name.rpartition(".")[0] or name


def without_extension(name: str, extension: str) -> str | None:
    """Return the stem of a file with this extension, or None for any other file."""
    if not name.endswith(extension):
        return None
    return name.removesuffix(extension)


def reject(place: annotations.Place, name: str, reason: str, detail: str) -> annotations.Reject:
    """Reject an image whose annotation cannot be read.

    Reason and detail are published in rejects.csv: another wording gives a build other bytes.
    """
    return annotations.Reject(
        place.split, place.subset, f"{place.images}/{name}", -1, reason, detail, place.source
    )


def place_of(table: base.Table, name: str, *, prefix: str) -> annotations.Place:
    """Return the source of the row of an image in a folder."""
    return annotations.Place(
        table.split, table.subset, table.images, prefix, f"{table.images}/{name}".lstrip("/")
    )


def _entries(root: str, folder: str) -> Iterable[storage.AnyEntry]:
    return storage.input_entries(storage.path(root) / folder)
