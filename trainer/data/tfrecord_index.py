"""TFRecord index: labels of a split, and the file offset of every image in its shards.

Owns one scan of the shards at start-up, which verifies every checksum, and random access to an
image's bytes. The files are mapped, not read: used pages stay in the system's page cache, which all
processes of a machine share. tf.data's TFRecord reader was rejected: it can only go forward, and an
epoch's order is any permutation.
"""

import dataclasses
import functools
import mmap
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from affectnet_tfds import tfrecord
from runtime import errors


@dataclasses.dataclass(frozen=True, kw_only=True)
class Records:
    """Records of a split, N of them in file order, without the images."""

    files: tuple[pathlib.Path, ...]
    shard: np.ndarray  # int32[N], index into `files`
    start: np.ndarray  # int64[N], offset of the image's bytes in that file
    length: np.ndarray  # int64[N], of the image's bytes
    labels: np.ndarray  # int64[N]
    valence: np.ndarray  # float32[N], NaN where there is none
    arousal: np.ndarray  # float32[N], NaN where there is none
    filenames: np.ndarray  # str[N]
    copies: np.ndarray  # int64[N]

    def image_bytes(self, index: int) -> memoryview:
        """Return the stored bytes of an image."""
        start = int(self.start[index])
        return self._views[int(self.shard[index])][start : start + int(self.length[index])]

    @functools.cached_property
    def _views(self) -> list[memoryview]:
        return [memoryview(_mapped(file)) for file in self.files]


def read(files: Sequence[pathlib.Path]) -> Records:
    """Scan shards in their order.

    Raises:
      errors.UserError: naming the file and the record whose checksum does not match.
    """
    entries = [(shard, *entry) for shard, file in enumerate(files) for entry in _scan(file)]
    shard, start, length, labels, valence, arousal, filenames, copies = (
        zip(*entries, strict=True) if entries else [()] * 8
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
"""Offset and length of the image's bytes, label, valence, arousal, file name, copy."""


def _scan(file: pathlib.Path) -> Iterator[_Entry]:
    shard = _mapped(file)
    offset = 0
    index = 0
    while offset < len(shard):
        content = _content(shard, offset=offset)
        if content is None:
            raise errors.UserError(
                f"{file}, record {index}: its checksum does not match (byte {offset}). 'python -m "
                "pipeline.verify' says what else is damaged; build the data set again, or copy it "
                "again from an intact copy"
            )
        yield _entry(content, offset=offset)
        offset += tfrecord.FRAME_BYTES + len(content)
        index += 1


def _content(shard: mmap.mmap | bytes, *, offset: int) -> bytes | None:
    """Return the content of the record at an offset, or None if it is damaged or truncated."""
    end = tfrecord.content_end(shard, start=offset)
    if end is None:
        return None
    content = shard[offset + tfrecord.HEADER_BYTES : end]
    return content if tfrecord.is_intact(shard, content, end=end) else None


def _entry(content: bytes, *, offset: int) -> _Entry:
    feature = tf.train.Example.FromString(content).features.feature
    image = feature["image"].bytes_list.value[0]
    return (
        offset + tfrecord.HEADER_BYTES + _find(image, within=content),
        len(image),
        feature["label"].int64_list.value[0],
        feature["valence"].float_list.value[0],
        feature["arousal"].float_list.value[0],
        feature["filename"].bytes_list.value[0].decode(),
        feature["copy"].int64_list.value[0],
    )


def _find(image: bytes, *, within: bytes) -> int:
    """Return the offset of an image's bytes in a record.

    Only a prefix is searched for: `bytes.index` takes time to prepare for a long needle.
    """
    prefix = image[:_PREFIX]
    offset = within.index(prefix)
    while within[offset : offset + len(image)] != image:
        offset = within.index(prefix, offset + 1)
    return offset


_PREFIX = 32


def _mapped(file: pathlib.Path) -> mmap.mmap | bytes:
    with file.open("rb") as opened:
        if not os.fstat(opened.fileno()).st_size:
            return b""  # A shard whose images were all rejected; an empty file cannot be mapped.
        return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
