"""WriteShards: reads, crops and writes the images of a shard within one call.

Pixels are never shuffled. With pixels in a GroupByKey, as TFDS's own writer has them, the local
runner's memory grows by about 50 kB an image, and with whole rows by 9 kB.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import cv2

from pipeline.beam import assign_tasks, counters
from pipeline.files import storage
from pipeline.rows import bounded_groups, row_index
from pipeline.shards import shard_writer, tasks, write_lease
from runtime import machine


class WriteShards(beam.PTransform):
    """(shard name, value of bounded_groups with tasks.DEALT[M]) → name of a finished shard."""

    def __init__(self, spec: shard_writer.Spec) -> None:
        """Write to the staging folder."""
        super().__init__()
        self.spec = spec

    def expand(self, dealt: beam.PCollection) -> beam.PCollection:
        """Bring the tasks of each shard together, and write it."""
        return (
            dealt
            | "GroupByShard" >> beam.GroupByKey()  # (shard name, [value, …])
            | "WriteShard" >> beam.ParDo(_WriteShard(self.spec))  # str, shard name
        )


class _WriteShard(beam.DoFn):
    def __init__(self, spec: shard_writer.Spec) -> None:
        self.spec = spec

    def setup(self) -> None:
        cv2.setNumThreads(1)  # Workers share the cores already.

    def process(self, element: tuple[str, Iterable[bytes]]) -> Iterator[str]:
        # Returns what dealing took; a shard takes seconds, this some milliseconds.
        machine.give_back()
        # An attempt that was given up ends quietly: an error would make an engine try again.
        with contextlib.suppress(write_lease.Abandoned):
            yield write_shard(element, self.spec)


def write_shard(group: tuple[str, Iterable[bytes]], spec: shard_writer.Spec) -> str:
    """Write a shard, unless an earlier attempt did; count what was done; return its name.

    Raises:
      write_lease.Abandoned: if the attempt is given up meanwhile.
    """
    name, packed = group
    dealt = bounded_groups.received(
        counters.values_of_key(packed),
        staging=spec.staging,
        stage=assign_tasks.DEALT,
        dtype=tasks.DEALT,
    )
    rows = row_index.fetch(storage.path(spec.staging), dealt)
    written = shard_writer.write(spec, name, tasks.with_rows(dealt, rows, seed=spec.seed))
    if written.work:
        _count(written.sidecar, written.work)
    return name


def _count(sidecar: Mapping[str, Any], work: shard_writer.Work) -> None:
    decoding_ms = counters.milliseconds(work.decoding_seconds)
    counters.add(
        counters.Counts(
            images_read=work.images_read,
            images_rejected=len(sidecar["rejects"]),
            images_written=sidecar["num_examples"],
            bytes_read=work.bytes_read,
            bytes_written=sidecar["file_bytes"],
            decoding_ms=decoding_ms,
            hashing_ms=counters.milliseconds(work.hashing_seconds),
        )
    )
    counters.add_shard(size_bytes=sidecar["file_bytes"], decoding_ms=decoding_ms)
