"""SurveyRows: reads all annotations, writes rows and index as files, and counts them."""

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np

from pipeline.beam import counters
from pipeline.files import atomic, storage
from pipeline.rows import (
    annotations,
    bounded_groups,
    deduplicate,
    row_index,
    row_lists,
    stable_hash,
    survey,
    survey_files,
    validation_split,
)
from pipeline.sources import base
from pipeline.sources.layouts import registry

SURVEYED = "surveyed"
"""Stage of the index that holds every usable row."""

PARTS, BUCKETS = "part", "bucket"
"""Stages of the survey files: the rows of each part, and the correction of each bucket."""

_NOTHING = validation_split.Holdout()
_NO_LISTS = row_lists.RowLists()


class SurveyRows(beam.PTransform):
    """(part number, base.Part) → number of each bucket; counts, rows and index go into files."""

    def __init__(
        self,
        root: str,
        staging: str,
        *,
        clean: str,
        seed: int,
        buckets: int,
        num_parts: int,
        holdout: validation_split.Holdout = _NOTHING,
        drop_duplicates: bool = False,
        lists: row_lists.RowLists = _NO_LISTS,
    ) -> None:
        """Survey a release, leaving out the rows that the cleaning rules and lists name."""
        super().__init__()
        self.root = root
        self.staging = staging
        self.clean = clean
        self.seed = seed
        self.buckets = buckets
        self.num_parts = num_parts
        self.holdout = holdout
        self.drop_duplicates = drop_duplicates
        self.lists = lists

    def expand(self, parts: beam.PCollection) -> beam.PCollection:
        """Read the parts, and settle repeated rows by bucket."""
        return (
            parts
            | "SpreadParts" >> beam.Reshuffle()  # (part number, base.Part)
            | "ReadAnnotations"
            >> beam.FlatMap(
                survey_part,
                root=self.root,
                staging=self.staging,
                clean=self.clean,
                seed=self.seed,
                buckets=self.buckets,
                num_parts=self.num_parts,
                holdout=self.holdout,
            )  # (bucket, value of bounded_groups with row_index.ENTRY[N])
            | "GroupByBucket" >> beam.GroupByKey()  # (bucket, [value, …])
            | "RejectRepeatedRows"
            >> beam.Map(
                reject_repeated_rows,
                staging=self.staging,
                seed=self.seed,
                drop_duplicates=self.drop_duplicates,
                lists=self.lists,
            )  # int
        )


def survey_part(
    numbered: tuple[int, base.Part],
    *,
    root: str,
    staging: str,
    clean: str,
    seed: int,
    buckets: int,
    num_parts: int,
    holdout: validation_split.Holdout = _NOTHING,
) -> Iterator[tuple[int, bytes]]:
    """Write the usable rows of a part, and their counts; yield the rows' entries by bucket."""
    number, part = numbered
    folder = storage.path(staging)
    counts = survey.Survey()
    with atomic.writing(row_index.rows_of_part(folder, number)) as file:
        rows = row_index.Rows(file, number)
        for found in registry.read(root, part):
            item = registry.in_split(found, part, holdout)
            if counts.add(item, clean=clean) and isinstance(item, annotations.Row):
                rows.add(item, key=stable_hash.key(item.filename, seed))
    counters.add(counters.Counts(rows_read=counts.num_rows, rows_rejected=len(counts.rejects)))
    survey_files.write(folder, PARTS, number, counts)
    entries = rows.entries()
    share = bounded_groups.share_bytes(num_parts)
    # By key: repeated rows have the same, and so are in the same bucket.
    yield from bounded_groups.sent(
        entries,
        entries["key"] % buckets,
        sender=bounded_groups.Sender(staging, SURVEYED, number, share),
    )


def reject_repeated_rows(
    group: tuple[int, Iterable[bytes]],
    *,
    staging: str,
    seed: int,
    drop_duplicates: bool = False,
    lists: row_lists.RowLists = _NO_LISTS,
) -> int:
    """Write a bucket of the index without repeated rows, and the correction of the counts.

    After that, once further faces have their names, the rows that lists name are left out or get
    their other labels.
    """
    bucket, packed = group
    values = counters.values_of_key(packed)
    folder = storage.path(staging)

    def fetch(entries: np.ndarray) -> list[annotations.Row]:
        return row_index.fetch(folder, entries)

    corrections, stays = deduplicate.find_repeats(
        bounded_groups.received(values, staging=staging, stage=SURVEYED),
        fetch=fetch,
        seed=seed,
        drop=drop_duplicates,
    )
    by_lists, stays = row_lists.apply(lists, stays, fetch=fetch, seed=seed)
    corrections.merge(by_lists)
    row_index.write(folder, SURVEYED, bucket, stays)
    survey_files.write(folder, BUCKETS, bucket, corrections)
    counters.add(counters.Counts(rows_rejected=len(corrections.rejects)))
    return bucket
