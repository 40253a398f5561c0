"""Shard index: where each record of a shard lies, and all of it that is read before its image.

Owns the file beside a shard, and when it is used: two lines of text, the second with the SHA-256 of
what follows, and a NumPy array (.npy) with a row for each record. A reader that has it need not
read the shard from end to end. One index for a whole split was rejected: workers write shards apart
from each other, and what they have written is published as it is. A database was rejected: rows are
only ever read all at once.
"""

import hashlib
import io
import math
import pathlib
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import google_crc32c
import numpy as np

from affectnet_tfds import dataset_paths, example_codec, tfrecord
from runtime import errors

HEAD = b"affectnet_faces shard index 1"
"""First line of the file: what it is, and the number of its format."""

_PREFIX = 32
_GROUP = "groups/"
_MAX_HEADER_CHARACTERS = 10_000


class Record(NamedTuple):
    """A row of an index.

    `start` and `image_start` are bytes from the beginning of the shard; `length` is that of the
    record with its framing.
    """

    start: int
    length: int
    image_start: int
    image_length: int
    image_crc32c: int
    label: int
    copy: int
    valence: float  # NaN where there is none
    arousal: float  # NaN where there is none
    face_height: float  # of the box, as a share of the original's height; NaN where there is none
    subset: int  # index into labels.SUBSETS
    filename: bytes  # UTF-8
    soft_label: Sequence[float] = ()  # none, or 8
    groups: Sequence[tuple[str, str]] = ()  # name and text of each attribute, by name


_FIELDS = (
    ("start", "<u8"),
    ("length", "<u4"),
    ("image_start", "<u8"),
    ("image_length", "<u4"),
    ("image_crc32c", "<u4"),
    ("label", "<i2"),
    ("copy", "<i4"),
    ("valence", "<f4"),
    ("arousal", "<f4"),
    ("face_height", "<f4"),
    ("subset", "<i1"),
)


def record(example: example_codec.Example, framed: bytes, *, start: int) -> Record:
    """Return the row of an example whose framed record begins at a byte of its shard."""
    return Record(
        start=start,
        length=len(framed),
        image_start=start + image_offset(example.image, within=framed),
        image_length=len(example.image),
        image_crc32c=google_crc32c.value(example.image),
        label=example.label,
        copy=example.copy,
        valence=example.valence,
        arousal=example.arousal,
        face_height=_height(example.bbox),
        subset=example.subset,
        filename=example.filename.encode(),
        soft_label=example.soft_label,
        groups=example.groups,
    )


def _height(bbox: Sequence[float]) -> float:
    """Return the height of a box (ymin, xmin, ymax, xmax) as stored, NaN where there is none."""
    if len(bbox) != 4:
        return math.nan
    return float(np.float32(bbox[2]) - np.float32(bbox[0]))  # The same before and after storage.


def image_offset(image: bytes, *, within: bytes) -> int:
    """Return the offset of an image's bytes in a record.

    Only a prefix is searched for: `bytes.index` takes time to prepare for a long needle.
    """
    prefix = image[:_PREFIX]
    offset = within.index(prefix)
    while within[offset : offset + len(image)] != image:
        offset = within.index(prefix, offset + 1)
    return offset


def array(records: Iterable[Record]) -> np.ndarray:
    """Return the rows as a structured array, [N], with the fields of `Record`.

    Soft labels are a field float32[8] where the records have any, and no field else; each attribute
    is a field of its own (`group_field`), of UTF-8.

    Raises:
      ValueError: if only some records have a soft label, or an attribute.
    """
    rows = list(records)
    numbers = {len(row.soft_label) for row in rows}
    if len(numbers) > 1:
        raise ValueError("some records have a soft label and others have none")
    names = {tuple(name for name, _ in row.groups) for row in rows}
    if len(names) > 1:
        raise ValueError("some records have other attributes than others (groups)")
    columns: dict[str, list[bytes]] = {"filename": [row.filename for row in rows]}
    for place, name in enumerate(next(iter(names), ())):
        columns[group_field(name)] = [row.groups[place][1].encode() for row in rows]
    fields: list[Any] = [*_FIELDS]
    fields += [(name, f"S{max(1, *map(len, texts), 1)}") for name, texts in columns.items()]
    if numbers - {0}:
        fields.append(("soft_label", "<f4", (numbers.pop(),)))
    found = np.zeros(len(rows), np.dtype(fields))
    for name, _ in _FIELDS:
        found[name] = [getattr(row, name) for row in rows]
    for name, texts in columns.items():
        found[name] = texts
    if "soft_label" in fields_of(found):
        found["soft_label"] = [row.soft_label for row in rows]
    return found


