"""FindDuplicates: hashes every image file, and drops from train the files that occur twice.

Owns that a file is a copy only where its row has a face: of empty files, and of rows whose box is
outside the image, each becomes a reject with its own reason, and none stays in place of a good row.
"""

import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import apache_beam as beam
import numpy as np

from pipeline.beam import counters, survey_rows
from pipeline.files import storage
from pipeline.rows import annotations, bounded_groups, deduplicate, row_index, survey_files
from pipeline.shards import image_files, row_example

UNIQUE = "unique"
"""Stage of the index that holds the usable rows without those that were dropped."""

BATCH_ROWS = 256
"""Images that are hashed as one element, so that threads can read them ahead."""

GATHERED_ROWS = 256 * BATCH_ROWS
"""Most rows whose hashes one call deals to the buckets of hashes: 2.6 MB of them."""

HASHED = "hashed"
"""Stage whose senders are these calls."""

DUPLICATES = "duplicates"
"""Stage of the survey files: the correction of each bucket of hashes."""

Gathered = tuple[int, int]
"""Bucket of the index, and which GATHERED_ROWS of it."""


class Scan(NamedTuple):
    """Which images are read, before anything is balanced, and how they are cropped."""

    root: str
    staging: str
    classes: int  # labels below it are read
    settings: row_example.ExampleSettings
    folders: Sequence[str] = ()  # base.Release.folders
    follow_links: bool = False  # whether links may lead out of the root


class FindDuplicates(beam.PTransform):
    """Bucket of the index → number of each bucket of hashes.

    Reads every image file, decodes none. The index without the duplicates, and the survey that
    drops them, go into files.
    """

    def __init__(self, scan: Scan, *, buckets: int, num_rows: int) -> None:
        """Read the images of rows whose label is below `scan.classes`; the index has `num_rows`."""
        super().__init__()
        self.scan = scan
        self.staging = scan.staging
        self.buckets = buckets
        self.num_senders = buckets + num_rows // GATHERED_ROWS

    def expand(self, buckets: beam.PCollection) -> beam.PCollection:
        """Hash all images, and settle identical ones by bucket of hashes."""
        return (
            buckets  # int
            | "ReadIndex" >> beam.FlatMap(read_batches, scan=self.scan)
            | "SpreadBatches" >> beam.Reshuffle()  # (Gathered, packed row_index.ENTRY[N])
            # (Gathered, packed deduplicate.HASHED[N]), N <= BATCH_ROWS
            | "HashImages" >> beam.Map(hash_images, scan=self.scan)
            # A batch has too few for all buckets of hashes of a large release.
            | "GatherBatches" >> beam.GroupByKey()  # (Gathered, [packed HASHED[N], …])
            | "DealByHash"
            >> beam.FlatMap(
                deal_by_hash,
                staging=self.staging,
                buckets=self.buckets,
                num_senders=self.num_senders,
            )  # (bucket of hashes, value of bounded_groups with HASHED[N])
            | "GroupByHash" >> beam.GroupByKey()  # (bucket of hashes, [value, …])
            | "DropDuplicates" >> beam.Map(drop_duplicates, staging=self.staging)  # int
        )


def entries_of(bucket: int, scan: Scan) -> np.ndarray:
    """Return row_index.ENTRY[N] of a bucket, without those of other classes."""
    entries = row_index.read(storage.path(scan.staging), survey_rows.SURVEYED, bucket)
    return entries[entries["label"] < scan.classes]


def read_batches(bucket: int, *, scan: Scan) -> Iterator[tuple[Gathered, bytes]]:
    """Yield the entries of a bucket, packed, in batches; those of other classes are left out."""
    entries = entries_of(bucket, scan)
    for start in range(0, len(entries), BATCH_ROWS):
        yield (bucket, start // GATHERED_ROWS), entries[start : start + BATCH_ROWS].tobytes()


def hash_images(batch: tuple[Gathered, bytes], *, scan: Scan) -> tuple[Gathered, bytes]:
    """Return the entries of a batch with the hashes of their image files.

    The hash is 0 where a file cannot be read, or its header or the box shows that it has no crop.
    """
    gathered, packed = batch
    entries = row_index.joined(counters.values_of_key([packed]))
    hashed = row_index.converted(entries, deduplicate.HASHED)
    rows = row_index.fetch(storage.path(scan.staging), entries)
    images_read = 0
    bytes_read = 0
    hashing_seconds = 0.0
    for position, content in enumerate(_contents(rows, scan)):
        if isinstance(content, bytes):
            start = time.perf_counter()
            digest = bytes.fromhex(image_files.content_hash(content))
            hashing_seconds += time.perf_counter() - start
            with contextlib.suppress(annotations.InvalidExample):
                row_example.check(content, rows[position], scan.settings.geometry)
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
    return gathered, hashed.tobytes()


def _contents(
    rows: Iterable[annotations.Row], scan: Scan
) -> Iterator[bytes | annotations.InvalidExample]:
    folder = storage.path(scan.root)
    # One thread on a disk: hashing is so quick that reading ahead of it gains nothing.
    threads = storage.read_threads(folder, on_disk=1)
    return storage.ahead(
        lambda row: image_files.read(
            folder, row.path, folders=scan.folders, follow_links=scan.follow_links
        ),
        rows,
        threads=threads,
    )


def deal_by_hash(
    group: tuple[Gathered, Iterable[bytes]], *, staging: str, buckets: int, num_senders: int
) -> Iterator[tuple[int, bytes]]:
    """Yield the entries of some batches by bucket of hashes."""
    (bucket, part), packed = group
    hashed = row_index.joined(counters.values_of_key(packed), deduplicate.HASHED)
    # What goes into a file must be the same when this is run again.
    hashed = hashed[np.lexsort((hashed["start"], hashed["part"]))]
    yield from bounded_groups.sent(
        hashed,
        hashed["high"] % buckets,
        sender=bounded_groups.Sender(
            staging, HASHED, bucket + part * buckets, bounded_groups.share_bytes(num_senders)
        ),
    )


def drop_duplicates(group: tuple[int, Iterable[bytes]], *, staging: str) -> int:
    """Write a bucket of the index without duplicates, and the correction of the counts."""
    bucket, packed = group
    values = counters.values_of_key(packed)
    folder = storage.path(staging)
    corrections, stays = deduplicate.drop_duplicates(
        bounded_groups.received(values, staging=staging, stage=HASHED, dtype=deduplicate.HASHED),
        fetch=lambda entries: row_index.fetch(folder, entries),
    )
    row_index.write(folder, UNIQUE, bucket, row_index.converted(stays, row_index.ENTRY))
    survey_files.write(folder, DUPLICATES, bucket, corrections)
    return bucket
