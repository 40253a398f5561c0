"""TFRecord index: labels of a split, and the file offset of every image in its shards.

Owns one scan of the shards at start-up, which verifies every checksum, and random access to an
image's bytes. What was read stays in the system's page cache, which all processes of a machine
share. tf.data's TFRecord reader was rejected: it can only go forward, and an epoch's order is any
permutation.
"""

import dataclasses
import functools
import math
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
import tensorflow as tf
from google.protobuf import message

from affectnet_tfds import example_codec, tfrecord
from affectnet_tfds.reader import open_files
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
    soft_labels: np.ndarray | None  # float32[N, 8], where the data have any
    groups: dict[str, np.ndarray]  # attribute → its text, str[N]; "" where there is none
    face_heights: np.ndarray  # float32[N], share of the original's height, NaN where there is none
    subsets: np.ndarray  # int64[N], index into labels.SUBSETS, -1 where there is none
    stamps: dict[pathlib.Path, open_files.Stamp]  # of each file when it was scanned

    def image_bytes(self, index: int) -> memoryview:
        """Return the stored bytes of an image; any thread may call this.

        Raises:
          errors.UserError: if the file is another one now than the one that was scanned.
          OSError: with the file's path, if the disk does not let it be read.
        """
        file = self.files[int(self.shard[index])]
        length = int(self.length[index])
        start = int(self.start[index])
        return memoryview(self._open_files.read(file, start=start, length=length))

    @functools.cached_property
    def _open_files(self) -> open_files.OpenFiles:
        return open_files.OpenFiles(self.stamps)


def read(files: Sequence[pathlib.Path]) -> Records:
    """Scan shards in their order.

    Raises:
      errors.UserError: naming the file and the record whose checksum does not match.
    """
    stamps: dict[pathlib.Path, open_files.Stamp] = {}
    entries = [
        (shard, *entry) for shard, file in enumerate(files) for entry in _scan(file, stamps=stamps)
    ]
    (
        shard,
        start,
        length,
        labels,
        valence,
        arousal,
        filenames,
        copies,
        soft,
        groups,
        heights,
        subsets,
    ) = zip(*entries, strict=True) if entries else [()] * 12
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
        soft_labels=_soft_labels(soft),
        groups=_groups(groups),
        face_heights=np.array(heights, np.float32),
        subsets=np.array(subsets, np.int64),
        stamps=stamps,
    )


_Groups = tuple[tuple[str, str], ...]

_Entry = tuple[int, int, int, float, float, str, int, bytes, _Groups, float, int]
"""Offset and length of the image's bytes, label, valence, arousal, file name, copy, soft label,
name and text of each attribute, height of the face box, subset."""


def _soft_labels(each: Sequence[bytes]) -> np.ndarray | None:
    """Return float32[N, 8] of the numbers of each record, or None where records have none.

    Raises:
      errors.UserError: if only some records have them.
    """
    if not any(each):
        return None
    if len({len(numbers) for numbers in each}) > 1:
        raise errors.UserError(
            "some records have a soft label and others have none; build the data set again"
        )
    return np.frombuffer(b"".join(each), np.float32).reshape(len(each), -1)


def _groups(each: Sequence[_Groups]) -> dict[str, np.ndarray]:
    """Return the text of each attribute in each record: str[N] by name.

    Raises:
      errors.UserError: if only some records have them.
    """
    names = {tuple(name for name, _ in groups) for groups in each}
    if len(names) > 1:
        raise errors.UserError(
            "some records have other attributes than others (groups); build the data set again"
        )
    columns = zip(*([text for _, text in groups] for groups in each), strict=True)
    return {
        name: np.array(texts, np.str_)
        for name, texts in zip(next(iter(names), ()), columns, strict=True)
    }


def _scan(file: pathlib.Path, *, stamps: dict[pathlib.Path, open_files.Stamp]) -> Iterator[_Entry]:
    with errors.naming(file), file.open("rb") as shard:
        stamps[file] = open_files.stamp(shard)
        size = os.fstat(shard.fileno()).st_size
        offset = 0
        index = 0
        while offset < size:
            content = _content(shard, most_bytes=size - offset)
            if content is None:
                raise errors.UserError(
                    f"{file}, record {index}: its checksum does not match (byte {offset}). "
                    "'python -m pipeline.verify' says what else is damaged; build the data set "
                    "again, or copy it again from an intact copy"
                )
            yield _checked_entry(content, offset=offset, where=f"{file}, record {index}")
            offset += tfrecord.FRAME_BYTES + len(content)
            index += 1


def _content(shard: BinaryIO, *, most_bytes: int) -> bytes | None:
    """Return the content of the next record, or None if it is damaged or truncated."""
    header = shard.read(tfrecord.HEADER_BYTES)
    end = tfrecord.content_end(header, start=0)
    if end is None or end > most_bytes:
        return None
    content = shard.read(end - tfrecord.HEADER_BYTES)
    footer = shard.read(tfrecord.FOOTER_BYTES)
    return content if tfrecord.is_intact(footer, content, end=0) else None


def _checked_entry(content: bytes, *, offset: int, where: str) -> _Entry:
    """Return the entry of a record whose checksum matches.

    Raises:
      errors.UserError: if the record is none of ours: another program wrote it.
    """
    try:
        found = _entry(content, offset=offset)
    except (message.DecodeError, IndexError, ValueError) as error:
        raise errors.UserError(
            f"{where}: it is no record of affectnet_faces ({error}); build the data set again"
        ) from None
    if any(math.isinf(value) for value in found[3:5]):
        raise errors.UserError(
            f"{where}: valence and arousal must be in -1..1, or NaN where there is none: got "
            f"{found[3]:g} and {found[4]:g}; build the data set again"
        )
    return found


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
        np.array(feature["soft_label"].float_list.value, np.float32).tobytes(),
        example_codec.groups_of(feature),
        _height(feature["bbox"].float_list.value),
        next(iter(feature["subset"].int64_list.value), -1),
    )


def _height(bbox: Sequence[float]) -> float:
    """Return the height of a box (ymin, xmin, ymax, xmax), NaN where there is none."""
    return bbox[2] - bbox[0] if len(bbox) == 4 else math.nan


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
