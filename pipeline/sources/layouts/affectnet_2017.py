"""The 2017 release: training.csv, validation.csv, automatically_annotated.csv and folders of
pictures.

Copies differ in folder names, in whether the CSV has a header and under which name, and in where
the lists lie; a table is therefore found by its normalised name, and its picture folder by trying
where its first rows' pictures are.
"""

from collections.abc import Iterator
from typing import NamedTuple

from pipeline.files import storage
from pipeline.rows import annotations
from pipeline.sources import base, folder_walk, line_ranges
from runtime import errors

LOOKED_FOR = "training.csv, validation.csv or automatically_annotated.csv (2017)"

COLUMNS = (
    "path",
    "x",
    "y",
    "width",
    "height",
    "landmarks",
    "label",
    "valence",
    "arousal",
)
HEADER = (
    "subdirectory_filepath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)


PREFIXES = {"manual": "Manually_Annotated_Images", "automatic": "Automatically_Annotated_Images"}
"""What file names in the record begin with, whatever the copy's folders are called."""


class _Kind(NamedTuple):
    """A table of the release: what it may be called, and what it should hold."""

    names: tuple[str, ...]
    split: str
    subset: str
    expected: tuple[int, ...]  # rows, in the copies on record


_KINDS = (
    _Kind(("training", "manuallytraining"), "train", "manual", (414_800, 414_799)),
    _Kind(("validation", "manuallyvalidation"), "validation", "manual", (5_500, 5_499)),
    _Kind(("automaticallyannotated", "automatic"), "train", "automatic", (539_607,)),
)
_FOLDERS = {
    "manual": ("manual", "manualannot", "manuallyannotated"),
    "automatic": ("automatic", "automaticannot", "automaticallyannotated"),
}


def spot(folders: tuple[folder_walk.Folder, ...], request: base.Request) -> dict[str, str]:
    """Return the lists that are there: the first, in order of depth, whose normalised name is one
    of a kind's."""
    found = {}
    for kind in _KINDS:
        for folder in folders if kind.subset in request.subsets else ():
            named = [name for name in folder.lists if _stem(name) in kind.names]
            if named:
                found[kind.names[0]] = f"{folder.relative}/{named[0]}".lstrip("/")
                break
    return found


def _stem(name: str) -> str:
    return folder_walk.normalised(name[:-4]) if name.lower().endswith(".csv") else ""


def find(
    root: storage.AnyPath, folders: tuple[folder_walk.Folder, ...], request: base.Request
) -> base.Release:
    """Return the release below a folder in which `spot` found something."""
    found = spot(folders, request)
    tables = [
        _as_table(root, found[kind.names[0]], kind, folders)
        for kind in _KINDS
        if kind.names[0] in found
    ]
    return base.Release(layout="2017", root=str(root), tables=tuple(tables))


def _as_table(
    root: storage.AnyPath, path: str, kind: _Kind, folders: tuple[folder_walk.Folder, ...]
) -> base.Table:
    header = sniff(root / path)
    place = header.columns.index("path")
    named = [
        fields[place]
        for fields in line_ranges.head(root / path)[header.rows :]
        if len(fields) > place
    ]
    likely = [folder for folder in folders if _says(folder, kind.subset)]
    return base.Table(
        layout="2017",
        split=kind.split,
        subset=kind.subset,
        path=path,
        images=folder_walk.folder_with(named, likely=[*likely, *folders], table=root / path),
        parts=tuple(line_ranges.byte_ranges(root / path)),
        expected=kind.expected,
    )


def _says(folder: folder_walk.Folder, subset: str) -> bool:
    return any(
        folder_walk.normalised(part).startswith(_FOLDERS[subset])
        for part in folder.relative.split("/")
    )


class Header(NamedTuple):
    """What the first line of a table is."""

    columns: tuple[str, ...]  # our names, in the table's order; "" for a column we do not read
    rows: int  # 1 if the first line is a header, 0 if it is data


def sniff(table: storage.AnyPath) -> Header:
    """Read the first line of a table.

    Raises:
      errors.UserError: if it is a header that lacks the path or the expression.
    """
    first = next(iter(line_ranges.head(table, num_rows=1)), [])
    names = [name.strip().lstrip("#").strip().lower() for name in first]
    if not names or names[0] not in HEADER:
        return Header(COLUMNS, 0)
    known = dict(zip(HEADER, COLUMNS, strict=True))
    columns = tuple(known.get(name, "") for name in names)
    if missing := {"path", "label"} - set(columns):
        wanted = ", ".join(sorted(HEADER[COLUMNS.index(name)] for name in missing))
        raise errors.UserError(
            f"{table} must have a column {wanted}: its header is {', '.join(first)}"
        )
    return Header(columns, 1)


def read(root: str, part: base.Part) -> Iterator[annotations.Row | annotations.Reject]:
    """Yield the rows and rejects of a part of a table."""
    table = storage.path(root) / part.table.path
    header = sniff(table)
    assert isinstance(part.range, base.Range)
    for number, fields in line_ranges.rows(table, part.range):
        if number <= header.rows or not any(fields):
            continue
        place = annotations.Place(
            split=part.table.split,
            subset=part.table.subset,
            images=part.table.images,
            prefix=PREFIXES[part.table.subset],
            source=f"{table.name} row {number - header.rows}",
        )
        if len(fields) < len(header.columns):
            yield _short(fields, header, place)
            continue
        yield annotations.parse(dict(zip(header.columns, fields, strict=False)), place)


def _short(fields: list[str], header: Header, place: annotations.Place) -> annotations.Reject:
    detail = f"a row must have {len(header.columns)} fields: got {len(fields)}"
    path = fields[0] if header.columns[0] == "path" else ""
    return annotations.Reject(
        place.split, place.subset, path, -1, "short row", detail, place.source
    )
