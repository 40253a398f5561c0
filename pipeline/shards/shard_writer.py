"""Shard writer: reads a shard's images, crops the faces, writes the file, index and sidecar.

A shard appears as a whole (files/atomic.py), then its index and then its sidecar; a sidecar with
the right digest therefore means a whole shard, and a killed job continues with the shards that have
none.
Attempts that run twice write the same bytes, and so do no harm.
"""

import collections
import dataclasses
import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from affectnet_tfds import (
    dataset_paths,
    example_codec,
    image_codec,
    invalid_example,
    tfrecord,
)
from affectnet_tfds.reader import shard_index
from pipeline.files import atomic, storage
from pipeline.near_duplicates import hash_file
from pipeline.rows import annotations
from pipeline.shards import (
    image_files,
    image_statistics,
    near_duplicates_in_shards,
    row_example,
    tasks,
    write_lease,
)
from runtime import errors, untrusted


class Spec(NamedTuple):
    """What all shards of a build have in common."""

    root: str  # of the release
    staging: str
    settings: row_example.ExampleSettings
    seed: int
    content: Mapping[str, Any]  # config.JobConfig.content(), for the shards' digests only
    attempt: str = ""  # that may write (write_lease.opened); "": any may
    folders: tuple[str, ...] = ()  # base.Release.folders
    follow_links: bool = False  # config.JobConfig.follow_links


@dataclasses.dataclass
class Work:
    """What writing a shard took; it is not in the sidecar, which depends on the content only."""

    images_read: int = 0
    bytes_read: int = 0
    decoding_seconds: float = 0.0
    hashing_seconds: float = 0.0


class Written(NamedTuple):
    """A finished shard."""

    sidecar: dict[str, Any]
    work: Work | None  # None: an earlier attempt wrote it


def write(spec: Spec, name: str, shard_tasks: Iterable[tasks.Task]) -> Written:
    """Write a shard and its sidecar, unless both are there already.

    A shard that lacks an image file which can be read now is written again.

    Raises:
      write_lease.Abandoned: if the attempt is given up meanwhile.
    """
    _check_lease(spec)
    ordered = tasks.in_order(shard_tasks)
    digest = tasks.digest(ordered, spec.content)
    done = sidecar(spec, name)
    staging = storage.path(spec.staging)
    if done and done["digest"] == digest and are_rejects_lasting(spec, done):
        if not (staging / dataset_paths.index_name(name)).exists():  # Begun by an earlier release.
            _write_index(staging, name, shard_index.of_shard(storage.content(staging / name)))
        return Written(done, None)
    tally = Tally(staging / f"{name}.progress")
    with atomic.writing(staging / name) as file:
        for example in examples(spec, ordered, tally):
            framed = tfrecord.frame(example_codec.serialize(example))
            file.write(framed)
            tally.add_example(example, framed)
            if tally.report_progress():
                _check_lease(spec)
        _check_lease(spec)  # The last moment before the shard gets its name.
    _write_index(staging, name, shard_index.array(tally.index))
    done = {"name": name, "digest": digest, **tally.to_json()}
    # After the shard and its index: a sidecar means that they are whole.
    atomic.write_text(staging / f"{name}.json", json.dumps(done))
    tally.progress_file.unlink(missing_ok=True)
    return Written(done, tally.work)


def _write_index(staging: storage.AnyPath, name: str, rows: np.ndarray) -> None:
    with atomic.writing(staging / dataset_paths.index_name(name)) as file:
        file.write(shard_index.encode(rows))


_SIDECAR_KINDS: dict[str, type] = {
    "name": str,
    "digest": str,
    "num_examples": int,
    "record_bytes": int,
    "file_bytes": int,
    "sha256": str,
    "label_counts": dict,
    "rows": dict,
    "rejects": list,
    "contents": dict,
    "hashes": str,
}
"""Values of a sidecar that the rest of a build needs; one that lacks any is written anew."""


def _check_lease(spec: Spec) -> None:
    if spec.attempt:
        write_lease.check(storage.path(spec.staging), spec.attempt)


def sidecar(spec: Spec, name: str) -> dict[str, Any] | None:
    """Return the sidecar of a finished shard, or None: there is none, or it is damaged."""
    try:
        staging = storage.path(spec.staging)
        done = untrusted.json_object(
            untrusted.parse_json(storage.content(staging / f"{name}.json"))
        )
        if any(not isinstance(done.get(key), kind) for key, kind in _SIDECAR_KINDS.items()):
            return None
        return done if (staging / name).stat().st_size == done["file_bytes"] else None
    except (OSError, ValueError):
        return None


def are_rejects_lasting(spec: Spec, done: Mapping[str, Any]) -> bool:
    """Return whether the image files that a finished shard could not read still cannot be read."""
    rejects = {annotations.Reject(*fields) for fields in done["rejects"]}
    return all(_is_lasting(spec, r) for r in rejects if r.reason in image_files.MAY_PASS)


def _is_lasting(spec: Spec, reject: annotations.Reject) -> bool:
    root = storage.path(spec.root)
    found = image_files.read(
        root, reject.path, folders=spec.folders, follow_links=spec.follow_links
    )
    if isinstance(found, bytes):
        return False
    return (found.reason, str(found)) == (reject.reason, reject.detail)


