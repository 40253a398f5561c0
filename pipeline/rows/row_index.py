"""Row index: 24 bytes for every row of a release, which Beam shuffles in place of the row.

Owns the working files of a staging folder: the parsed rows, and the entries that locate each. Rows
are parsed once, by the survey; entries are shuffled, ranked and dealt to shards; the worker that
writes a shard fetches its rows. Whole rows in the shuffle were rejected: they cost the local runner
9 kB each. Byte offsets in the annotation lists were rejected too: a layout of small files has none,
and every row would have to be parsed again.
"""

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import IO

import numpy as np

from pipeline.files import atomic, storage
from pipeline.rows import annotations, row_format

ENTRY = np.dtype(
    [
        ("key", "<u8"),  # stable_hash.key of the record's file name
        ("start", "<u4"),  # of the row in the file of its part, in bytes
        ("part", "<u4"),
        ("size", "<u4"),  # in bytes
        ("face", "<u2"),  # 0 or 1: the first of its image, or the only one
        ("split", "u1"),  # position in SPLITS
        ("label", "i1"),
    ]
)

MOST_FACES = 65_535
"""Most faces in an image: what the field has room for."""

SPLITS = ("train", "validation", "test")

BUCKET_BYTES = 16 << 20
BUCKET_ROWS = 1 << 16
"""Annotations for each file of the index, in bytes (12,000 rows with landmarks) and in rows."""

SPAN_BYTES = 1 << 20
"""Most bytes of rows that one read fetches, give or take a row."""

_ROWS, _INDEX, _SURVEY = "rows-", "index-", "survey-"


def num_buckets(num_bytes: int, num_rows: int = 0) -> int:
    """Return the number of index files for annotations of so many bytes and about so many rows."""
    return max(1, math.ceil(num_bytes / BUCKET_BYTES), math.ceil(num_rows / BUCKET_ROWS))


def is_working_file(name: str) -> bool:
    """Return whether a file of the staging folder is one of these, of any format version."""
    return name.startswith((_ROWS, _INDEX, _SURVEY))


def clear(staging: storage.AnyPath) -> None:
    """Remove the working files of an earlier attempt, whatever their format.

    A file that this attempt does not write again would give its rows twice.
    """
    for entry in list(storage.entries(staging)):
        if is_working_file(entry.name):
            (staging / entry.name).unlink(missing_ok=True)


class Rows:
    """Writer of the rows of one part, which collects their entries."""

    def __init__(self, file: IO[bytes], part: int) -> None:
        """Write to a file of the staging folder (`rows_of_part`)."""
        self._file = file
        self._part = part
        self._start = 0
        self._entries: list[tuple[int, int, int, int, int, int, int]] = []

    def add(self, row: annotations.Row, *, key: int) -> None:
        """Write a row."""
        content = row_format.encode(row)
        self._file.write(content)
        self._entries.append(
            (key, self._start, self._part, len(content), 0, SPLITS.index(row.split), row.label)
        )
        self._start += len(content)

    def entries(self) -> np.ndarray:
        """Return ENTRY[N] of the rows written so far."""
        return np.array(self._entries, dtype=ENTRY)


def rows_of_part(staging: storage.AnyPath, part: int) -> storage.AnyPath:
    """Return the file of a part's rows; its name states the format version."""
    return staging / f"{_ROWS}v{row_format.VERSION}-{part:06d}"


def fetch(staging: storage.AnyPath, entries: np.ndarray) -> list[annotations.Row]:
    """Return the rows of ENTRY[N], in their order, with the names and labels of the index.

    Raises:
      FileNotFoundError: if a part's file is not there, or has another format version.
    """
    order = np.lexsort((entries["start"], entries["part"]))  # Rows are read in the files' order.
    gap_bytes = storage.worth_skipping(staging)
    spans = (entries[positions] for positions in _spans(entries, order, gap_bytes=gap_bytes))
    threads = storage.read_threads(staging, on_disk=1)
    rows_of_spans = storage.ahead(lambda span: _read_span(staging, span), spans, threads=threads)
    in_file_order = [row for rows in rows_of_spans for row in rows]
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return [in_file_order[position] for position in back]


def _spans(entries: np.ndarray, order: np.ndarray, *, gap_bytes: int) -> Iterator[np.ndarray]:
    """Yield the positions of entries whose rows are close together, and are read at once."""
    ordered = entries[order]
    starts = ordered["start"].astype(np.int64)
    ends = starts + ordered["size"]
    cuts = ordered["part"][1:] != ordered["part"][:-1]
    cuts |= starts[1:] - ends[:-1] >= gap_bytes
    cuts |= starts[1:] // SPAN_BYTES != starts[:-1] // SPAN_BYTES
    return iter(np.split(order, np.flatnonzero(cuts) + 1) if len(order) else [])


