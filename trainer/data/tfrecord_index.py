"""TFRecord index: labels of a split, and the file offset of every image in its shards.

Owns where they come from: the index beside each shard (affectnet_tfds/reader/shard_index.py) or
else one scan of the shard; and random access to an image's bytes, whose checksum is compared each
time. What was read stays in the system's page cache, which all processes of a machine share.
tf.data's TFRecord reader was rejected: it can only go forward, and an epoch's order is any
permutation. Reading every shard at every start was rejected where there is an index: from a network
disk that takes minutes, on every host.
"""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import BinaryIO

import google_crc32c
import numpy as np

from affectnet_tfds import example_codec, tfrecord
from affectnet_tfds.reader import open_files, shard_index
from runtime import errors


@dataclasses.dataclass(frozen=True, kw_only=True)
class Records:
    """Records of a split, N of them in file order, without the images."""

    files: tuple[pathlib.Path, ...]
    shard: np.ndarray  # int32[N], index into `files`
    start: np.ndarray  # int64[N], offset of the image's bytes in that file
    length: np.ndarray  # int32[N], of the image's bytes
    crc32c: np.ndarray  # uint32[N], of the image's bytes
    labels: np.ndarray  # int64[N]
    valence: np.ndarray  # float32[N], NaN where there is none
    arousal: np.ndarray  # float32[N], NaN where there is none
    copies: np.ndarray  # int64[N]
    soft_labels: np.ndarray | None  # float32[N, 8], where the data have any
    face_heights: np.ndarray  # float32[N], share of the original's height, NaN where there is none
    subsets: np.ndarray  # int8[N], index into labels.SUBSETS
    stamps: dict[pathlib.Path, open_files.Stamp]  # of each file when it was indexed
    read_texts: Callable[[str], np.ndarray]  # a field of the index, str[N]
    group_names: Sequence[str]  # of the attributes that the data have

    @functools.cached_property
    def filenames(self) -> np.ndarray:
        """File names, str[N]; read when they are asked for, since they take most of the memory."""
        return self.read_texts("filename")

    @functools.cached_property
    def groups(self) -> dict[str, np.ndarray]:
        """Attribute → its text, str[N], "" where there is none; read as `filenames` are."""
        names = self.group_names
        return {name: self.read_texts(shard_index.group_field(name)) for name in names}

    def image_bytes(self, index: int) -> memoryview:
        """Return the stored bytes of an image; any thread may call this.

        Raises:
          errors.UserError: if the file is another one now than the one that was indexed, or the
            image is damaged.
          OSError: with the file's path, if the disk does not let it be read.
        """
        file = self.files[int(self.shard[index])]
        length = int(self.length[index])
        start = int(self.start[index])
        content = self._open_files.read(file, start=start, length=length)
        if google_crc32c.value(content) != self.crc32c[index]:
            record = index - int(np.searchsorted(self.shard, self.shard[index]))
            raise _damaged(file, record=record, offset=start)
        return memoryview(content)

    @functools.cached_property
    def _open_files(self) -> open_files.OpenFiles:
        return open_files.OpenFiles(self.stamps)


def read(files: Sequence[pathlib.Path], *, verify: bool = False) -> Records:
    """Index shards in their order.

    Args:
      files: the shards.
      verify: whether all shards are scanned, and compared with their index where they have one.

    Raises:
      errors.UserError: naming the file and the record whose checksum does not match; or the index
        that does not fit its shard, where that is compared.
    """
    stamps: dict[pathlib.Path, open_files.Stamp] = {}
    indexed = [_read_shard(file, stamps=stamps, verify=verify) for file in files]
    counts = [each.count for each in indexed]
    return Records(
        files=tuple(files),
        shard=np.repeat(np.arange(len(files), dtype=np.int32), counts),
        start=_joined(indexed, "image_start", np.int64),
        length=_joined(indexed, "image_length", np.int32),
        crc32c=_joined(indexed, "image_crc32c", np.uint32),
        labels=_joined(indexed, "label", np.int64),
        valence=_joined(indexed, "valence", np.float32),
        arousal=_joined(indexed, "arousal", np.float32),
        copies=_joined(indexed, "copy", np.int64),
        soft_labels=_soft_labels(indexed),
        face_heights=_joined(indexed, "face_height", np.float32),
        subsets=_joined(indexed, "subset", np.int8),
        stamps=stamps,
        read_texts=functools.partial(_texts, indexed),
        group_names=_group_names(indexed),
    )


