"""Rows of a list with a column mapping: from its fields to those of `annotations.parse`."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.files import storage
from pipeline.rows import annotations
from pipeline.sources import base, label_names, line_ranges
from pipeline.sources.layouts import csv_columns
from runtime import fields as fields_lib

UNCERTAIN = "9"


class Reading(NamedTuple):
    """Settings for reading a list. The names of its fields are part of the fingerprint."""

    delimiter: str
    header_rows: int
    columns: csv_columns.Columns
    first: tuple[str, ...]  # fields of the first line: the names of columns of votes
    labels: tuple[tuple[str, str], ...]  # label as written → AffectNet's code
    pictures: str  # template of an image's path, with {path}, {stem} or {name}
    splits: tuple[tuple[str, str], ...]  # split in the rows → train, validation or test


Numbered = tuple[int, line_ranges.Fields | annotations.InvalidExample]
"""Line number from 1; fields, or why the line cannot be read."""


def all_rows(root: storage.AnyPath, table: base.Table) -> Iterator[Numbered]:
    """Yield the rows of a list, without its header and empty lines."""
    for part in table.parts:
        assert isinstance(part, base.Range)
        for number, fields in line_ranges.rows(
            storage.join(root, table.path), part, delimiter=table.reading.delimiter
        ):
            is_empty = isinstance(fields, list) and not any(fields)
            if number > table.reading.header_rows and not is_empty:
                yield number, fields


def read(root: str, part: base.Part) -> Iterator[annotations.Row | annotations.Reject]:
    """Yield the rows and rejects of a part of a list."""
    table = part.table
    reading: Reading = table.reading
    for number, fields in all_rows(storage.path(root), table._replace(parts=(part.range,))):
        source = f"{table.path} row {number - reading.header_rows}"
        known = fields if isinstance(fields, list) else []
        split = table.split or dict(reading.splits).get(_split(known, reading), "train")
        place = annotations.Place(split, table.subset, table.images, table.images, source)
        yield annotations.settled(_row, place, " ".join(known), fields, reading, place, root)


def _row(
    fields: line_ranges.Fields | annotations.InvalidExample,
    reading: Reading,
    place: annotations.Place,
    root: str,
) -> annotations.Row | annotations.Reject:
    if isinstance(fields, annotations.InvalidExample):
        raise fields
    last = max(index for _, indices in reading.columns.places for index in indices)
    if len(fields) <= last:
        raise annotations.InvalidExample(
            "short row", f"a row must have {last + 1} fields: got {len(fields)}"
        )
    row = annotations.parse(_fields(fields, reading, root), place)
    return annotations.with_groups(
        row, {name: fields[index] for name, index in reading.columns.groups().items()}
    )


def _split(fields: list[str], reading: Reading) -> str:
    for column in reading.columns.of("split"):
        if len(fields) > column:
            return label_names.split_of(fields[column])
    return ""


def _fields(fields: list[str], reading: Reading, root: str) -> dict[str, str]:
    """Return the text fields of a row under the names that `annotations.parse` knows."""
    named = {role: fields[indices[0]] for role, indices in reading.columns.places}
    named["path"] = image_path(named["path"], template=reading.pictures, root=root)
    named["label"] = code(fields, reading)
    if "right" in named:
        named["width"] = _difference(named["right"], named["x"])
        named["height"] = _difference(named["bottom"], named["y"])
    if "landmarks" in named:
        named["landmarks"] = re.sub(r"[\s,;]+", ";", named["landmarks"].strip("[]() "))
    return named


def image_path(path: str, *, template: str, root: str) -> str:
    """Return the path of a row's image; an absolute one below the root becomes relative to it."""
    if template:
        stem = path.rpartition(".")[0] or path
        name = path.replace("\\", "/").rpartition("/")[2]
        for mark, text in (("{path}", path), ("{stem}", stem), ("{name}", name)):
            template = template.replace(mark, text)
        path = template
    return path.strip().removeprefix(f"{root.rstrip('/')}/")


def code(fields: Sequence[str], reading: Reading) -> str:
    """Return the label as AffectNet's code, else as written; votes that tie are Uncertain."""
    written = _voted(fields, reading)
    if written is None:
        return UNCERTAIN
    if reading.labels:
        return dict(reading.labels).get(
            label_names.as_written(written), f"{written} (not in --labels)"
        )
    if number_in(written) is not None:
        return written
    by_name = label_names.code_of(written)
    if by_name is None:
        return written
    return str(by_name)


def _voted(fields: Sequence[str], reading: Reading) -> str | None:
    """Return the label; with columns of votes, the name of the fullest one, or None for a tie."""
    columns = reading.columns.of("label")
    if len(columns) == 1:
        return fields[columns[0]].strip()
    votes = [number_in(fields[column]) or 0.0 for column in columns]
    if votes.count(max(votes)) > 1:
        return None
    column = columns[votes.index(max(votes))]
    if reading.columns.by_name:
        return reading.first[column]
    return str(column + 1)


def _difference(end: str, start: str) -> str:
    """Return end - start as text; "" where either is no number."""
    end_number = number_in(end)
    start_number = number_in(start)
    if end_number is None or start_number is None:
        return ""
    return str(end_number - start_number)


def number_in(text: str) -> float | None:
    """Return a text as a number, NaN and infinity too, or None."""
    try:
        return float(text) if fields_lib.is_plain(text) else None
    except ValueError:
        return None
