"""Record index: where the records of TFRecord files begin and how long they are.

Owns where the places come from: the index beside each file, where it has one that fits
(shard_index), or else one walk from header to header, whose checksums hold the lengths; contents
are passed over, so that a file is indexed at the speed of its headers.
"""

import dataclasses
import os
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np

from affectnet_tfds import tfrecord
from affectnet_tfds.reader import open_files, shard_index
from runtime import errors, untrusted


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordIndex:
    """Places of N records in file order.

    Attributes:
      files: the files.
      shard: int32[N], index into `files`.
      start: int64[N], byte at which the record begins in its file, with its header.
      length: int64[N], bytes of the record, header and checksums included.
      stamps: of each file when it was indexed (see `open_files.stamp`).
    """

    files: tuple[pathlib.Path, ...]
    shard: np.ndarray
    start: np.ndarray
    length: np.ndarray
    stamps: dict[pathlib.Path, open_files.Stamp]

    def __len__(self) -> int:
        return len(self.start)


def read(files: Sequence[pathlib.Path]) -> RecordIndex:
    """Index TFRecord files in their order.

    Raises:
      errors.UserError: naming the file and the record at which its framing is damaged.
      OSError: with the file's path, if the disk does not let it be read.
    """
    stamps: dict[pathlib.Path, open_files.Stamp] = {}
    places = [_places(file, stamps=stamps) for file in files]
    columns = np.concatenate([np.zeros((2, 0), np.int64), *places], axis=1)
    return RecordIndex(
        files=tuple(files),
        shard=np.repeat(np.arange(len(files), dtype=np.int32), [each.shape[1] for each in places]),
        start=columns[0],
        length=columns[1],
        stamps=stamps,
    )


def _places(file: pathlib.Path, *, stamps: dict[pathlib.Path, open_files.Stamp]) -> np.ndarray:
    """Return the first byte and the length of each of a file's M records: int64[2, M]."""
    untrusted.check(file, at_most=sys.maxsize)  # Opening a pipe would wait for ever.
    with errors.naming(file), file.open("rb", buffering=0) as opened:
        stamps[file] = open_files.stamp(opened)
        size = os.fstat(opened.fileno()).st_size
        rows = shard_index.read(file, size=size)
        if rows is not None:
            return np.stack([rows["start"].astype(np.int64), rows["length"].astype(np.int64)])
        walked = list(_walk(opened, file=file, size=size))
    places: np.ndarray = np.array(walked, np.int64).reshape(-1, 2).T
    return places


def _walk(opened: BinaryIO, *, file: pathlib.Path, size: int) -> Iterator[tuple[int, int]]:
    start = 0
    count = 0
    while start < size:
        length = _length(opened, start=start)
        if length is None or start + length > size:
            raise damaged(file, record=count, start=start)
        yield start, length
        start += length
        count += 1


def _length(opened: BinaryIO, *, start: int) -> int | None:
    """Return the bytes of the record that begins at a byte; None if its header is damaged."""
    opened.seek(start)
    header = opened.read(tfrecord.HEADER_BYTES)
    end = tfrecord.content_end(header, start=0)
    return None if end is None else end + tfrecord.FOOTER_BYTES


def damaged(file: pathlib.Path, *, record: int, start: int) -> errors.UserError:
    """Return the sentence about a record whose checksum does not match."""
    return errors.UserError(
        f"{file}, record {record}: its checksum does not match (byte {start}). "
        "'python -m pipeline.verify' says what else is damaged; build the data set "
        "again, or copy it again from an intact copy"
    )
