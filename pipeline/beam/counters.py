"""Beam counters: rows, images, rejects, bytes and milliseconds, shown by whatever runs the job.

Counters are updated once for each part, batch or shard, never for each image. They count attempts:
an engine that runs a shard twice counts it twice. The account of a build is its ledger, not these.
"""

from typing import NamedTuple

from apache_beam import metrics

NAMESPACE = "affectnet_faces"


class Counts(NamedTuple):
    """Increments of the counters; each field is the name of one, None if the step has no such."""

    rows_read: int | None = None  # of the annotations
    rows_rejected: int | None = None  # by the survey: invalid or repeated
    images_read: int | None = None  # image files, once for each time they are read
    images_rejected: int | None = None  # rows whose image cannot be used
    images_written: int | None = None  # face crops, further copies included
    bytes_read: int | None = None  # of image files
    bytes_written: int | None = None  # of shards
    decoding_ms: int | None = None  # decoding and cropping
    hashing_ms: int | None = None  # content hashes


def add(counts: Counts) -> None:
    """Increase the counters of the step that calls this, on the thread that Beam called."""
    for name, increment in counts._asdict().items():
        if increment is None:
            continue
        # Also by 0, so that a counter of the step is shown from its first element on.
        metrics.Metrics.counter(NAMESPACE, name).inc(increment)


def add_shard(*, size_bytes: int, decoding_ms: int) -> None:
    """Add a shard that was written to the distributions, which have minimum, mean and maximum."""
    metrics.Metrics.distribution(NAMESPACE, "bytes_per_shard").update(size_bytes)
    metrics.Metrics.distribution(NAMESPACE, "decoding_ms_per_shard").update(decoding_ms)


def milliseconds(seconds: float) -> int:
    """Return whole milliseconds: Beam's counters are integers."""
    return round(seconds * 1000)
