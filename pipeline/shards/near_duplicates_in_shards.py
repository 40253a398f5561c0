"""Near duplicates of the output: groups of image files that show one picture, and their labels.

They are found by the hashes taken while shards are written (pipeline/near_duplicates), so only
images in the output count; rows that balancing left out were never opened. Identical files, of
which several rows may be about other faces, are groups as well.
"""

import base64
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import simplejpeg

from affectnet_tfds import dataset_paths, example_codec, image_codec
from pipeline.files import storage
from pipeline.near_duplicates import groups, hash_file, perceptual_hash, pixels
from pipeline.rows import deduplicate
from pipeline.shards import duplicate_files

PICTURED, FILES_PICTURED, PICTURE_SIDE = 12, 6, 96
"""Groups that a report shows, the files of each, and the side of their images in pixels."""

Sidecars = Callable[[], Iterable[Mapping[str, Any]]]


class Member(NamedTuple):
    """A row of a group."""

    split: str
    subset: str
    name: str  # file name in the record
    label: int
    content: str  # hash of the image file, in hex

    @property
    def file(self) -> duplicate_files.File:
        """The image file, which several faces may be in."""
        return duplicate_files.File(self.split, self.subset, self.name.split("#")[0])


class Picture(NamedTuple):
    """A small JPEG of a row's face crop."""

    member: Member
    jpeg: bytes


class Found(NamedTuple):
    """Groups of rows about several image files, and pictures of the first near ones."""

    groups: tuple[tuple[Member, ...], ...] = ()
    pictures: tuple[tuple[Picture, ...], ...] = ()
    num_rows: int = 0

    @property
    def near(self) -> list[tuple[Member, ...]]:
        """The groups whose files are not all identical."""
        return [group for group in self.groups if kind_of(group) == "near"]

    @property
    def disagreeing(self) -> list[tuple[Member, ...]]:
        """The groups whose rows do not all have one label."""
        return [group for group in self.groups if labels_disagree(group)]

    def to_json(self) -> dict[str, Any]:
        """Return the groups for build_report.json: the near ones by what they span."""
        return {
            "images": self.num_rows,
            "near_duplicates": duplicate_files.spanning(map(files_of, self.near)).to_json(),
            "labels_disagree": [
                [f"{m.split}: {m.name} ({m.label})" for m in group] for group in self.disagreeing
            ],
        }


def kind_of(group: Sequence[Member]) -> str:
    """Return identical, or near."""
    return groups.kinds([member.content for member in group])


def labels_disagree(group: Sequence[Member]) -> bool:
    """Return whether the rows of a group have several labels."""
    return len({member.label for member in group}) > 1


def kept(group: Sequence[Member]) -> duplicate_files.File:
    """Return the file that stays of a group, as --drop_duplicates decides it."""
    return min(group, key=deduplicate.precedence).file


def files_of(group: Iterable[Member]) -> duplicate_files.Group:
    """Return the image files of a group, sorted."""
    return tuple(sorted({member.file for member in group}))


def pack(seen: np.ndarray) -> str:
    """Return hash_file.SEEN rows as text, for a sidecar."""
    return base64.b64encode(seen.tobytes()).decode()


def unpack(text: str) -> np.ndarray:
    """Return the hash_file.SEEN rows of a sidecar, in the order of its contents."""
    return np.frombuffer(base64.b64decode(text), hash_file.SEEN)


Faces = Callable[[np.ndarray], Iterable[np.ndarray | None]]
"""int64[M], rows in order → their face crops, uint8[S, S, 3]; None: one cannot be read."""

_ROW = np.dtype([*hash_file.SEEN.descr, ("shard", "<u4")])
_CONTENT = np.dtype([("first", "<u8"), ("second", "<u8")])


def find(sidecars: Sidecars, *, folder: storage.AnyPath, encoding: str, image_size: int) -> Found:
    """Return the groups of a build's rows.

    Args:
      sidecars: reads those of all shards, in one order; called twice.
      folder: of the shards.
      encoding: of the stored crops.
      image_size: side of the stored crops, in pixels.
    """
    stored = hash_file.HashFile(_ROW)
    contents: list[bytes] = []
    names: list[str] = []
    for shard, done in enumerate(sidecars()):
        rows = row_fields(unpack(done["hashes"]), _ROW)
        rows["shard"] = shard
        stored.add(rows)
        contents.append(bytes.fromhex("".join(found for found, _ in done["contents"].values())))
        names.append(done["name"])
    hashes = stored.rows()
    shards = _Shards(folder, names, encoding, image_size)

    def faces(asked: np.ndarray) -> Iterable[np.ndarray | None]:
        return shards.faces(hashes[asked])

    content = np.frombuffer(b"".join(contents), _CONTENT)
    found = groups.find(hashes, content, thumbnails=lambda asked: thumbnails(faces(asked)))
    return named(found, _members(found, hashes, sidecars), faces=faces, num_rows=hashed(hashes))


