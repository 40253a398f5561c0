"""Text lists of rows: cut into byte ranges on the driver, parsed from a range on a worker.

A row is one line, which ends with a line feed; or with a carriage return, in a list that has no
line feed near its start. Quoted fields that span lines are not supported: no list on record has
one, and they would need one pass over the whole file before it could be cut.
"""

import contextlib
import csv
import itertools
import re
from collections.abc import Iterator
from typing import IO, NamedTuple

from pipeline.files import storage
from pipeline.rows import annotations
from pipeline.sources import base
from runtime import errors, untrusted

CHUNK_BYTES = 8 << 20
DELIMITERS = ",;\t "

LINE_BYTES = 1 << 20
"""Longest line; what a longer one has beyond it is skipped, and the row rejected."""

_START_BYTES = 1 << 16
"""Bytes of a list that show its encoding and how its lines end."""

_SEPARATOR_LINE = re.compile(rb"(\xef\xbb\xbf)?\"?sep=.\"?\s*[\r\n]", re.IGNORECASE | re.DOTALL)
"""First line by which programs tell Excel the delimiter, as in sep=;"""

Fields = list[str]

csv.field_size_limit(LINE_BYTES)  # Python's own limit, 131,072, ends the reading of a whole list.


def byte_ranges(path: storage.AnyPath, *, chunk_bytes: int = CHUNK_BYTES) -> Iterator[base.Range]:
    """Cut a text file into ranges of whole lines."""
    start = 0
    first_line = 1
    with _opened(path) as (file, end):
        while chunk := file.read(chunk_bytes):
            stop = start + len(chunk)
            num_lines = chunk.count(end)
            for piece in _pieces(file, end=end):  # One at a time: a line may be as long as a list.
                stop += len(piece)
                num_lines += piece.endswith(end)
            yield base.Range(start, stop, first_line)
            start = stop
            first_line += num_lines


def rows(
    path: storage.AnyPath, part: base.Range, *, delimiter: str = ","
) -> Iterator[tuple[int, Fields | annotations.InvalidExample]]:
    """Yield (line number from 1, its fields or why it has none) of a range of a list."""
    for line in lines(path, part):
        is_first = line.number == 1
        yield (
            line.number,
            _fields(line.text, size=line.size, is_first=is_first, delimiter=delimiter),
        )


class Line(NamedTuple):
    """A line of a list."""

    number: int  # from 1
    start: int  # of its first byte in the list
    size: int  # in bytes
    text: bytes  # the first LINE_BYTES of it


def lines(path: storage.AnyPath, part: base.Range) -> Iterator[Line]:
    """Yield the lines of a range of a list."""
    start = part.start
    with _opened(path) as (file, end):
        file.seek(start)
        for number in itertools.count(part.first):
            text = next(_pieces(file, end=end), b"")
            size = len(text)
            if size >= LINE_BYTES and not text.endswith(end):
                size += sum(map(len, _pieces(file, end=end)))
            if not size:
                return
            yield Line(number, start, size, text)
            start += size
            if start >= part.stop:
                return


@contextlib.contextmanager
def _opened(path: storage.AnyPath) -> Iterator[tuple[IO[bytes], bytes]]:
    """Open a list; yield it, and what ends its lines.

    Raises:
      errors.UserError: if it is no text in UTF-8, or begins with a line of Excel's own.
    """
    storage.check_input(path, at_most=untrusted.STREAMED_BYTES)
    with storage.naming(path), path.open("rb") as file:
        start = file.read(_START_BYTES)
        untrusted.check_encoding(start, where=path)
        if _SEPARATOR_LINE.match(start):
            raise errors.UserError(
                f"{path} begins with a line for Excel, {_shown(start)}: delete that line"
            )
        file.seek(0)
        yield file, b"\r" if b"\r" in start and b"\n" not in start else b"\n"


def _shown(start: bytes) -> str:
    """Return the first line of a list, for a message."""
    return start.removeprefix(b"\xef\xbb\xbf").splitlines()[0].decode("ascii", "replace")


def _pieces(file: IO[bytes], *, end: bytes) -> Iterator[bytes]:
    """Yield what is left of a line, in pieces of at most LINE_BYTES, the end of the line included.

    Where lines end with a carriage return, the file goes back to the end of each.
    """
    while True:
        if end == b"\n":
            piece = file.readline(LINE_BYTES)
        else:
            start = file.tell()
            content = file.read(_START_BYTES)
            piece = content[: content.find(end) + 1] or content
            file.seek(start + len(piece))
        if piece:
            yield piece
        if not piece or piece.endswith(end):
            return


def _fields(
    line: bytes, *, size: int, is_first: bool, delimiter: str
) -> Fields | annotations.InvalidExample:
    if size > LINE_BYTES:
        return annotations.InvalidExample(
            "unreadable row", f"a row may have {LINE_BYTES:,} bytes: got {size:,}"
        )
    encoding = "utf-8-sig" if is_first else "utf-8"  # A byte-order mark begins a file.
    try:
        # File names need not be UTF-8: their bytes are kept, as os.fsdecode keeps them.
        return split_line(line.decode(encoding, errors="surrogateescape"), delimiter)
    except csv.Error as error:
        return annotations.InvalidExample("unreadable row", f"a row must be CSV: {error}")


def split_line(line: str, delimiter: str) -> Fields:
    """Return a line's fields; none for an empty line. Several spaces separate as one does.

    A carriage return within it counts as a space.
    """
    if delimiter == " ":
        return next(csv.reader([" ".join(line.split())], delimiter=" "), [])
    text = line.rstrip("\r\n").replace("\r", " ")
    return next(csv.reader([text], delimiter=delimiter), [])


def head(path: storage.AnyPath, *, delimiter: str = ",", num_rows: int = 51) -> list[Fields]:
    """Return the fields of the first lines; of one that cannot be read, none."""
    first = rows(path, base.Range(0, untrusted.STREAMED_BYTES, 1), delimiter=delimiter)
    return [
        fields if isinstance(fields, list) else []
        for _, fields in itertools.islice(first, num_rows)
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
