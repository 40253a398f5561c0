"""Hash file: the perceptual hashes of all rows in a temporary file, mapped into memory.

Owns why a build stays flat in memory: 160 bytes a row are on the disk, and of them the 16 of the
whole crop are read into memory (candidates.py).
"""

import tempfile
from collections.abc import Iterable
from typing import IO

import numpy as np

from pipeline.near_duplicates import perceptual_hash

SEEN = np.dtype([*perceptual_hash.HASH.descr, ("start", "<u8"), ("label", "i1")])
"""A row of a shard: its hash, where its example begins in the shard, and its label."""

_HASHED_TOGETHER = 16
"""Rows that are hashed at once: more of them would leave the cache of a core."""


class SeenRows:
    """The rows of a shard by file name, whose hashes are taken many at a time."""

    def __init__(self) -> None:
        """Begin with no row."""
        self._places: dict[str, int] = {}
        self._numbers: list[tuple[int, int]] = []  # start and label
        self._thumbnails: list[np.ndarray] = []  # of the rows that are not hashed yet
        self._hashes: list[np.ndarray] = []

    def add(self, name: str, face: np.ndarray, *, start: int, label: int) -> None:
        """Add the face crop, uint8[S, S, 3], of a row whose example begins at a byte."""
        self._places[name] = len(self._numbers)
        self._numbers.append((start, label))
        self._thumbnails.append(perceptual_hash.thumbnail(face, side=perceptual_hash.SIDE))
        if len(self._thumbnails) == _HASHED_TOGETHER:
            self._hash()

    def rows(self, names: Iterable[str]) -> np.ndarray:
        """Return SEEN of rows, in the order of their names; zeros for names that were not added."""
        if self._thumbnails:
            self._hash()
        seen = np.zeros(len(self._numbers) + 1, SEEN)  # The last one is what was not added.
        hashes = np.concatenate([np.empty(0, perceptual_hash.HASH), *self._hashes])
        for field in ("even", "odd"):
            seen[field][:-1] = hashes[field]
        for place, field in enumerate(("start", "label")):
            seen[field][:-1] = [numbers[place] for numbers in self._numbers]
        return seen[[self._places.get(name, -1) for name in names]]

    def _hash(self) -> None:
        self._hashes.append(perceptual_hash.of_thumbnails(np.stack(self._thumbnails)))
        self._thumbnails.clear()


class HashFile:
    """Rows of one dtype, which are added and then read together."""

    def __init__(self, dtype: np.dtype) -> None:
        """Begin with no row."""
        self._dtype = dtype
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - it lasts as long as this does
        self.num_rows = 0

    def add(self, rows: np.ndarray) -> None:
        """Add rows of the dtype."""
        self._file.write(rows.tobytes())
        self.num_rows += len(rows)

    def rows(self) -> np.ndarray:
        """Return all rows."""
        self._file.flush()
        if not self.num_rows:
            return np.empty(0, self._dtype)
        return np.memmap(self._file, self._dtype, mode="r", shape=(self.num_rows,))