class Tally:
    """Counts over the examples of a shard, from which its sidecar is made.

    Attributes:
      progress_file: tells the driver how far the shard is.
      label_counts: examples written, by label.
      rows: rows whose copy 0 was written, by label.
      not_aligned: rows whose copy 0 was cropped by the box.
      contents: file name → (content hash of the image file, subset), of copy 0 if it was written.
      index: of the records that were written.
      seen: the face crops of copy 0 that were written, for their perceptual hashes.
      record_bytes: size of the records without their framing.
    """

    def __init__(self, progress_file: storage.AnyPath) -> None:
        """Start with no example."""
        self.progress_file = progress_file
        self.label_counts = collections.Counter[int]()
        self.rows = collections.Counter[int]()
        self.rejects: list[annotations.Reject] = []
        self.contents: dict[str, tuple[str, str]] = {}
        self.seen = hash_file.SeenRows()
        self.statistics = image_statistics.ImageStatistics()
        self.index: list[shard_index.Record] = []
        self.not_aligned = 0
        self.record_bytes = 0
        self.file_bytes = 0
        self.work = Work()
        self._sha256 = hashlib.sha256()
        self._poll_seconds = storage.poll_seconds(progress_file)
        self._last_report = 0.0

    def add_row(self, row: annotations.Row, content: bytes, crop: row_example.RowCrop) -> None:
        """Count a row whose copy 0 is written next: the file, and the crop of it.

        Rejects do not come here: no file without a face is a copy of another.
        """
        self.not_aligned += not crop.aligned
        self._hash(row, content, crop)
        self.statistics.add(row, crop.info, image_size=len(crop.face), offset=self.file_bytes)

    def _hash(self, row: annotations.Row, content: bytes, crop: row_example.RowCrop) -> None:
        start = time.perf_counter()
        self.contents[row.filename] = (image_files.content_hash(content), row.subset)
        self.seen.add(row.filename, crop.face, start=self.file_bytes, label=row.label)
        self.work.hashing_seconds += time.perf_counter() - start

    def add_reject(self, row: annotations.Row, defect: annotations.InvalidExample) -> None:
        """Count a task whose image cannot be used."""
        self.rejects.append(
            annotations.Reject(
                split=row.split,
                subset=row.subset,
                path=row.path,
                label=row.label,
                reason=defect.reason,
                detail=str(defect),
                source=row.source,
            )
        )

    def add_example(self, example: example_codec.Example, framed: bytes) -> None:
        """Count an example that was written."""
        self.label_counts[example.label] += 1
        self.rows[example.label] += example.copy == 0
        self.index.append(shard_index.record(example, framed, start=self.file_bytes))
        self.file_bytes += len(framed)
        self.record_bytes += len(framed) - tfrecord.FRAME_BYTES
        self._sha256.update(framed)

    def report_progress(self) -> bool:
        """Write the progress file every few hundred milliseconds; return whether it was written."""
        now = time.monotonic()
        if now - self._last_report < self._poll_seconds:
            return False
        self._last_report = now
        self.progress_file.write_text(str(self.num_examples))
        return True

    @property
    def num_examples(self) -> int:
        """Return the number of examples written."""
        return sum(self.label_counts.values())

    def to_json(self) -> dict[str, Any]:
        """Return the sidecar, without name and digest."""
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
            "observed": self.statistics.to_json(),
            "hashes": near_duplicates_in_shards.pack(self.seen.rows(sorted(self.contents))),
        }


def examples(
    spec: Spec, shard_tasks: Sequence[tasks.Task], tally: Tally
) -> Iterator[example_codec.Example]:
    """Yield an example for every task whose image can be used; others become rejects.

    Raises:
      errors.UserError: if the machine has no memory for an image.
    """
    paths = (task.row.path for task in shard_tasks)
    contents = image_files.read_ahead(
        storage.path(spec.root), paths, folders=spec.folders, follow_links=spec.follow_links
    )
    for task, content in zip(shard_tasks, contents, strict=True):
        try:
            if isinstance(content, annotations.InvalidExample):
                raise content
            crop = _crop(task, content, spec=spec, work=tally.work)
            example = row_example.example(crop, task, spec.settings)
        except annotations.InvalidExample as fault:
            tally.add_reject(task.row, fault)
        except MemoryError as error:
            raise errors.UserError(_no_memory(task.row.path)) from error
        except Exception as error:  # No image ends a build.
            tally.add_reject(task.row, invalid_example.of_defect(error))
        else:
            if task.copy == 0:
                tally.add_row(task.row, content, crop)
            yield example


def _no_memory(path: str) -> str:
    return (
        f"not enough memory for {path}: an image may take "
        f"{image_codec.MAX_MEMORY_BYTES // 10**6} MB in each worker; free some, or give fewer "
        "--num_workers, and the same command continues"
    )


def _crop(task: tasks.Task, content: bytes, *, spec: Spec, work: Work) -> row_example.RowCrop:
    """Crop a task's face."""
    work.images_read += 1
    work.bytes_read += len(content)
    start = time.perf_counter()
    try:
        return row_example.crop(content, task.row, spec.settings)
    finally:
        work.decoding_seconds += time.perf_counter() - start
