"""One shard: read its pictures, crop them, write the file, prove it with a sidecar.

A shard appears as a whole (commit.py), and then its sidecar does; a sidecar with the right digest
therefore means a whole shard, and a killed job goes on with the shards that have none. Attempts
that run twice write the same bytes and so do no harm.
"""

import collections
import functools
import hashlib
import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from affectnet_tfds import crop_geometry, example_codec, face_crop, image_codec, labels, tfrecord
from pipeline.files import atomic, storage
from pipeline.rows import annotations
from pipeline.shards import image_statistics, plan, write_lease

NO_SOFT_LABEL = (math.nan,) * 8


class Spec(NamedTuple):
    """What all shards of a build have in common."""

    root: str  # of the release
    staging: str
    content: Mapping[str, Any]  # config.JobConfig.content()
    attempt: str = ""  # that may write (attempts.opened); "": any may

    @property
    def image_size(self) -> int:
        return int(self.content["image_size"])


def file_name(split: str, index: int, num_shards: int) -> str:
    """Return the name TFDS gives a shard."""
    return f"affectnet_faces-{split}.tfrecord-{index:05d}-of-{num_shards:05d}"


def write(spec: Spec, name: str, tasks: Iterable[plan.Task]) -> dict[str, Any]:
    """Write a shard and its sidecar, unless both are there already; return the sidecar.

    Raises:
      attempts.Abandoned: if the attempt is given up meanwhile.
    """
    _check(spec)
    ordered = sorted(tasks, key=lambda task: (task.place, task.row.filename, task.copy))
    digest = plan.digest(ordered, spec.content)
    if (done := sidecar(spec, name)) and done["digest"] == digest:
        return done
    staging = storage.path(spec.staging)
    tally = Tally(beat=staging / f"{name}.progress")
    with atomic.writing(staging / name) as file:
        for example in examples(spec, ordered, tally):
            framed = tfrecord.frame(example_codec.serialize(example))
            file.write(framed)
            tally.wrote(example, framed)
            if tally.tell():
                _check(spec)
        _check(spec)
    result = {"name": name, "digest": digest, **tally.to_json()}
    atomic.write_text(staging / f"{name}.json", json.dumps(result))
    tally.beat.unlink(missing_ok=True)
    return result


def _check(spec: Spec) -> None:
    if spec.attempt:
        write_lease.check(storage.path(spec.staging), spec.attempt)


def sidecar(spec: Spec, name: str) -> dict[str, Any] | None:
    """Return the sidecar of a finished shard, or None."""
    try:
        staging = storage.path(spec.staging)
        done = json.loads((staging / f"{name}.json").read_text(encoding="utf-8"))
        return done if (staging / name).stat().st_size == done["file_bytes"] else None
    except (OSError, ValueError, KeyError):
        return None


class Tally:
    """What a shard holds so far."""

    def __init__(self, beat: storage.AnyPath) -> None:
        """Start with nothing; `beat` is the file that tells the driver how far the shard is."""
        self.beat, self._beat_seconds = beat, storage.poll_seconds(beat)
        self.label_counts: collections.Counter[int] = collections.Counter()
        self.record_bytes = self.file_bytes = 0
        self.rejects: list[annotations.Reject] = []
        self.contents: dict[
            str, tuple[str, str]
        ] = {}  # file name → hash of the picture file, subset; for copy 0
        self.rows: collections.Counter[int] = (
            collections.Counter()
        )  # rows with copy 0 here, by label
        self.not_aligned = 0  # rows with copy 0 here that were cut by their box
        self.observed = image_statistics.ImageStatistics()
        self._sha256 = hashlib.sha256()
        self._last_beat = 0.0

    def saw(self, row: annotations.Row, made: "Cut") -> None:
        """Count a row whose copy 0 is written next."""
        self.not_aligned += not made.aligned
        self.observed.add(row, made.sight, image_size=len(made.face), at=self.file_bytes)

    def wrote(self, example: example_codec.Example, framed: bytes) -> None:
        """Count an example that was written."""
        self.label_counts[example.label] += 1
        self.rows[example.label] += example.copy == 0
        self.file_bytes += len(framed)
        self.record_bytes += len(framed) - 16
        self._sha256.update(framed)

    def tell(self) -> bool:
        """Tell the driver how far the shard is, now and then; return whether it was told."""
        if time.monotonic() - self._last_beat < self._beat_seconds:
            return False
        self._last_beat = time.monotonic()
        self.beat.write_text(str(self.num_examples))
        return True

    @property
    def num_examples(self) -> int:
        return sum(self.label_counts.values())

    def to_json(self) -> dict[str, Any]:
        """Return what the sidecar says."""
        return {
            "num_examples": self.num_examples,
            "record_bytes": self.record_bytes,
            "file_bytes": self.file_bytes,
            "sha256": self._sha256.hexdigest(),
            "label_counts": {str(label): n for label, n in sorted(self.label_counts.items())},
            "rows": {str(label): n for label, n in sorted(self.rows.items())},
            "rejects": sorted(map(list, self.rejects)),
            "not_aligned": self.not_aligned,
            "contents": dict(sorted(self.contents.items())),
            "observed": self.observed.to_json(),
        }


