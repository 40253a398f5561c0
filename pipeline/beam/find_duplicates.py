"""FindDuplicates: hashes every image file, and drops from train the files that occur twice."""

import time
from collections.abc import Iterable, Iterator, Sequence

import apache_beam as beam
import numpy as np

from pipeline.beam import counters, survey_rows
from pipeline.files import storage
from pipeline.rows import annotations, deduplicate, row_index, survey
from pipeline.shards import image_files

UNIQUE = "unique"
"""Stage of the index that holds the usable rows without those that were dropped."""

BATCH_ROWS = 256
"""Images that are hashed as one element, so that threads can read them ahead."""


class FindDuplicates(beam.PTransform):
    """Bucket of the index → one survey.Survey that drops the duplicates.

    Reads every image file, decodes none. The index without the duplicates goes into files.
    """

    def __init__(
        self,
        root: str,
        staging: str,
        *,
        classes: int,
        buckets: int,
        folders: tuple[str, ...] = (),
        follow_links: bool = False,
    ) -> None:
        """Read the images below `root` whose label is below `classes`.

        `folders` are base.Release.folders; `follow_links` lets links lead out of the root.
        """
        super().__init__()
        self.root = root
        self.staging = staging
        self.folders = folders
        self.follow_links = follow_links
        self.classes = classes
        self.buckets = buckets

    def expand(self, buckets: beam.PCollection) -> beam.PCollection:
        """Hash all images, settle identical ones by bucket of hashes, and merge the counts."""
        return (
            buckets  # int
            | "ReadIndex" >> beam.FlatMap(read_batches, staging=self.staging, classes=self.classes)
            | "SpreadBatches" >> beam.Reshuffle()  # packed row_index.ENTRY[N], N <= BATCH_ROWS
            | "HashImages"
            >> beam.FlatMap(
                hash_images,
                root=self.root,
                staging=self.staging,
                buckets=self.buckets,
                folders=self.folders,
                follow_links=self.follow_links,
            )  # (bucket of hashes, packed deduplicate.HASHED[N])
            | "GroupByHash" >> beam.GroupByKey()  # (bucket of hashes, [packed HASHED[N], …])
            | "DropDuplicates" >> beam.Map(drop_duplicates, staging=self.staging)
            | "MergeSurveys"  # survey.Survey
            >> beam.CombineGlobally(survey_rows.merge_surveys)  # one survey.Survey
        )


def read_batches(bucket: int, *, staging: str, classes: int) -> Iterator[bytes]:
    """Yield the entries of a bucket, packed, in batches; those of other classes are left out."""
    entries = row_index.read(storage.path(staging), survey_rows.SURVEYED, bucket)
    entries = entries[entries["label"] < classes]
    for start in range(0, len(entries), BATCH_ROWS):
        yield entries[start : start + BATCH_ROWS].tobytes()


def hash_images(
    packed: bytes,
    *,
    root: str,
    staging: str,
    buckets: int,
    folders: Sequence[str] = (),
    follow_links: bool = False,
) -> Iterator[tuple[int, bytes]]:
    """Yield the entries of a batch with the hashes of their image files, by bucket of hashes."""
    entries = row_index.joined([packed])
    hashed = row_index.converted(entries, deduplicate.HASHED)
    rows = row_index.fetch(storage.path(staging), entries)
    images_read = 0
    bytes_read = 0
    hashing_seconds = 0.0
    for position, content in enumerate(_contents(rows, root, folders, follow_links)):
        if isinstance(content, bytes):
            start = time.perf_counter()
            digest = bytes.fromhex(image_files.content_hash(content))
            hashing_seconds += time.perf_counter() - start
            hashed["high"][position], hashed["low"][position] = np.frombuffer(digest, "<u8")
            images_read += 1
            bytes_read += len(content)
    counters.add(
        counters.Counts(
            images_read=images_read,
            bytes_read=bytes_read,
            hashing_ms=counters.milliseconds(hashing_seconds),
        )
    )
    for bucket, entries_of_bucket in row_index.dealt(hashed, hashed["high"] % buckets):
        yield bucket, entries_of_bucket.tobytes()


def _contents(
    rows: Iterable[annotations.Row], root: str, folders: Sequence[str], follow_links: bool
) -> Iterator[bytes | annotations.InvalidExample]:
    folder = storage.path(root)
    # One thread on a disk: hashing is so quick that reading ahead of it gains nothing.
    threads = storage.read_threads(folder, on_disk=1)
    return storage.ahead(
        lambda row: image_files.read(folder, row.path, folders=folders, follow_links=follow_links),
        rows,
        threads=threads,
    )


def drop_duplicates(group: tuple[int, Iterable[bytes]], *, staging: str) -> survey.Survey:
    """Write a bucket of the index without duplicates; return the correction of the counts."""
    bucket, packed = group
    folder = storage.path(staging)
    corrections, stays = deduplicate.drop_duplicates(
        row_index.joined(packed, deduplicate.HASHED),
        fetch=lambda entries: row_index.fetch(folder, entries),
    )
    row_index.write(folder, UNIQUE, bucket, row_index.converted(stays, row_index.ENTRY))
    return corrections
