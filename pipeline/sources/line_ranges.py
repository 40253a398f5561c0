"""Lists of rows as text: cut into byte ranges on the driver, parsed from a range on a worker.

Rows are lines: a quoted field that spans lines does not occur in any list on record, and would need
one pass over the whole file before it could be cut.
"""

import csv
from collections.abc import Iterator

from pipeline.files import storage
from pipeline.sources import base

CHUNK_BYTES = 8 << 20


def byte_ranges(path: storage.AnyPath, *, chunk_bytes: int = CHUNK_BYTES) -> Iterator[base.Range]:
    """Cut a text file into ranges of whole lines."""
    start, first = 0, 1
    with path.open("rb") as file:
        while chunk := file.read(chunk_bytes):
            chunk += file.readline()
            yield base.Range(start, start + len(chunk), first)
            start += len(chunk)
            first += chunk.count(b"\n")


def rows(
    path: storage.AnyPath, part: base.Range, *, delimiter: str = ","
) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number from 1, fields) of a range of a list."""
    with path.open("rb") as file:
        file.seek(part.start)
        remaining, encoding = part.num_bytes, "utf-8" if part.start else "utf-8-sig"
        for number, line in enumerate(file, start=part.first):
            yield number, split_line(line.decode(encoding, errors="replace"), delimiter)
            remaining, encoding = remaining - len(line), "utf-8"
            if remaining <= 0:
                return


def split_line(line: str, delimiter: str) -> list[str]:
    """Return a line's fields; none for an empty line. Spaces separate however many there are."""
    if delimiter == " ":
        return next(csv.reader([" ".join(line.split())], delimiter=" "), [])
    return next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])


def head(path: storage.AnyPath, *, delimiter: str = ",", num_rows: int = 51) -> list[list[str]]:
    """Return the fields of the first lines."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="\n") as lines:
        return [
            split_line(line, delimiter) for line, _ in zip(lines, range(num_rows), strict=False)
        ]


def delimiter_of(path: storage.AnyPath) -> str:
    """Return what separates the fields: the first of comma, semicolon, tab and space that gives
    every line as many."""
    for delimiter in ",;\t ":
        widths = {len(fields) for fields in head(path, delimiter=delimiter) if fields}
        if len(widths) == 1 and widths.pop() > 1:
            return delimiter
    return max(
        ",;\t ", key=lambda d: sum(len(fields) for fields in head(path, delimiter=d, num_rows=1))
    )
