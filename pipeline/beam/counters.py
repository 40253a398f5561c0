"""Beam counters: rows, images, rejects, bytes and milliseconds, shown by whatever runs the job.

Counters are updated once for each part, batch or shard, never for each image. They count attempts:
an engine that runs a shard twice counts it twice. The account of a build is its ledger, not these.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from apache_beam import metrics
from apache_beam.metrics import metric

from pipeline.rows import bounded_groups

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


BYTES_PER_KEY = "bytes_per_key"
LARGEST_VALUE = "largest_value_bytes"


def values_of_key(packed: Iterable[bytes]) -> list[bytes]:
    """Return the values of a key; add their size to the distributions of what was shuffled.

    Raises:
      AssertionError: if they are more than a key may get (bounded_groups.num_bytes).
    """
    values = list(packed)
    metrics.Metrics.distribution(NAMESPACE, BYTES_PER_KEY).update(bounded_groups.num_bytes(values))
    metrics.Metrics.distribution(NAMESPACE, LARGEST_VALUE).update(max(map(len, values), default=0))
    return values


def shuffled(found: metric.MetricResults) -> dict[str, dict[str, int]]:
    """Return by step what it got: number of keys, their bytes, and the largest key and value."""
    steps: dict[str, dict[str, int]] = {}
    ours = metric.MetricsFilter().with_namespace(NAMESPACE)
    for one in found.query(ours)[metric.MetricResults.DISTRIBUTIONS]:
        step = steps.setdefault(_step_name(one.key.step), {})
        if one.key.metric.name == BYTES_PER_KEY:
            step |= {"keys": one.result.count, "bytes": one.result.sum}
            step["largest_key_bytes"] = one.result.max
        elif one.key.metric.name == LARGEST_VALUE:
            step[LARGEST_VALUE] = one.result.max
    return {name: step for name, step in sorted(steps.items()) if step}


def _step_name(step: str) -> str:
    """Return the label of ours in a step's name: A/B/Map here, ref_AppliedPTransform_A-B-Map_7."""
    labels = re.split("[/-]", re.sub(r"^ref_AppliedPTransform_|_\d+$", "", step))
    return labels[min(1, len(labels) - 1)]


def milliseconds(seconds: float) -> int:
    """Return whole milliseconds: Beam's counters are integers."""
    return round(seconds * 1000)
