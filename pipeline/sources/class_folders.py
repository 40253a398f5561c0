"""Class folders: train/happy/*.jpg, val/3/*.jpg, as copies and subsets of AffectNet are often kept.

A folder's name says the expression, in any spelling, or by AffectNet's code. The order of the folders says nothing:
tools that number sorted names give other codes. Pictures are face crops: the whole picture is taken.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pipeline import annotations, storage
from pipeline.sources import base, listing, spellings, splits, tree

LOOKED_FOR = "class folders (happy or 1, below train and val)"

EXPECTED = {"train": base.EIGHT_TRAIN, "validation": base.EIGHT_VALIDATION}


class Reading(NamedTuple):
    """What a reader needs to know."""

    codes: tuple[tuple[str, int], ...]  # folder → AffectNet's code


def spot(folders: tuple[tree.Folder, ...], request: base.Request) -> dict[str, tree.Folder]:
    """Return the folders, by their names, whose own folders are named as expressions and hold pictures."""
    given = spellings.parse_labels(request.labels)
    if "manual" not in request.subsets:
        return {}
    return {folder.relative: folder for folder in folders if _has_classes(folder, given)}


def _has_classes(folder: tree.Folder, given: Mapping[str, str]) -> bool:
    names = _class_names(folder, given)
    enough = 1 if spellings.split_of(folder.name) else 2
    return len(names) >= enough and any(_has_picture(folder.path / name) for name in names)


def _class_names(folder: tree.Folder, given: Mapping[str, str]) -> list[str]:
    """Return the folders that are classes; none where numbers go on as those of the 2017 release's folders do."""
    numbers = [name for name in folder.folders if name.isdecimal()]
    if any(int(name) > 10 and spellings.as_written(name) not in given for name in numbers):
        return []
    others = [name for name in folder.folders if name not in numbers]
    return numbers + [n for n in others if spellings.as_written(n) in given or spellings.code_of(n) is not None]


def _has_picture(folder: storage.AnyPath) -> bool:
    return any(tree.is_picture(entry.name) for entry in storage.input_entries(folder))


def find(root: storage.AnyPath, folders: tuple[tree.Folder, ...], request: base.Request) -> base.Release:
    """Return the release below a folder in which `spot` found something."""
    found, notes = splits.by_split(spot(folders, request), root=str(root))
    given = spellings.parse_labels(request.labels)
    tables, aside = [], []
    for split, folder in found.items():
        names = _class_names(folder, given)
        codes = spellings.codes(names, given=given, where=str(folder.path))
        tables.append(_as_table(root, split, folder, codes))
        aside += [f"{folder.relative}/{name}".lstrip("/") for name in folder.folders if name not in codes]
    if aside:
        notes += (f"left aside, as no expression: {', '.join(aside)}",)
    return base.Release(layout="folders", root=str(root), tables=tuple(tables), notes=notes)


def _as_table(root: storage.AnyPath, split: str, folder: tree.Folder, codes: Mapping[str, int]) -> base.Table:
    inside = {name: f"{folder.relative}/{name}".lstrip("/") for name in sorted(codes)}
    names = [f"{name}/{file}" for name, path in inside.items() for file in listing.pictures_in(str(root), path)]
    return base.Table(
        layout="folders",
        split=split,
        subset="manual",
        path=folder.relative,
        images=folder.relative,
        parts=base.in_parts(names),
        expected=EXPECTED.get(split, ()),
        digest=listing.digest(names),
        reading=Reading(tuple(sorted(codes.items()))),
    )


def read(root: str, part: base.Part) -> Iterator[annotations.Row | annotations.Reject]:
    """Yield the rows of a part of the folders."""
    assert isinstance(part.range, base.Names) and isinstance(part.table.reading, Reading)
    codes = dict(part.table.reading.codes)
    for name in part.range.names:
        place = listing.place_of(part.table, name, prefix=part.table.split)
        yield annotations.parse({"path": name, "label": str(codes[name.partition("/")[0]])}, place)
