"""Class folders: train/happy/*.jpg, val/3/*.jpg, as copies and subsets of AffectNet are often kept.

A folder's name says the expression, in any spelling, or by AffectNet's code. The order of the
folders says nothing: tools that number sorted names give other codes. Pictures are face crops: the
whole picture is taken.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pipeline.files import storage
from pipeline.rows import annotations
from pipeline.sources import base, folder_walk, image_folders, label_names, split_names

LOOKED_FOR = "class folders (happy or 1, below train and val)"

EXPECTED = {"train": base.EIGHT_TRAIN, "validation": base.EIGHT_VALIDATION}


class Reading(NamedTuple):
    """What a reader needs to know."""

    codes: tuple[tuple[str, int], ...]  # folder → AffectNet's code


def spot(
    folders: tuple[folder_walk.Folder, ...], request: base.Request
) -> dict[str, folder_walk.Folder]:
    """Return the folders, by their names, whose own folders are named as expressions and hold
    pictures."""
    given = label_names.parse_labels(request.labels)
    if "manual" not in request.subsets:
        return {}
    return {folder.relative: folder for folder in folders if _has_classes(folder, given)}


def _has_classes(folder: folder_walk.Folder, given: Mapping[str, str]) -> bool:
    names = _class_names(folder, given)
    enough = 1 if label_names.split_of(folder.name) else 2
    return len(names) >= enough and any(_has_picture(folder.path / name) for name in names)


def _class_names(folder: folder_walk.Folder, given: Mapping[str, str]) -> list[str]:
    """Return the folders that are classes; none where numbers go on as those of the 2017 release's
    folders do."""
    numbers = [name for name in folder.folders if name.isdecimal()]
    if any(int(name) > 10 and label_names.as_written(name) not in given for name in numbers):
        return []
    others = [name for name in folder.folders if name not in numbers]
    return numbers + [
        n
        for n in others
        if label_names.as_written(n) in given or label_names.code_of(n) is not None
    ]


def _has_picture(folder: storage.AnyPath) -> bool:
    return any(folder_walk.is_picture(entry.name) for entry in storage.input_entries(folder))


def find(
    root: storage.AnyPath, folders: tuple[folder_walk.Folder, ...], request: base.Request
) -> base.Release:
    """Return the release below a folder in which `spot` found something."""
    found, notes = split_names.by_split(spot(folders, request), root=str(root))
    given = label_names.parse_labels(request.labels)
    tables, aside = [], []
    for split, folder in found.items():
        names = _class_names(folder, given)
        codes = label_names.codes(names, given=given, where=str(folder.path))
        tables.append(_as_table(root, split, folder, codes))
        aside += [
            f"{folder.relative}/{name}".lstrip("/") for name in folder.folders if name not in codes
        ]
    if aside:
        notes += (f"left aside, as no expression: {', '.join(aside)}",)
    return base.Release(layout="folders", root=str(root), tables=tuple(tables), notes=notes)


def _as_table(
    root: storage.AnyPath, split: str, folder: folder_walk.Folder, codes: Mapping[str, int]
) -> base.Table:
    inside = {name: f"{folder.relative}/{name}".lstrip("/") for name in sorted(codes)}
    names = [
        f"{name}/{file}"
        for name, path in inside.items()
        for file in image_folders.pictures_in(str(root), path)
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
        yield annotations.parse({"path": name, "label": str(codes[name.partition("/")[0]])}, place)
