"""Hash file: the perceptual hashes of all rows in a temporary file, mapped into memory.

Owns why a build stays flat in memory: 160 bytes a row are on the disk, and of them the 16 of the
whole crop are read into memory (candidates.py).
"""

import tempfile
from typing import IO

import numpy as np

from pipeline.near_duplicates import perceptual_hash

SEEN = np.dtype([*perceptual_hash.HASH.descr, ("start", "<u8"), ("label", "i1")])
"""A row of a shard: its hash, where its example begins in the shard, and its label."""


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
