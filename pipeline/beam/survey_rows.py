"""SurveyRows: reads all annotations, writes rows and index as files, and counts them."""

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np

from pipeline.beam import counters
from pipeline.files import atomic, storage
from pipeline.rows import (
    annotations,
    deduplicate,
    row_index,
    row_lists,
    stable_hash,
    survey,
    validation_split,
)
from pipeline.sources import base
from pipeline.sources.layouts import registry

SURVEYED = "surveyed"
"""Stage of the index that holds every usable row."""


_NOTHING = validation_split.Holdout()
_NO_LISTS = row_lists.RowLists()


class SurveyRows(beam.PTransform):
    """(part number, base.Part) → one survey.Survey; rows and their index go into files."""

    def __init__(
        self,
        root: str,
        staging: str,
        *,
        clean: str,
        seed: int,
        buckets: int,
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
        self.holdout = holdout
        self.drop_duplicates = drop_duplicates
        self.lists = lists

    def expand(self, parts: beam.PCollection) -> beam.PCollection:
        """Read the parts, settle repeated rows by bucket, and merge the counts."""
        read = (
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
                holdout=self.holdout,
            ).with_outputs("entries", main="surveys")
        )  # surveys: survey.Survey; entries: (bucket, packed row_index.ENTRY[N])
        corrections = (
            read.entries
            | "GroupByBucket" >> beam.GroupByKey()  # (bucket, [packed ENTRY[N], …])
            | "RejectRepeatedRows"
            >> beam.Map(
                reject_repeated_rows,
                staging=self.staging,
                seed=self.seed,
                drop_duplicates=self.drop_duplicates,
                lists=self.lists,
            )
        )  # survey.Survey
        return (
            (read.surveys, corrections)
            | "AllSurveys" >> beam.Flatten()  # survey.Survey
            | "MergeSurveys" >> beam.CombineGlobally(merge_surveys)  # one survey.Survey
        )


def survey_part(
    numbered: tuple[int, base.Part],
    *,
    root: str,
    staging: str,
    clean: str,
    seed: int,
    buckets: int,
    holdout: validation_split.Holdout = _NOTHING,
) -> Iterator[Any]:
    """Write the usable rows of a part; yield its survey, and the rows' entries by bucket."""
    number, part = numbered
    counts = survey.Survey()
    with atomic.writing(row_index.rows_of_part(storage.path(staging), number)) as file:
        rows = row_index.Rows(file, number)
        for found in registry.read(root, part):
            item = registry.in_split(found, part, holdout)
            if counts.add(item, clean=clean) and isinstance(item, annotations.Row):
                rows.add(item, key=stable_hash.key(item.filename, seed))
    counters.add(counters.Counts(rows_read=counts.num_rows, rows_rejected=len(counts.rejects)))
    entries = rows.entries()
    # By key: repeated rows have the same, and so are in the same bucket.
    for bucket, entries_of_bucket in row_index.dealt(entries, entries["key"] % buckets):
        yield beam.pvalue.TaggedOutput("entries", (bucket, entries_of_bucket.tobytes()))
    yield counts


def reject_repeated_rows(
    group: tuple[int, Iterable[bytes]],
    *,
    staging: str,
    seed: int,
    drop_duplicates: bool = False,
    lists: row_lists.RowLists = _NO_LISTS,
) -> survey.Survey:
    """Write a bucket of the index without repeated rows; return the correction of the counts.

    After that, once further faces have their names, the rows that lists name are left out or get
    their other labels.
    """
    bucket, packed = group
    folder = storage.path(staging)

    def fetch(entries: np.ndarray) -> list[annotations.Row]:
        return row_index.fetch(folder, entries)

    corrections, stays = deduplicate.find_repeats(
        row_index.joined(packed), fetch=fetch, seed=seed, drop=drop_duplicates
    )
    by_lists, stays = row_lists.apply(lists, stays, fetch=fetch, seed=seed)
    corrections.merge(by_lists)
    row_index.write(folder, SURVEYED, bucket, stays)
    counters.add(counters.Counts(rows_rejected=len(corrections.rejects)))
    return corrections


def merge_surveys(surveys: Iterable[survey.Survey]) -> survey.Survey:
    """Return the sum of surveys; Beam calls it with sums, too."""
    total = survey.Survey()
    for part in surveys:
        total.merge(part)
    return total
