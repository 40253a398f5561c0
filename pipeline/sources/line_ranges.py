"""Text lists of rows: cut into byte ranges on the driver, parsed from a range on a worker.

A row is one line. Quoted fields that span lines are not supported: no list on record has one, and
they would need one pass over the whole file before it could be cut.
"""

import csv
from collections.abc import Iterator

from pipeline.files import storage
from pipeline.sources import base

CHUNK_BYTES = 8 << 20
DELIMITERS = ",;\t "


def byte_ranges(path: storage.AnyPath, *, chunk_bytes: int = CHUNK_BYTES) -> Iterator[base.Range]:
    """Cut a text file into ranges of whole lines."""
    start = 0
    first_line = 1
    with storage.naming(path), path.open("rb") as file:
        while chunk := file.read(chunk_bytes):
            chunk += file.readline()
            yield base.Range(start, start + len(chunk), first_line)
            start += len(chunk)
            first_line += chunk.count(b"\n")


def rows(
    path: storage.AnyPath, part: base.Range, *, delimiter: str = ","
) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number from 1, fields) of a range of a list."""
    remaining = part.num_bytes
    with storage.naming(path), path.open("rb") as file:
        file.seek(part.start)
        for number, line in enumerate(file, start=part.first):
            encoding = "utf-8-sig" if number == 1 else "utf-8"  # A byte-order mark begins a file.
            yield number, split_line(line.decode(encoding, errors="replace"), delimiter)
            remaining -= len(line)
            if remaining <= 0:
                return


def split_line(line: str, delimiter: str) -> list[str]:
    """Return a line's fields; none for an empty line. Several spaces separate as one does."""
    if delimiter == " ":
        return next(csv.reader([" ".join(line.split())], delimiter=" "), [])
    return next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])


def head(path: storage.AnyPath, *, delimiter: str = ",", num_rows: int = 51) -> list[list[str]]:
    """Return the fields of the first lines."""
    with (
        storage.naming(path),
        path.open(encoding="utf-8-sig", errors="replace", newline="\n") as lines,
    ):
        return [
            split_line(line, delimiter) for line, _ in zip(lines, range(num_rows), strict=False)
        ]


def delimiter_of(path: storage.AnyPath) -> str:
    """Return the field delimiter: the first of DELIMITERS by which all lines have as many fields.

    If there is none, the one by which the first line has most fields.
    """
    for delimiter in DELIMITERS:
        widths = {len(fields) for fields in head(path, delimiter=delimiter) if fields}
        if len(widths) == 1 and widths.pop() > 1:
            return delimiter
    return max(
        DELIMITERS, key=lambda d: sum(len(fields) for fields in head(path, delimiter=d, num_rows=1))
    )