_COLUMNS = (
    "image_start",
    "image_length",
    "image_crc32c",
    "label",
    "copy",
    "valence",
    "arousal",
    "face_height",
    "subset",
    "soft_label",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Shard:
    """What is kept of a shard's index: `_COLUMNS`, and its texts only if it was scanned."""

    file: pathlib.Path
    size: int
    count: int
    columns: dict[str, np.ndarray]
    group_names: tuple[str, ...]
    scanned: np.ndarray | None  # all rows; None: they are in the index beside the shard

    def texts(self, field: str) -> np.ndarray:
        """Return a field of texts, such as filename: str[N].

        Raises:
          errors.UserError: if the index is another one now.
        """
        rows = self.scanned
        if rows is None:
            rows = shard_index.read(self.file, size=self.size)
        if rows is None or len(rows) != self.count or field not in shard_index.fields_of(rows):
            raise open_files.replaced(shard_index.path(self.file))
        return np.char.decode(rows[field], "utf-8")


def _read_shard(
    file: pathlib.Path, *, stamps: dict[pathlib.Path, open_files.Stamp], verify: bool
) -> _Shard:
    with errors.naming(file), file.open("rb") as shard:
        stamps[file] = open_files.stamp(shard)
        size = os.fstat(shard.fileno()).st_size
        rows = shard_index.read(file, size=size)
        found = rows if rows is not None and not verify else _scan(shard, file=file, size=size)
    if verify and rows is not None:
        _check_equal(rows, found, path=shard_index.path(file))
    _check_numbers(found, file=file)
    return _Shard(
        file=file,
        size=size,
        count=len(found),
        columns={
            name: found[name].copy() for name in _COLUMNS if name in shard_index.fields_of(found)
        },
        group_names=tuple(shard_index.group_names(found)),
        scanned=None if found is rows else found,
    )


def _scan(shard: BinaryIO, *, file: pathlib.Path, size: int) -> np.ndarray:
    """Return the rows of an index of a shard without one, whose checksums are all compared."""
    records: list[shard_index.Record] = []
    offset = 0
    while offset < size:
        where = f"{file}, record {len(records)}"
        framed = _framed(shard, most_bytes=size - offset)
        if framed is None:
            raise _damaged(file, record=len(records), offset=offset)
        content = framed[tfrecord.HEADER_BYTES : -tfrecord.FOOTER_BYTES]
        try:
            example = example_codec.parse(content)
        except ValueError as error:  # Another program wrote it.
            raise errors.UserError(
                f"{where}: it is no record of affectnet_faces ({error.__cause__}); build the data "
                "set again"
            ) from None
        records.append(shard_index.record(example, framed, start=offset))
        offset += len(framed)
    try:
        return shard_index.array(records)
    except ValueError as error:
        raise errors.UserError(f"{file}: {error}; build the data set again") from None


def _framed(shard: BinaryIO, *, most_bytes: int) -> bytes | None:
    """Return the next record with its framing, or None if it is damaged or truncated."""
    header = shard.read(tfrecord.HEADER_BYTES)
    end = tfrecord.content_end(header, start=0)
    if end is None or end > most_bytes:
        return None
    content = shard.read(end - tfrecord.HEADER_BYTES)
    footer = shard.read(tfrecord.FOOTER_BYTES)
    return header + content + footer if tfrecord.is_intact(footer, content, end=0) else None


def _damaged(file: pathlib.Path, *, record: int, offset: int) -> errors.UserError:
    return errors.UserError(
        f"{file}, record {record}: its checksum does not match (byte {offset}). "
        "'python -m pipeline.verify' says what else is damaged; build the data set "
        "again, or copy it again from an intact copy"
    )


def _check_equal(rows: np.ndarray, scanned: np.ndarray, *, path: pathlib.Path) -> None:
    """Refuse an index that is not that of its shard; compares bytes, since NaN differs from NaN."""
    if rows.dtype != scanned.dtype or rows.tobytes() != scanned.tobytes():
        raise errors.UserError(
            f"{path} is not the index of its shard; copy the version again from an intact copy, or "
            "remove the index: training then reads that shard from end to end at each start"
        )


def _check_numbers(rows: np.ndarray, *, file: pathlib.Path) -> None:
    strange = np.flatnonzero(np.isinf(rows["valence"]) | np.isinf(rows["arousal"]))
    if strange.size:
        first = int(strange[0])
        raise errors.UserError(
            f"{file}, record {first}: valence and arousal must be in -1..1, or NaN where there is "
            f"none: got {rows['valence'][first]:g} and {rows['arousal'][first]:g}; build the data "
            "set again"
        )


def _joined(indexed: Sequence[_Shard], name: str, kind: type) -> np.ndarray:
    """Return a column of all shards."""
    return np.concatenate([np.zeros(0, kind), *(each.columns[name] for each in indexed)]).astype(
        kind, copy=False
    )


def _soft_labels(indexed: Sequence[_Shard]) -> np.ndarray | None:
    """Return float32[N, 8] of the numbers of each record, or None where records have none.

    Raises:
      errors.UserError: if only some records have them.
    """
    found = [each.columns.get("soft_label") for each in indexed if each.count]
    some = [column for column in found if column is not None]
    if not some:
        return None
    if len(some) < len(found):
        raise errors.UserError(
            "some records have a soft label and others have none; build the data set again"
        )
    return np.concatenate(some)


def _texts(indexed: Sequence[_Shard], field: str) -> np.ndarray:
    found = [each.texts(field) for each in indexed if each.count]  # An empty shard has no groups.
    return np.concatenate([np.zeros(0, "U1"), *found])


def _group_names(indexed: Sequence[_Shard]) -> tuple[str, ...]:
    """Return the names of the attributes that all records have.

    Raises:
      errors.UserError: if only some records have them.
    """
    names = {each.group_names for each in indexed if each.count}
    if len(names) > 1:
        raise errors.UserError(
            "some records have other attributes than others (groups); build the data set again"
        )
    return next(iter(names), ())
