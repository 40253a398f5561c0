"""The index: a few bytes for every row of a release, in place of the row itself.

Owns the working files of a staging folder that hold the parsed rows, and the entries that say where
each lies. Rows are parsed once, by the survey; what is shuffled, ranked and dealt to shards later
takes 24 bytes a row, where a row with its landmarks takes 1.3 kB, and whoever writes a shard
fetches its rows. Whole rows in the shuffle cost the local runner 9 kB each. Places in the
annotation lists instead were rejected: a layout of small files has none, and every row would have
to be parsed again.
"""

import itertools
import math
import pickle
from collections.abc import Iterable, Iterator
from typing import IO

import numpy as np

from pipeline.files import atomic, storage
from pipeline.rows import annotations

ENTRY = np.dtype(
    [
        ("key", "<u8"),  # plan.key of the record's file name
        ("start", "<u4"),  # of the row in the file of its part, in bytes
        ("part", "<u4"),
        ("size", "<u4"),  # in bytes
        ("face", "<u2"),  # 0 or 1: the first of its picture, or the only one
        ("split", "u1"),  # place in SPLITS
        ("label", "i1"),
    ]
)

SPLITS = ("train", "validation", "test")

BUCKET_BYTES = 16 << 20
"""How much of the annotations goes into one file of the index: 12,000 rows with landmarks."""

SPAN_BYTES = 1 << 20
"""Rows are fetched in pieces of at most about this size."""

_ROWS, _INDEX = "rows-", "index-"


def num_buckets(num_bytes: int) -> int:
    """Return in how many files the index of so many bytes of annotations is kept."""
    return max(1, math.ceil(num_bytes / BUCKET_BYTES))


def is_working_file(name: str) -> bool:
    """Tell by its name whether a file of the staging folder is one of these."""
    return name.startswith((_ROWS, _INDEX))


def clear(staging: storage.AnyPath) -> None:
    """Remove what an earlier attempt left: a file that this one does not write would give rows
    twice."""
    for entry in list(storage.entries(staging)):
        if is_working_file(entry.name):
            (staging / entry.name).unlink(missing_ok=True)


class Rows:
    """The rows of one part, as they are written."""

    def __init__(self, file: IO[bytes], part: int) -> None:
        """Write to a file of the staging folder (`rows_of_part`)."""
        self._file, self._part, self._start = file, part, 0
        self._entries: list[tuple[int, int, int, int, int, int, int]] = []

    def add(self, row: annotations.Row, *, key: int) -> None:
        """Write a row."""
        content = pickle.dumps(tuple(row), protocol=5)
        self._file.write(content)
        self._entries.append(
            (key, self._start, self._part, len(content), 0, SPLITS.index(row.split), row.label)
        )
        self._start += len(content)

    def entries(self) -> np.ndarray:
        """Return ENTRY[N] of what was written."""
        return np.array(self._entries, dtype=ENTRY)


def rows_of_part(staging: storage.AnyPath, part: int) -> storage.AnyPath:
    """Return the file of a part's rows."""
    return staging / f"{_ROWS}{part:06d}"


def fetch(staging: storage.AnyPath, entries: np.ndarray) -> list[annotations.Row]:
    """Return the rows of ENTRY[N], in their order, under the file names that the index gives them."""
    order = np.lexsort((entries["start"], entries["part"]))
    spans = (
        entries[span] for span in _spans(entries, order, gap_bytes=storage.worth_skipping(staging))
    )
    threads = storage.read_threads(staging, on_disk=1)
    found = storage.ahead(lambda span: _read_span(staging, span), spans, threads=threads)
    in_order = [row for rows in found for row in rows]
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return [in_order[place] for place in back]


def _spans(entries: np.ndarray, order: np.ndarray, *, gap_bytes: int) -> Iterator[np.ndarray]:
    """Yield the places of entries whose rows lie near each other, and are fetched in one go."""
    ordered = entries[order]
    starts, ends = (
        ordered["start"].astype(np.int64),
        ordered["start"].astype(np.int64) + ordered["size"],
    )
    cuts = ordered["part"][1:] != ordered["part"][:-1]
    cuts |= starts[1:] - ends[:-1] >= gap_bytes
    cuts |= starts[1:] // SPAN_BYTES != starts[:-1] // SPAN_BYTES
    return iter(np.split(order, np.flatnonzero(cuts) + 1) if len(order) else [])


def _read_span(staging: storage.AnyPath, span: np.ndarray) -> list[annotations.Row]:
    first, last = span[0], span[-1]
    begin = int(first["start"])
    with rows_of_part(staging, int(first["part"])).open("rb") as file:
        file.seek(begin)
        content = memoryview(file.read(int(last["start"]) + int(last["size"]) - begin))
    return [
        _row(content[start - begin : start - begin + size], face)
        for start, size, face in _places(span)
    ]


def _places(span: np.ndarray) -> Iterator[tuple[int, int, int]]:
    return zip(span["start"].tolist(), span["size"].tolist(), span["face"].tolist(), strict=True)


def _row(content: memoryview, face: int) -> annotations.Row:
    row = annotations.Row(*pickle.loads(content))
    return row._replace(filename=face_name(row.filename, face)) if face > 1 else row


def face_name(filename: str, face: int) -> str:
    """Return the record's file name of the n-th face in a picture, from 1."""
    return f"{filename}#{face}" if face > 1 else filename


def write(staging: storage.AnyPath, stage: str, bucket: int, entries: np.ndarray) -> None:
    """Write one file of the index as a stage leaves it."""
    with atomic.writing(_index_file(staging, stage, bucket)) as file:
        file.write(entries.tobytes())


def read(staging: storage.AnyPath, stage: str, bucket: int) -> np.ndarray:
    """Return ENTRY[N] of one file of the index; none where the stage had nothing to write."""
    try:
        return joined([_index_file(staging, stage, bucket).read_bytes()])
    except FileNotFoundError:
        return np.empty(0, ENTRY)


def _index_file(staging: storage.AnyPath, stage: str, bucket: int) -> storage.AnyPath:
    return staging / f"{_INDEX}{stage}-{bucket:06d}"


def joined(parts: Iterable[bytes], dtype: np.dtype = ENTRY) -> np.ndarray:
    """Return the entries of several packed arrays; a copy that may be changed."""
    return np.concatenate([np.empty(0, dtype), *(np.frombuffer(part, dtype) for part in parts)])


def converted(entries: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return entries with more fields, which are 0, or with fewer."""
    made = np.zeros(len(entries), dtype)
    for name in set(entries.dtype.fields or ()) & set(dtype.fields or ()):
        made[name] = entries[name]
    return made


def dealt(entries: np.ndarray, numbers: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (number, its entries) for every number that an entry has; their order stays."""
    order = np.argsort(numbers, kind="stable")
    found, starts = np.unique(numbers[order], return_index=True)
    for number, (begin, end) in zip(
        found.tolist(), itertools.pairwise([*starts, len(order)]), strict=True
    ):
        yield number, entries if len(found) == 1 else entries[order[begin:end]]


def grouped(entries: np.ndarray, by: tuple[str, ...]) -> Iterator[np.ndarray]:
    """Yield the places of two or more entries that agree in all fields of `by`, in the order of the
    release."""
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
