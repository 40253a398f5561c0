"""Layout of class folders: train/happy/*.jpg, val/3/*.jpg, as copies of AffectNet are often kept.

A folder's name is the expression, in any spelling, or AffectNet's code. The order of the folders is
not used: tools that number sorted names give other codes. Images are face crops, so the whole image
is used.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pipeline.files import storage
from pipeline.rows import annotations
from pipeline.sources import base, folder_walk, image_folders, label_names, split_names

LOOKED_FOR = "class folders (happy or 1, below train and val)"

EXPECTED = {"train": base.EXPECTED_TRAIN, "validation": base.EXPECTED_VALIDATION}


class Reading(NamedTuple):
    """Settings for reading a part."""

    codes: tuple[tuple[str, int], ...]  # folder → AffectNet's code


def detect(
    folders: tuple[folder_walk.Folder, ...], request: base.Request
) -> dict[str, folder_walk.Folder]:
    """Return the folders that hold class folders with images, by their relative paths."""
    # Parsed first, so that a wrong flag is refused whatever the subset.
    given = label_names.parse_labels(request.labels)
    if "manual" not in request.subsets:
        return {}
    return {folder.relative: folder for folder in folders if _has_classes(folder, given)}


def _has_classes(folder: folder_walk.Folder, given: Mapping[str, str]) -> bool:
    names = _class_names(folder, given)
    if len(names) == 1 and not label_names.split_of(folder.name):
        return False  # One folder called happy is no data set, unless train or val holds it.
    return any(_has_image(folder.path / name) for name in names)


def _class_names(folder: folder_walk.Folder, given: Mapping[str, str]) -> list[str]:
    """Return the folders that are classes.

    There are none where numbers go beyond 10: those are the image folders of the 2017 release.
    """
    numbers = [name for name in folder.folders if name.isdecimal()]
    if any(int(name) > 10 and label_names.as_written(name) not in given for name in numbers):
        return []
    others = [name for name in folder.folders if name not in numbers]
    return numbers + [
        name
        for name in others
        if label_names.as_written(name) in given or label_names.code_of(name) is not None
    ]


def _has_image(folder: storage.AnyPath) -> bool:
    return any(folder_walk.is_image(entry.name) for entry in storage.input_entries(folder))


def find_release(
    root: storage.AnyPath, folders: tuple[folder_walk.Folder, ...], request: base.Request
) -> base.Release:
    """Return the release below a root in which `detect` found the layout."""
    by_split, notes = split_names.by_split(detect(folders, request), root=str(root))
    given = label_names.parse_labels(request.labels)
    tables: list[base.Table] = []
    ignored: list[str] = []
    for split, folder in by_split.items():
        names = _class_names(folder, given)
        codes = label_names.codes(names, given=given, where=str(folder.path))
        tables.append(_as_table(root, split, folder, codes))
        ignored += [
            f"{folder.relative}/{name}".lstrip("/") for name in folder.folders if name not in codes
        ]
    if ignored:
        notes += (f"ignored, as no expression: {', '.join(ignored)}",)
    return base.Release(layout="folders", root=str(root), tables=tuple(tables), notes=notes)


def _as_table(
    root: storage.AnyPath, split: str, folder: folder_walk.Folder, codes: Mapping[str, int]
) -> base.Table:
    inside = {name: f"{folder.relative}/{name}".lstrip("/") for name in sorted(codes)}
    names = [
        f"{name}/{file}"
        for name, path in inside.items()
        for file in image_folders.images_in(str(root), path)
    ]
    return base.Table(
        layout="folders",
        split=split,
        subset="manual",
        path=folder.relative,
        images=folder.relative,
        parts=base.in_parts(names),
        expected=EXPECTED.get(split, ()),
        digest=image_folders.digest(names),
        reading=Reading(tuple(sorted(codes.items()))),
    )


def read(root: str, part: base.Part) -> Iterator[annotations.Row | annotations.Reject]:
    """Yield the rows of a part of the folders."""
    assert isinstance(part.range, base.Names) and isinstance(part.table.reading, Reading)
    codes = dict(part.table.reading.codes)
    for name in part.range.names:
        place = image_folders.place_of(part.table, name, prefix=part.table.split)
        fields = {"path": name, "label": str(codes[name.partition("/")[0]])}
        yield annotations.settled(annotations.parse, place, name, fields, place)