def group_field(name: str) -> str:
    """Return the field that has an attribute's text."""
    return f"{_GROUP}{name}"


def group_names(rows: np.ndarray) -> list[str]:
    """Return the names of the attributes that an index has."""
    return [name.removeprefix(_GROUP) for name in fields_of(rows) if name.startswith(_GROUP)]


def fields_of(rows: np.ndarray) -> tuple[str, ...]:
    """Return the names of the fields that an index has."""
    return rows.dtype.names or ()


def of_shard(content: bytes) -> np.ndarray:
    """Return the index of a shard by reading all of it, as `array` does.

    Raises:
      ValueError: naming the first record that is damaged, or none of this data set.
    """
    rows = []
    start = 0
    for number, found in enumerate(tfrecord.records(content)):
        if isinstance(found, str):
            raise ValueError(f"record {number}: {found}")
        length = len(found) + tfrecord.FRAME_BYTES
        framed = content[start : start + length]
        rows.append(record(example_codec.parse(found), framed, start=start))
        start += length
    return array(rows)


def encode(rows: np.ndarray) -> bytes:
    """Return the content of an index file, the same for the same rows."""
    body = io.BytesIO()
    np.lib.format.write_array(body, rows, version=(1, 0), allow_pickle=False)
    digest = hashlib.sha256(body.getvalue()).hexdigest()
    return b"%s\n%s\n%s" % (HEAD, digest.encode(), body.getvalue())


def decode(content: bytes) -> np.ndarray:
    """Return the rows of an index file, as `array` made them.

    Raises:
      ValueError: if it is damaged, or of another format.
    """
    head, _, rest = content.partition(b"\n")
    digest, _, body = rest.partition(b"\n")
    if head != HEAD:
        raise ValueError(f"an index must begin with {HEAD.decode()!r}: got {head[:60]!r}")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise ValueError("its SHA-256 is not the one in its second line")
    rows: np.ndarray = np.lib.format.read_array(
        io.BytesIO(body), allow_pickle=False, max_header_size=_MAX_HEADER_CHARACTERS
    )
    names = fields_of(rows)
    wanted = (*(name for name, _ in _FIELDS), "filename")
    if rows.ndim != 1 or names[: len(wanted)] != wanted:
        raise ValueError(f"its rows must have the fields {', '.join(wanted)}: got {names}")
    return rows


def shard_bytes(rows: np.ndarray) -> int:
    """Return the size of the shard that an index describes."""
    return int(rows["start"][-1]) + int(rows["length"][-1]) if len(rows) else 0


def path(shard: pathlib.Path) -> pathlib.Path:
    """Return where the index of a shard is, if it has one."""
    return shard.with_name(dataset_paths.index_name(shard.name))


def read(shard: pathlib.Path, *, size: int) -> np.ndarray | None:
    """Return the rows of the index beside a shard (`array`); None: there is none that can be used.

    It can if it is intact and describes a shard of this size. One that cannot costs time and
    nothing else, so that it is a warning and no error.

    Args:
      shard: the file.
      size: of the shard, in bytes.

    Raises:
      OSError: with the index's path, if the disk does not let it be read.
    """
    file = path(shard)
    if not file.is_file():
        return None
    with errors.naming(file):
        content = file.read_bytes()
    try:
        rows = decode(content)
        described = shard_bytes(rows)
        if described != size:
            raise ValueError(f"it describes {described:,} bytes, and its shard has {size:,}")
    except ValueError as error:
        print(
            f"warning       cannot use {file} ({error}): its shard is read from end to end "
            "instead; 'python -m pipeline.verify' says what else is damaged",
            file=sys.stderr,
        )
        return None
    return rows
