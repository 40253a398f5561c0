"""Record index: where the records of TFRecord files begin and how long they are.

Owns one walk from header to header, whose checksums hold the lengths; contents are passed over, so
that a file is indexed at the speed of its headers. An index file beside each shard was rejected: it
can be older than the shard, and one of its own has to be made for every copy.
"""

import dataclasses
import os
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np

from affectnet_tfds import tfrecord
from affectnet_tfds.reader import open_files
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
    places = [
        (shard, start, length)
        for shard, file in enumerate(files)
        for start, length in _places(file, stamps=stamps)
    ]
    columns = np.array(places, np.int64).reshape(-1, 3).T
    return RecordIndex(
        files=tuple(files),
        shard=columns[0].astype(np.int32),
        start=columns[1],
        length=columns[2],
        stamps=stamps,
    )


def _places(
    file: pathlib.Path, *, stamps: dict[pathlib.Path, open_files.Stamp]
) -> Iterator[tuple[int, int]]:
    """Yield the first byte and the length of each record of a file."""
    untrusted.check(file, at_most=sys.maxsize)  # Opening a pipe would wait for ever.
    with errors.naming(file), file.open("rb", buffering=0) as opened:
        stamps[file] = open_files.stamp(opened)
        size = os.fstat(opened.fileno()).st_size
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
