"""The 2017 release: training.csv, validation.csv, automatically_annotated.csv and folders of pictures.

Copies differ in folder names, in whether the CSV has a header and under which name, and in where the lists lie; a
table is therefore found by its normalised name, and its picture folder by trying where its first rows' pictures are.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline import annotations, refusal
from pipeline.sources import base

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
_CHUNK_BYTES = 8 << 20
_PROBED_ROWS = 50


def find(root: Path, subsets: tuple[str, ...]) -> base.Release | None:
    """Return the release below a folder, or None if there is no table of it."""
    folders = base.folders_below(root, depth=4)
    tables = []
    for kind in _KINDS:
        if kind.subset in subsets and (path := _table(folders, kind)):
            tables.append(_as_table(root, path, kind, folders))
    return base.Release(layout="2017", root=str(root), tables=tuple(tables)) if tables else None


def _table(folders: list[Path], kind: _Kind) -> Path | None:
    """Return the first file, in order of depth, whose normalised name is one of the kind's."""
    for folder in folders:
        for path in sorted(folder.glob("*.[cC][sS][vV]")):
            if base.normalised(path.stem) in kind.names:
                return path
    return None


def _as_table(root: Path, path: Path, kind: _Kind, folders: list[Path]) -> base.Table:
    return base.Table(
        layout="2017",
        split=kind.split,
        subset=kind.subset,
        path=path.relative_to(root).as_posix(),
        images=_images_folder(root, path, kind.subset, folders),
        parts=tuple(base.byte_ranges(path, chunk_bytes=_CHUNK_BYTES)),
        expected=kind.expected,
    )


def _images_folder(root: Path, table: Path, subset: str, folders: list[Path]) -> str:
    """Return the folder, relative to the root, in which most of the table's first pictures are.

    Raises:
      refusal.Refusal: if no folder has any of them.
    """
    header, paths = sniff(table), []
    with table.open(encoding="utf-8-sig", newline="", errors="replace") as lines:
        for i, fields in enumerate(csv.reader(lines)):
            if i >= _PROBED_ROWS:
                break
            named = dict(zip(header.columns, fields, strict=False))
            if i >= header.rows and "path" in named:
                paths.append(named["path"])
    likely = [folder for folder in folders if _says(folder, root, subset)]
    scored = [(sum(_is_file(folder, path) for path in paths), folder) for folder in [*likely, *folders]]
    best, folder = max(scored, key=lambda pair: pair[0], default=(0, root))
    if not best and paths:
        raise refusal.Refusal(
            f"{table} names pictures such as {paths[0]!r}, and no folder below {root} has one of its first "
            f"{len(paths)}; unpack the pictures beside the lists, or say --input_dir of a folder that holds both"
        )
    relative = folder.relative_to(root).as_posix()
    return "" if relative == "." else relative


def _says(folder: Path, root: Path, subset: str) -> bool:
    parts = folder.relative_to(root).parts
    return any(base.normalised(part).startswith(_FOLDERS[subset]) for part in parts)


def _is_file(folder: Path, path: str) -> bool:
    try:
        return (folder / annotations.relative_path(path)).is_file()
    except annotations.Defect:
        return False


class Header(NamedTuple):
    """What the first line of a table is."""

    columns: tuple[str, ...]  # our names, in the table's order; "" for a column we do not read
    rows: int  # 1 if the first line is a header, 0 if it is data


def sniff(table: Path) -> Header:
    """Read the first line of a table.

    Raises:
      refusal.Refusal: if it is a header that lacks the path or the expression.
    """
    with table.open(encoding="utf-8-sig", newline="", errors="replace") as lines:
        first = next(csv.reader(lines), [])
    names = [name.strip().lstrip("#").lower() for name in first]
    if not names or names[0] not in HEADER:
        return Header(COLUMNS, 0)
    known = dict(zip(HEADER, COLUMNS, strict=True))
    columns = tuple(known.get(name, "") for name in names)
    if missing := {"path", "label"} - set(columns):
        wanted = ", ".join(sorted(HEADER[COLUMNS.index(name)] for name in missing))
        raise refusal.Refusal(f"{table} must have a column {wanted}: its header is {', '.join(first)}")
    return Header(columns, 1)


def read(root: str, part: base.Part) -> Iterator[annotations.Row | annotations.Reject]:
    """Yield the rows and rejects of a part of a table."""
    table = Path(root) / part.table.path
    header = sniff(table)
    name = table.name
    for number, fields in base.csv_rows(table, part):
        if number <= header.rows or not any(fields):
            continue
        place = annotations.Place(
            split=part.table.split,
            subset=part.table.subset,
            images=part.table.images,
            prefix=PREFIXES[part.table.subset],
            source=f"{name} row {number - header.rows}",
        )
        if len(fields) < len(header.columns):
            detail = f"a row must have {len(header.columns)} fields: got {len(fields)}"
            path = fields[header.columns.index("path")] if fields else ""
            yield annotations.Reject(place.split, place.subset, path, -1, "short row", detail, place.source)
            continue
        yield annotations.parse(dict(zip(header.columns, fields, strict=False)), place)
