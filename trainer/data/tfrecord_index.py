"""Where each example of a split lies in its shards, and what it says besides its picture.

Owns one walk over the shards at start-up, which checks every checksum, and the way back to a
picture's bytes by its number. The files are mapped, not read: what is used stays in the system's
page cache, which all processes of a machine share. tf.data's TFRecord reader was rejected: it can
only go forward, and an epoch's order is any permutation.
"""

import dataclasses
import functools
import mmap
import pathlib
import struct
from collections.abc import Iterator, Sequence

import google_crc32c
import numpy as np
import tensorflow as tf

from runtime import errors

_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")
_HEADER, _FOOTER = _LENGTH.size + _CRC.size, _CRC.size
"""A TFRecord is length, checksum of the length, content, checksum of the content
(tensorflow/core/lib/io)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Records:
    """The N examples of a split in file order."""

    files: tuple[pathlib.Path, ...]
    shard: np.ndarray  # int32[N], index into `files`
    start: np.ndarray  # int64[N], of the picture's bytes in that file
    length: np.ndarray  # int64[N], of the picture's bytes
    labels: np.ndarray  # int64[N]
    valence: np.ndarray  # float32[N], NaN where there is none
    arousal: np.ndarray  # float32[N], NaN where there is none
    filenames: np.ndarray  # str[N]
    copies: np.ndarray  # int64[N]

    def image_bytes(self, number: int) -> memoryview:
        """Return the stored bytes of a picture."""
        start = int(self.start[number])
        return self._views[int(self.shard[number])][start : start + int(self.length[number])]

    @functools.cached_property
    def _views(self) -> list[memoryview]:
        return [memoryview(_mapped(file)) for file in self.files]


def read(files: Sequence[pathlib.Path]) -> Records:
    """Walk over shards in their order.

    Raises:
      errors.UserError: naming the file and the record where something is not as it was written.
    """
    found = [(shard, *entry) for shard, file in enumerate(files) for entry in _walk(file)]
    shard, start, length, labels, valence, arousal, filenames, copies = (
        zip(*found, strict=True) if found else [()] * 8
    )
    return Records(
        files=tuple(files),
        shard=np.array(shard, np.int32),
        start=np.array(start, np.int64),
        length=np.array(length, np.int64),
        labels=np.array(labels, np.int64),
        valence=np.array(valence, np.float32),
        arousal=np.array(arousal, np.float32),
        filenames=np.array(filenames, np.str_),
        copies=np.array(copies, np.int64),
    )


_Entry = tuple[int, int, int, float, float, str, int]


def _walk(file: pathlib.Path) -> Iterator[_Entry]:
    shard, place, index = _mapped(file), 0, 0
    while place < len(shard):
        content = _content(shard, place=place)
        if content is None:
            raise errors.UserError(
                f"{file}, record {index}: its checksum does not hold (byte {place}). 'python -m pipeline.verify' says "
                "what else is damaged; build the data set again, or copy it again from where it is whole"
            )
        yield _entry(shard, content=content, place=place)
        place, index = place + _HEADER + len(content) + _FOOTER, index + 1


def _content(shard: mmap.mmap, *, place: int) -> bytes | None:
    """Return the content of the record that begins at `place`, or None if the record is damaged or
    cut off."""
    header = shard[place : place + _HEADER]
    if len(header) < _HEADER or header[_LENGTH.size :] != _masked_crc(header[: _LENGTH.size]):
        return None
    end = place + _HEADER + _LENGTH.unpack_from(header)[0]
    content = shard[place + _HEADER : end]
    return content if shard[end : end + _FOOTER] == _masked_crc(content) else None


def _masked_crc(content: bytes) -> bytes:
    """Return the masked CRC-32C of TFRecord files (tensorflow/core/lib/hash/crc32c.h: Mask)."""
    crc = google_crc32c.value(content)
    return _CRC.pack((((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def _entry(shard: mmap.mmap, *, content: bytes, place: int) -> _Entry:
    feature = tf.train.Example.FromString(content).features.feature
    image = feature["image"].bytes_list.value[0]
    return (
        place + _HEADER + _place(image, within=content),
        len(image),
        feature["label"].int64_list.value[0],
        feature["valence"].float_list.value[0],
        feature["arousal"].float_list.value[0],
        feature["filename"].bytes_list.value[0].decode(),
        feature["copy"].int64_list.value[0],
    )


def _place(image: bytes, *, within: bytes) -> int:
    """Return where a picture's bytes are in a record; `index` prepares its search by all of what it
    looks for."""
    place = within.index(image[:_SEARCHED])
    while within[place : place + len(image)] != image:
        place = within.index(image[:_SEARCHED], place + 1)
    return place


_SEARCHED = 32


def _mapped(file: pathlib.Path) -> mmap.mmap:
    with file.open("rb") as opened:
        return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