def named(
    found: Sequence[np.ndarray], members: Mapping[int, Member], *, faces: Faces, num_rows: int
) -> Found:
    """Return groups of rows by their members, with pictures of the first near ones.

    Rows about faces of one image file only are no group.

    Args:
      found: int64[M] each, rows.
      members: the rows of all groups.
      faces: reads face crops.
      num_rows: how many rows have a hash.
    """
    listed = [sorted((members[row], row) for row in group.tolist()) for group in found]
    listed = sorted(rows for rows in listed if len(files_of(member for member, _ in rows)) > 1)
    near = [rows for rows in listed if kind_of([member for member, _ in rows]) == "near"]
    # Those that spoil an evaluation or a label first; the sort keeps the order of names.
    near.sort(key=lambda rows: _weight([member for member, _ in rows]))
    shown = [rows[:FILES_PICTURED] for rows in near[:PICTURED]]
    return Found(
        groups=tuple(tuple(member for member, _ in rows) for rows in listed),
        pictures=tuple(tuple(_pictures(rows, faces)) for rows in shown),
        num_rows=num_rows,
    )


def _weight(group: Sequence[Member]) -> tuple[bool, bool]:
    return len({member.split for member in group}) < 2, not labels_disagree(group)


def _pictures(rows: Sequence[tuple[Member, int]], faces: Faces) -> Iterator[Picture]:
    numbers = np.array([row for _, row in rows], np.int64)
    for (member, _), face in zip(rows, faces(numbers), strict=True):
        if face is not None:
            size = (PICTURE_SIDE, PICTURE_SIDE)
            small = cv2.resize(face, size, interpolation=cv2.INTER_AREA)
            yield Picture(member, simplejpeg.encode_jpeg(small, quality=80, colorspace="RGB"))


def thumbnails(faces: Iterable[np.ndarray | None]) -> Iterator[np.ndarray | None]:
    """Yield the gray images that are compared."""
    for face in faces:
        yield None if face is None else perceptual_hash.thumbnail(face, side=pixels.SIDE)


def row_fields(rows: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return rows of another dtype: fields that only it has are 0."""
    result = np.zeros(len(rows), dtype)
    for name in set(rows.dtype.names or ()) & set(dtype.names or ()):
        result[name] = rows[name]
    return result


def hashed(hashes: np.ndarray) -> int:
    """Return how many rows have a hash."""
    return int(np.count_nonzero(hashes["even"][:, 0] | hashes["odd"][:, 0]))


def _members(
    found: Sequence[np.ndarray], hashes: np.ndarray, sidecars: Sidecars
) -> dict[int, Member]:
    """Return the members of all groups; their names are read again, and no others are kept."""
    wanted = {row for group in found for row in group.tolist()}
    members: dict[int, Member] = {}
    first = 0
    labels = np.array(hashes["label"])  # Not row by row of a memory map, which is slow.
    for done in sidecars() if wanted else ():
        split = dataset_paths.parse_shard_name(done["name"]).split
        for row, (name, (content, subset)) in enumerate(done["contents"].items(), first):
            if row in wanted:
                members[row] = Member(split, subset, name, int(labels[row]), content)
        first += len(done["contents"])
    return members


class _Shards:
    """Reader of face crops in finished shards."""

    def __init__(
        self, folder: storage.AnyPath, names: Sequence[str], encoding: str, image_size: int
    ) -> None:
        self._folder = folder
        self._names = names
        self._encoding = encoding
        self._image_size = image_size

    def faces(self, rows: np.ndarray) -> Iterator[np.ndarray | None]:
        """Yield the crops of _ROW[M], read ahead by threads."""
        asked = zip(rows["shard"].tolist(), rows["start"].tolist(), rows["even"], strict=True)
        threads = storage.read_threads(self._folder)
        return storage.ahead(self._face, asked, threads=threads)

    def _face(self, asked: tuple[int, int, np.ndarray]) -> np.ndarray | None:
        shard, start, even = asked
        if not even.any():  # Its image was rejected, or is flat.
            return None
        example = read_record(self._folder / self._names[shard], start)
        return image_codec.decode_crop(
            example.image, encoding=self._encoding, image_size=self._image_size
        )


def read_record(path: storage.AnyPath, offset: int) -> example_codec.Example:
    """Read the record that begins at a byte of a shard."""
    with path.open("rb") as file:
        file.seek(offset)
        (length,) = struct.unpack("<Q", file.read(12)[:8])
        return example_codec.parse(file.read(length))