def examples(
    spec: Spec, tasks: Sequence[plan.Task], tally: Tally
) -> Iterator[example_codec.Example]:
    """Yield an example for every task whose picture can be used; the others become rejects of the
    tally."""
    for task, content in read_ahead(storage.path(spec.root), tasks):
        try:
            if isinstance(content, annotations.InvalidExample):
                raise content
            if task.copy == 0:
                tally.contents[task.row.filename] = (content_hash(content), task.row.subset)
            made = cut(content, task.row, spec.content)
            if task.copy == 0:
                tally.saw(task.row, made)
            yield make_example(made, task, spec.content)
        except annotations.InvalidExample as defect:
            row = task.row
            tally.rejects.append(
                annotations.Reject(
                    row.split,
                    row.subset,
                    row.path,
                    row.label,
                    defect.reason,
                    str(defect),
                    row.source,
                )
            )


class Cut(NamedTuple):
    """A face as it was cut out, and its box as fractions of the picture."""

    face: np.ndarray  # uint8[S, S, 3]
    points: np.ndarray  # float32[68, 2], fractions of the crop
    bbox: tuple[float, ...]
    aligned: bool
    sight: image_statistics.ImageInfo
    as_is: bytes  # the picture itself, where it is its own crop; else nothing


def cut(content: bytes, row: annotations.Row, settings: Mapping[str, Any]) -> Cut:
    """Cut a row's face out of its picture, aligned if the settings say so and the landmarks allow
    it.

    Raises:
      annotations.InvalidExample: if the picture or its box cannot be used.
    """
    header = image_codec.read_header(content)
    box = (
        crop_geometry.in_pixels(row.box, picture_size=header.size)
        if row.box and row.box_from == "fractions"
        else row.box
    )
    geometry = face_crop.Geometry(
        settings["image_size"], settings["margin_frac"], settings["align"]
    )
    made = face_crop.cut(
        content, header=header, box=box, points=annotations.points_of(row), geometry=geometry
    )
    sight = image_statistics.ImageInfo(
        header.size, max(box[2:] if box else header.size), made.place.outline()
    )
    as_is = (
        settings["encoding"] == "jpeg"
        and isinstance(made.place, crop_geometry.Square)
        and crop_geometry.is_stored_as_is(
            content, header, made.place, image_size=settings["image_size"]
        )
    )
    bbox = crop_geometry.bbox_fractions(box, picture_size=header.size)
    return Cut(made.face, made.points, bbox, made.aligned, sight, content if as_is else b"")


def make_example(made: Cut, task: plan.Task, settings: Mapping[str, Any]) -> example_codec.Example:
    """Make one example from a face; odd copies are mirrored, landmarks with them."""
    row, face, points = task.row, made.face, made.points
    if task.copy % 2:
        face, points = crop_geometry.mirror(face, points)
    return example_codec.Example(
        image=made.as_is
        if made.as_is and not task.copy % 2
        else image_codec.encode(face, encoding=settings["encoding"]),
        label=row.label,
        valence=row.valence,
        arousal=row.arousal,
        landmarks=points,
        bbox=made.bbox,
        filename=row.filename,
        subset=labels.SUBSETS.index(row.subset),
        copy=task.copy,
        soft_label=(row.soft_label or NO_SOFT_LABEL) if settings.get("soft_labels") else (),
    )


def content_hash(content: bytes) -> str:
    """Return 128 bits of a picture file's content, in hex."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def read_ahead(
    root: storage.AnyPath, tasks: Sequence[plan.Task]
) -> Iterator[tuple[plan.Task, bytes | annotations.InvalidExample]]:
    """Yield every task with its picture file, read by threads so that the core does not wait for
    the disk."""
    threads, batch = storage.read_threads(root), storage.read_batch(root)
    paths = (task.row.path for task in tasks)
    read = functools.partial(read_picture, root)
    found = storage.ahead(read, paths, threads=threads, batch=batch, waiting=8 * threads // batch)
    yield from zip(tasks, found, strict=True)


def read_picture(root: storage.AnyPath, path: str) -> bytes | annotations.InvalidExample:
    """Return a picture file's bytes, whatever the case of its extension, or the defect that
    prevents it.

    Raises:
      object_store.Unreachable: if a store does not say whether it is there.
    """
    for candidate in _spellings(root / path):
        try:
            return candidate.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            return annotations.InvalidExample("unreadable file", f"{error.strerror}: {path}")
    return annotations.InvalidExample(
        "no such file", f"the row names a file that is not there: {path}"
    )


def _spellings(path: storage.AnyPath) -> Iterator[storage.AnyPath]:
    yield path
    other_case = (path.with_suffix(path.suffix.lower()), path.with_suffix(path.suffix.upper()))
    yield from (spelt for spelt in other_case if spelt != path)
    yield from storage.namesakes(path)