def _read_span(staging: storage.AnyPath, span: np.ndarray) -> list[annotations.Row]:
    begin = int(span["start"][0])
    end = int(span["start"][-1]) + int(span["size"][-1])
    with rows_of_part(staging, int(span["part"][0])).open("rb") as file:
        file.seek(begin)
        content = file.read(end - begin)
    located = zip(
        (span["start"] - begin).tolist(),
        span["size"].tolist(),
        span["face"].tolist(),
        span["label"].tolist(),
        strict=True,
    )
    return [
        _row(content[start : start + size], face, label) for start, size, face, label in located
    ]


def _row(content: bytes, face: int, label: int) -> annotations.Row:
    row = row_format.decode(content)
    if label != row.label:  # As --relabel has it.
        row = row._replace(label=label)
    return row._replace(filename=face_name(row.filename, face)) if face > 1 else row


def face_name(filename: str, face: int) -> str:
    """Return the record's file name of the n-th face in an image, from 1."""
    return f"{filename}#{face}" if face > 1 else filename


def write(staging: storage.AnyPath, stage: str, bucket: int, entries: np.ndarray) -> None:
    """Write one file of the index as a stage leaves it."""
    with atomic.writing(file_of(staging, stage, bucket)) as file:
        file.write(entries.tobytes())


def read(
    staging: storage.AnyPath, stage: str, bucket: int, *, dtype: np.dtype = ENTRY
) -> np.ndarray:
    """Return the entries of one file of the index; empty where the stage wrote none."""
    try:
        return joined([file_of(staging, stage, bucket).read_bytes()], dtype)
    except FileNotFoundError:
        return np.empty(0, dtype)


def file_of(staging: storage.AnyPath, stage: str, bucket: int) -> storage.AnyPath:
    """Return a file of the index."""
    return staging / f"{_INDEX}{stage}-{bucket:06d}"


def survey_file(staging: storage.AnyPath, stage: str, number: int) -> storage.AnyPath:
    """Return the file with the counts of a part of a stage."""
    return staging / f"{_SURVEY}{stage}-{number:06d}"


def survey_files(staging: storage.AnyPath, stage: str) -> list[storage.AnyPath]:
    """Return the files with the counts of all parts of a stage that have some."""
    names = sorted(entry.name for entry in storage.entries(staging))
    return [staging / name for name in names if name.startswith(f"{_SURVEY}{stage}-")]


def joined(parts: Iterable[bytes], dtype: np.dtype = ENTRY) -> np.ndarray:
    """Return the entries of several packed arrays, as a copy that may be changed."""
    return np.concatenate([np.empty(0, dtype), *(np.frombuffer(part, dtype) for part in parts)])


def converted(entries: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return entries of another dtype: fields that only it has are 0."""
    result = np.zeros(len(entries), dtype)
    for name in set(entries.dtype.fields or ()) & set(dtype.fields or ()):
        result[name] = entries[name]
    return result


def dealt(entries: np.ndarray, numbers: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (number, its entries) for every number that an entry has; their order stays."""
    order = np.argsort(numbers, kind="stable")
    distinct, starts = np.unique(numbers[order], return_index=True)
    ranges = itertools.pairwise([*starts, len(order)])
    for number, (begin, end) in zip(distinct.tolist(), ranges, strict=True):
        yield number, entries if len(distinct) == 1 else entries[order[begin:end]]


def grouped(entries: np.ndarray, by: tuple[str, ...]) -> Iterator[np.ndarray]:
    """Yield the positions of entries, two or more, that agree in all fields of `by`.

    The positions of a group are in the order of the release.
    """
    order = np.lexsort((entries["start"], entries["part"], *(entries[name] for name in by)))
    ordered = entries[order]
    differs = np.ones(len(order) + 1, bool)  # from the one before it; and the end
    for number, name in enumerate(by):
        unequal = ordered[name][1:] != ordered[name][:-1]
        differs[1:-1] = unequal if not number else differs[1:-1] | unequal
    edges = np.flatnonzero(differs)
    several = np.flatnonzero(np.diff(edges) > 1)
    for begin, end in zip(edges[several].tolist(), edges[several + 1].tolist(), strict=True):
        yield order[begin:end]
