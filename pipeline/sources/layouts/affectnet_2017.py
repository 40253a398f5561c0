"""Layout of the 2017 release: three CSV lists (training, validation, automatic) and image folders.

Copies differ in their folder names, in the names and headers of the lists and in the folder that
holds the lists. A table is therefore found by its normalised name, and its image folder by testing
which folder has the images of the table's first rows.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pipeline.files import storage
from pipeline.rows import annotations
from pipeline.sources import base, folder_walk, line_ranges
from pipeline.sources.layouts import csv_columns
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
    wanted = [kind for kind in _KINDS if kind.subset in request.subsets]
    found = {
        kind.names[0]: next(
            folder_walk.lists_called(folders, functools.partial(_is_called, kind=kind)), ""
        )
        for kind in wanted
    }
    return {name: path for name, path in found.items() if path}


def _is_called(name: str, kind: _Kind) -> bool:
    return name.lower().endswith(".csv") and folder_walk.normalised(name[:-4]) in kind.names


def find_release(
    root: storage.AnyPath, folders: tuple[folder_walk.Folder, ...], request: base.Request
) -> base.Release:
    """Return the release below a root in which `detect` found the layout."""
    lists = detect(folders, request)
    groups = request.columns_of_groups()
    tables = [
        _as_table(root, lists[kind.names[0]], kind, folders)._replace(groups=tuple(groups.items()))
        for kind in _KINDS
        if kind.names[0] in lists
    ]
    for table in tables:
        _group_columns(root / table.path, table.groups)  # Before any row is read.
    notes = tuple(note for table in tables if (note := _unread_note(root, table)))
    return base.Release(layout="2017", root=str(root), tables=tuple(tables), notes=notes)


def _unread_note(root: storage.AnyPath, table: base.Table) -> str:
    read = {column for _, column in table.groups}
    unread = [name for name in sniff(root / table.path).unread if name not in read]
    return csv_columns.unread_note(table.path, unread, known=HEADER)


def _group_columns(table: storage.AnyPath, groups: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Return the attributes to read of a table: name to index of its column.

    Raises:
      errors.UserError: if it has no such column, or no header.
    """
    names = list(_first_line(table)[1]) if groups else []
    header_rows = sniff(table).rows
    for name, column in groups:
        if not header_rows or column not in names:
            has = f"its header is {', '.join(names)}" if header_rows else "it has no header"
            raise errors.UserError(
                f"{table} must have a column {column!r} for --groups={name}={column}: {has}; add "
                "the column, or evaluate with a list of attributes (trainer.evaluate "
                "--groups_csv)"
            )
    return {name: names.index(column) for name, column in groups}


def _as_table(
    root: storage.AnyPath, path: str, kind: _Kind, folders: tuple[folder_walk.Folder, ...]
) -> base.Table:
    header = sniff(root / path)
    column = header.columns.index("path")
    first_images = [
        fields[column]
        for fields in line_ranges.head(root / path, delimiter=header.delimiter)[header.rows :]
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
    delimiter: str = ","
    unread: tuple[str, ...] = ()  # columns with other names


def sniff(table: storage.AnyPath) -> Header:
    """Read the first line of a table: a header has the name of the path, or begins with a name.

    A table that was saved anew may have row numbers before the path, or another delimiter.

    Raises:
      errors.UserError: if it is a header that lacks the path or the expression, or has a column
        twice.
    """
    delimiter, first = _first_line(table)
    names = _names(first)
    if not names or (names[0] not in HEADER and HEADER[0] not in names):
        return Header(COLUMNS, 0)
    known = dict(zip(HEADER, COLUMNS, strict=True))
    columns = tuple(known.get(name, "") for name in names)
    if missing := {"path", "label"} - set(columns):
        wanted = ", ".join(sorted(HEADER[COLUMNS.index(name)] for name in missing))
        raise errors.UserError(
            f"{table} must have a column {wanted}: its header is {', '.join(first)}"
        )
    if twice := sorted({name for name in names if name in known and names.count(name) > 1}):
        raise errors.UserError(
            f"{table} must have each column once: its header has {', '.join(twice)} several times"
        )
    unread = tuple(name for name, column in zip(first, columns, strict=True) if not column)
    return Header(columns, 1, delimiter, unread)


def _first_line(table: storage.AnyPath) -> tuple[str, list[str]]:
    """Return the delimiter by which the first line is a header, or ","; and its fields by it."""
    for delimiter in line_ranges.DELIMITERS:
        first = next(iter(line_ranges.head(table, delimiter=delimiter, num_rows=1)), [])
        if HEADER[0] in _names(first) and len(first) > 1:
            return delimiter, first
    return ",", next(iter(line_ranges.head(table, num_rows=1)), [])


def _names(first: list[str]) -> list[str]:
    return [name.strip().lstrip("#").strip().lower() for name in first]


def read(root: str, part: base.Part) -> Iterator[annotations.Row | annotations.Reject]:
    """Yield the rows and rejects of a part of a table."""
    table = storage.path(root) / part.table.path
    header = sniff(table)
    groups = _group_columns(table, part.table.groups)
    assert isinstance(part.range, base.Range)
    for number, fields in line_ranges.rows(table, part.range, delimiter=header.delimiter):
        known = fields if isinstance(fields, list) else []
        if number <= header.rows or (known == fields and not any(known)):
            continue
        place = annotations.Place(
            split=part.table.split,
            subset=part.table.subset,
            images=part.table.images,
            prefix=PREFIXES[part.table.subset],
            source=f"{table.name} row {number - header.rows}",
        )
        column = header.columns.index("path")
        path = known[column] if len(known) > column else ""
        yield annotations.settled(_row, place, path, fields, header.columns, groups, place)


def _row(
    fields: line_ranges.Fields | annotations.InvalidExample,
    columns: Sequence[str],
    groups: Mapping[str, int],
    place: annotations.Place,
) -> annotations.Row | annotations.Reject:
    if isinstance(fields, annotations.InvalidExample):
        raise fields
    if len(fields) < len(columns):
        raise annotations.InvalidExample(
            "short row", f"a row must have {len(columns)} fields: got {len(fields)}"
        )
    row = annotations.parse(dict(zip(columns, fields, strict=False)), place)
    return annotations.with_groups(row, {name: fields[index] for name, index in groups.items()})
