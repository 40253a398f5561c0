"""What every layout's reader gives and gets: a release, its tables, and parts of them that workers read on their own.

A part is a byte range with the number of its first line, found by one pass over the file that looks for line ends only;
so rows are parsed on all workers and still know where they stand.
"""

import csv
import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Range(NamedTuple):
    """Bytes start..stop of a file; `first` is the number of the first line (or item) in it, from 1."""

    start: int
    stop: int
    first: int


class Table(NamedTuple):
    """One list of annotations."""

    layout: str
    split: str
    subset: str
    path: str  # relative to the release's root
    images: str  # folder of its pictures, relative to the root
    parts: tuple[Range, ...]
    expected: tuple[int, ...]  # rows in the copies on record; empty where nothing is


class Part(NamedTuple):
    """What one worker reads."""

    table: Table  # with `parts` left out
    range: Range


class Release(NamedTuple):
    """A copy of AffectNet."""

    layout: str
    root: str
    tables: tuple[Table, ...]

    def parts(self) -> list[Part]:
        """Return all parts, to be dealt to workers."""
        return [Part(table._replace(parts=()), byte_range) for table in self.tables for byte_range in table.parts]


def normalised(name: str) -> str:
    """Return a folder's or file's name as compared: lower case, letters and digits only."""
    return "".join(c for c in name.lower() if c.isalnum())


def folders_below(root: Path, *, depth: int) -> list[Path]:
    """Return the folders down to a depth, shallow ones first, without the numbered ones that hold pictures."""
    found = [root]
    level = [root]
    for _ in range(depth):
        level = [
            Path(entry.path)
            for folder in level
            for entry in sorted(os.scandir(folder), key=lambda e: e.name)
            if entry.is_dir() and not entry.name.isdigit() and not entry.name.startswith(".")
        ]
        found += level
    return found


def byte_ranges(path: Path, *, chunk_bytes: int) -> Iterator[Range]:
    """Cut a text file into ranges of whole lines."""
    start, first = 0, 1
    with path.open("rb") as file:
        while chunk := file.read(chunk_bytes):
            chunk += file.readline()
            yield Range(start, start + len(chunk), first)
            start += len(chunk)
            first += chunk.count(b"\n")


def csv_rows(path: Path, part: Part) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number from 1, fields) of a part of a CSV file."""
    with path.open("rb") as file:
        file.seek(part.range.start)
        content = file.read(part.range.stop - part.range.start)
    text = content.decode("utf-8-sig", errors="replace")
    for number, line in enumerate(io.StringIO(text), start=part.range.first):
        for fields in csv.reader([line.rstrip("\r\n")]):
            yield number, fields


def fingerprint(release: Release) -> str:
    """Return a digest of all annotation files: what a build was made from."""
    state = hashlib.sha256()
    for table in release.tables:
        state.update(f"{table.layout}\0{table.split}\0{table.subset}\0".encode())
        with (Path(release.root) / table.path).open("rb") as file:
            while chunk := file.read(1 << 20):
                state.update(chunk)
    return state.hexdigest()
