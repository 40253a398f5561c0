"""Bounded groups: packed entries for a GroupByKey, where no key gets more than MAX_KEY_BYTES.

Engines hold the values of a key in memory together, and Beam's runner for Flink makes one record of
them. So every sender has a share of what a key may get; entries beyond it go into a file of the
staging folder, and the key gets their place in that file. More keys alone were rejected: rows about
one image, and files of one content, have the same key however many keys there are.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.files import atomic, storage
from pipeline.rows import row_index

MAX_KEY_BYTES = 4_000_000
"""Most bytes of the values of a key."""

CODER_BYTES = 4
"""Bytes that Beam adds to a value to say how long it is."""

_PACKED = b"\0"
_PLACE = b"\1"
"""First byte of a value: whether entries follow, or the place of entries in a file."""

_PLACE_FIELDS = struct.Struct("<QQI")
"""Number of the sender, first byte in its file, and number of bytes."""


class Sender(NamedTuple):
    """One call of a step that sends entries to a GroupByKey."""

    staging: str
    stage: str  # names its files, with its number
    number: int  # no other sender of the stage has it, and it has it again when it is run again
    share_bytes: int  # of what a key may get; 0: all entries go through the file


def share_bytes(num_senders: int) -> int:
    """Return the share of each of so many senders."""
    return MAX_KEY_BYTES // max(1, num_senders)


def sent(entries: np.ndarray, keys: np.ndarray, *, sender: Sender) -> Iterator[tuple[int, bytes]]:
    """Yield (key, value) for every key that an entry has.

    Args:
      entries: any packed dtype, [N], in an order that is the same when the sender is run again.
      keys: int64[N], the key of each.
      sender: which sends them.
    """
    values: list[tuple[int, bytes]] = []
    beyond: list[bytes] = []
    start = 0
    for key, of_key in row_index.dealt(entries, keys):
        value = whole(of_key)
        if len(value) + CODER_BYTES > sender.share_bytes:
            beyond.append(of_key.tobytes())
            value = _PLACE + _PLACE_FIELDS.pack(sender.number, start, len(beyond[-1]))
            start += len(beyond[-1])
        values.append((key, value))
    if beyond:
        with atomic.writing(
            _file(storage.path(sender.staging), sender.stage, sender.number)
        ) as out:
            out.writelines(beyond)
    yield from values


def whole(entries: np.ndarray) -> bytes:
    """Return the value that has the entries themselves."""
    return _PACKED + entries.tobytes()


def received(
    values: Iterable[bytes], *, staging: str, stage: str, dtype: np.dtype = row_index.ENTRY
) -> np.ndarray:
    """Return the entries of a key, [N], as a copy that may be changed.

    Raises:
      FileNotFoundError: if a file with entries is not there.
    """
    folder = storage.path(staging)

    def content(value: bytes) -> bytes:
        if value[:1] == _PACKED:
            return value[1:]
        number, start, size = _PLACE_FIELDS.unpack(value[1:])
        with _file(folder, stage, number).open("rb") as file:
            file.seek(start)
            return file.read(size)

    threads = storage.read_threads(folder, on_disk=1)
    return row_index.joined(storage.ahead(content, values, threads=threads), dtype)


def num_bytes(values: Sequence[bytes]) -> int:
    """Return the bytes of the values of a key.

    Raises:
      AssertionError: if they are more than a key may get, which is a defect of the job.
    """
    total = sum(map(len, values)) + CODER_BYTES * len(values)
    if total > MAX_KEY_BYTES:
        raise AssertionError(f"a key may get {MAX_KEY_BYTES:,} bytes: this one gets {total:,}")
    return total


def _file(staging: storage.AnyPath, stage: str, number: int) -> storage.AnyPath:
    return row_index.file_of(staging, f"beyond-{stage}", number)
