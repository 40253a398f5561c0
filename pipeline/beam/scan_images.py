"""ScanImages: reads and crops the image of every row, and writes its hashes beside the index.

For what is decided before balancing (--drop_duplicates=near) or reported of rows that balancing
leaves out (--scan=all). Hashes are written by the worker that made them and read by the process
that compares them: nothing is shuffled but the places of batches in the index.
"""

import time
from collections.abc import Iterable, Iterator

import apache_beam as beam
import cv2
import numpy as np

from pipeline.beam import counters, find_duplicates
from pipeline.files import storage
from pipeline.near_duplicates import perceptual_hash
from pipeline.rows import annotations, row_index
from pipeline.shards import image_files, near_duplicates_in_rows

Batch = tuple[int, int]
"""Bucket of the index, and the first of the batch's entries in it."""


class ScanImages(beam.PTransform):
    """Bucket of the index → number of images read, of each batch."""

    def __init__(self, scan: find_duplicates.Scan) -> None:
        """Read the images of rows whose label is below `scan.classes`."""
        super().__init__()
        self.scan = scan

    def expand(self, buckets: beam.PCollection) -> beam.PCollection:
        """Split the index into batches, and scan each."""
        return (
            buckets  # int
            | "ListBatches" >> beam.FlatMap(list_batches, scan=self.scan)  # Batch
            | "SpreadBatches" >> beam.Reshuffle()  # Batch
            | "ScanBatch" >> beam.Map(scan_batch, scan=self.scan)  # int
        )


def list_batches(bucket: int, *, scan: find_duplicates.Scan) -> Iterator[Batch]:
    """Yield the batches of a bucket."""
    for start in range(
        0, len(find_duplicates.entries_of(bucket, scan)), find_duplicates.BATCH_ROWS
    ):
        yield bucket, start


def scan_batch(batch: Batch, *, scan: find_duplicates.Scan) -> int:
    """Write the entries of a batch with the hashes of their images; return how many were read."""
    bucket, start = batch
    cv2.setNumThreads(1)  # Workers share the cores already.
    entries = find_duplicates.entries_of(bucket, scan)[start : start + find_duplicates.BATCH_ROWS]
    scanned = row_index.converted(entries, near_duplicates_in_rows.SCANNED)
    folder = storage.path(scan.staging)
    rows = row_index.fetch(folder, entries)
    images_read = bytes_read = 0
    hashing_seconds = 0.0
    contents = image_files.read_ahead(
        storage.path(scan.root),
        (row.path for row in rows),
        folders=scan.folders,
        follow_links=scan.follow_links,
    )
    for position, (row, content) in enumerate(zip(rows, contents, strict=True)):
        if isinstance(content, annotations.InvalidExample):
            continue
        began = time.perf_counter()
        _hash(scanned[position : position + 1], row, content, scan)
        hashing_seconds += time.perf_counter() - began
        images_read += 1
        bytes_read += len(content)
    row_index.write(folder, near_duplicates_in_rows.stage(start), bucket, scanned)
    counters.add(
        counters.Counts(
            images_read=images_read,
            bytes_read=bytes_read,
            hashing_ms=counters.milliseconds(hashing_seconds),
        )
    )
    return images_read


def _hash(
    entry: np.ndarray, row: annotations.Row, content: bytes, scan: find_duplicates.Scan
) -> None:
    face = near_duplicates_in_rows.face(content, row, scan.settings)
    if face is None:  # No copy of anything: it becomes a reject, with its own reason.
        return
    digest = bytes.fromhex(image_files.content_hash(content))
    entry["high"], entry["low"] = np.frombuffer(digest, "<u8")
    found = perceptual_hash.of(face)
    entry["even"], entry["odd"] = found["even"], found["odd"]


def read_scanned(buckets: Iterable[int], *, scan: find_duplicates.Scan) -> Iterator[np.ndarray]:
    """Yield near_duplicates_in_rows.SCANNED of every batch."""
    for bucket in buckets:
        for _, start in list_batches(bucket, scan=scan):
            yield near_duplicates_in_rows.read(storage.path(scan.staging), bucket, start)
