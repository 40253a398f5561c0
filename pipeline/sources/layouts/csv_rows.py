"""The rows of a list with a column mapping: from fields to the names that annotations.parse knows."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.files import storage
from pipeline.rows import annotations
from pipeline.sources import base, label_names, line_ranges
from pipeline.sources.layouts import csv_columns

UNCERTAIN = "9"


class Reading(NamedTuple):
    """What a reader of a list needs to know."""

    delimiter: str
    header_rows: int
    columns: csv_columns.Columns
    first: tuple[str, ...]  # fields of the first line: what columns of votes are called
    labels: tuple[tuple[str, str], ...]  # label as written → AffectNet's code
    pictures: str  # where a picture is: a text with {path} or {stem}
    splits: tuple[tuple[str, str], ...]  # split as the rows say it → as it is used


def all_rows(root: storage.AnyPath, table: base.Table) -> Iterator[tuple[int, list[str]]]:
    for part in table.parts:
        assert isinstance(part, base.Range)
        for number, fields in line_ranges.rows(
            storage.join(root, table.path), part, delimiter=table.reading.delimiter
        ):
            if number > table.reading.header_rows and any(fields):
                yield number, fields


def read(root: str, part: base.Part) -> Iterator[annotations.Row | annotations.Reject]:
    """Yield the rows and rejects of a part of a list."""
    table, reading = part.table, part.table.reading
    last = max(index for _, indices in reading.columns.places for index in indices)
    for number, fields in all_rows(storage.path(root), table._replace(parts=(part.range,))):
        source = f"{table.path} row {number - reading.header_rows}"
        split = table.split or dict(reading.splits).get(_split(fields, reading), "train")
        place = annotations.Place(split, table.subset, table.images, table.images, source)
        if len(fields) <= last:
            detail = f"a row must have {last + 1} fields: got {len(fields)}"
            yield annotations.Reject(
                split, table.subset, " ".join(fields), -1, "short row", detail, source
            )
            continue
        yield annotations.parse(_fields(fields, reading), place)


def _split(fields: list[str], reading: Reading) -> str:
    places = reading.columns.of("split")
    return label_names.split_of(fields[places[0]]) if places and len(fields) > places[0] else ""


def _fields(fields: list[str], reading: Reading) -> dict[str, str]:
    """Return the text fields of a row under the names that `annotations.parse` knows."""
    named = {role: fields[indices[0]] for role, indices in reading.columns.places}
    named["path"] = _picture(named["path"], reading.pictures)
    named["label"] = code(fields, reading)
    if "right" in named:
        named["width"] = _difference(named["right"], named["x"])
        named["height"] = _difference(named["bottom"], named["y"])
    if "landmarks" in named:
        named["landmarks"] = re.sub(r"[\s,;]+", ";", named["landmarks"].strip("[]() "))
    return named


def _picture(path: str, template: str) -> str:
    """Return where a row's picture is."""
    if not template:
        return path
    stem = path.rpartition(".")[0] or path
    return template.replace("{path}", path).replace("{stem}", stem)


def code(fields: Sequence[str], reading: Reading) -> str:
    """Return the label as AffectNet's code, or as it is where it is none; votes that tie are
    Uncertain."""
    written = _voted(fields, reading)
    if written is None:
        return UNCERTAIN
    if reading.labels:
        return dict(reading.labels).get(
            label_names.as_written(written), f"{written} (not in --labels)"
        )
    code = label_names.code_of(written) if number_in(written) is None else None
    return written if code is None else str(code)


def _voted(fields: Sequence[str], reading: Reading) -> str | None:
    """Return the label; where columns hold votes, the name of the one with the most, None for a
    tie."""
    places = reading.columns.of("label")
    if len(places) == 1:
        return fields[places[0]].strip()
    votes = [number_in(fields[place]) or 0.0 for place in places]
    if votes.count(max(votes)) > 1:
        return None
    place = places[votes.index(max(votes))]
    return reading.first[place] if reading.columns.by_name else str(place + 1)


def _difference(end: str, start: str) -> str:
    stop, begin = number_in(end), number_in(start)
    return "" if stop is None or begin is None else str(stop - begin)


def number_in(text: str) -> float | None:
    """Return the number that a text is, or None."""
    try:
        return float(text)
    except ValueError:
        return None
