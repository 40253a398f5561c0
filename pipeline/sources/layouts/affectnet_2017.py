"""Layout of the 2017 release: three CSV lists (training, validation, automatic) and image folders.

Copies differ in their folder names, in the names and headers of the lists and in the folder that
holds the lists. A table is therefore found by its normalised name, and its image folder by testing
which folder has the images of the table's first rows.
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
"""First part of file names in the record, for every copy, whatever its folders are called."""


class _Kind(NamedTuple):
    """A table of the release: its possible names and its expected size."""

    names: tuple[str, ...]
    split: str
    subset: str
    expected: tuple[int, ...]  # numbers of rows in known copies


_KINDS = (
    _Kind(("training", "manuallytraining"), "train", "manual", (414_800, 414_799)),
    _Kind(("validation", "manuallyvalidation"), "validation", "manual", (5_500, 5_499)),
    _Kind(("automaticallyannotated", "automatic"), "train", "automatic", (539_607,)),
)
_FOLDERS = {
    "manual": ("manual", "manualannot", "manuallyannotated"),
    "automatic": ("automatic", "automaticannot", "automaticallyannotated"),
}


def detect(folders: tuple[folder_walk.Folder, ...], request: base.Request) -> dict[str, str]:
    """Return the lists of the release: of each kind the first, in order of depth."""
    lists = {}
    for kind in _KINDS:
        paths = [
            f"{folder.relative}/{name}".lstrip("/")
            for folder in folders
            for name in folder.lists
            if kind.subset in request.subsets and _is_called(name, kind)
        ]
        if paths:
            lists[kind.names[0]] = paths[0]
    return lists


def _is_called(name: str, kind: _Kind) -> bool:
    return name.lower().endswith(".csv") and folder_walk.normalised(name[:-4]) in kind.names


def find_release(
    root: storage.AnyPath, folders: tuple[folder_walk.Folder, ...], request: base.Request
) -> base.Release:
    """Return the release below a root in which `detect` found the layout."""
    lists = detect(folders, request)
    tables = [
        _as_table(root, lists[kind.names[0]], kind, folders)
        for kind in _KINDS
        if kind.names[0] in lists
    ]
    return base.Release(layout="2017", root=str(root), tables=tuple(tables))


def _as_table(
    root: storage.AnyPath, path: str, kind: _Kind, folders: tuple[folder_walk.Folder, ...]
) -> base.Table:
    header = sniff(root / path)
    column = header.columns.index("path")
    first_images = [
        fields[column]
        for fields in line_ranges.head(root / path)[header.rows :]
        if len(fields) > column
    ]
    likely = [folder for folder in folders if _is_below(folder, kind.subset)]
    images = folder_walk.image_folder(first_images, likely=[*likely, *folders], table=root / path)
    return base.Table(
        layout="2017",
        split=kind.split,
        subset=kind.subset,
        path=path,
        images=images,
        parts=tuple(line_ranges.byte_ranges(root / path)),
        expected=kind.expected,
    )


def _is_below(folder: folder_walk.Folder, subset: str) -> bool:
    """Tell whether a part of a folder's path names a subset."""
    return any(
        folder_walk.normalised(part).startswith(_FOLDERS[subset])
        for part in folder.relative.split("/")
    )


class Header(NamedTuple):
    """Columns of a table, and whether its first line names them."""

    columns: tuple[str, ...]  # our names, in the table's order; "" for a column that is not read
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
    path = ""
    if header.columns[0] == "path":
        path = fields[0]
    return annotations.Reject(
        place.split, place.subset, path, -1, "short row", detail, place.source
    )
