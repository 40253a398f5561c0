"""Beam pipelines of a build: survey, duplicates, shards.

Neither pixels nor rows are shuffled. What is shuffled is entries (row_index.py), packed: one value
for all the entries that one call has for one key, of which no key gets more than a few megabytes
(bounded_groups.py). Results come back through files in the staging folder, for an engine elsewhere
returns no values.
"""

from collections.abc import Mapping

import apache_beam as beam
import numpy as np

from pipeline.beam import (
    assign_tasks,
    find_duplicates,
    runner,
    scan_images,
    survey_rows,
    write_shards,
)
from pipeline.files import storage
from pipeline.rows import (
    deduplicate,
    row_index,
    row_lists,
    survey,
    survey_files,
    validation_split,
)
from pipeline.shards import near_duplicates_in_rows, plan, shard_writer
from pipeline.sources import base


def run_survey(
    release: base.Release,
    *,
    clean: str,
    seed: int,
    staging: storage.AnyPath,
    options: runner.Runner,
    holdout: validation_split.Holdout | None = None,
    drop_duplicates: bool = False,
    lists: row_lists.RowLists | None = None,
) -> survey.Survey:
    """Return the survey of a release; its rows and their index are in the staging folder."""
    row_index.clear(staging)
    parts = list(enumerate(release.parts()))
    surveyed = survey_rows.SurveyRows(
        release.root,
        str(staging),
        clean=clean,
        seed=seed,
        buckets=release.num_buckets(),
        num_parts=len(parts),
        holdout=holdout or validation_split.Holdout(),
        drop_duplicates=drop_duplicates,
        lists=lists or row_lists.RowLists(),
    )
    with options.pipeline(reads_bytes=release.num_bytes()) as pipeline:
        (
            pipeline
            | "ListParts" >> beam.Create(parts)  # (number, base.Part)
            | "SurveyRows" >> surveyed  # int
        )
    if len(row_index.survey_files(staging, survey_rows.PARTS)) != len(parts):
        storage.check_is_there(staging)
        raise AssertionError(f"the survey of {len(parts)} parts is not whole")
    return survey_files.total(staging, survey_rows.PARTS, survey_rows.BUCKETS)


def run_duplicates(
    scan: find_duplicates.Scan, *, surveyed: survey.Survey, buckets: int, options: runner.Runner
) -> survey.Survey:
    """Return the survey without the rows of train whose image file has another name, too."""
    dropped = find_duplicates.FindDuplicates(scan, buckets=buckets, num_rows=surveyed.num_rows)
    with options.pipeline() as pipeline:
        (
            pipeline
            | "ListBuckets" >> beam.Create(range(buckets))  # int
            | "FindDuplicates" >> dropped  # int
        )
    staging = storage.path(scan.staging)
    return surveyed.merge(survey_files.total(staging, find_duplicates.DUPLICATES))


def run_scan(
    scan: find_duplicates.Scan, *, buckets: int, options: runner.Runner
) -> near_duplicates_in_rows.Scanned:
    """Return all rows with the hashes of their images, and the groups that show one picture."""
    with options.pipeline() as pipeline:
        (
            pipeline
            | "ListBuckets" >> beam.Create(range(buckets))  # int
            | "ScanImages" >> scan_images.ScanImages(scan)  # int
        )
    return near_duplicates_in_rows.find(
        scan_images.read_scanned(range(buckets), scan=scan),
        release=near_duplicates_in_rows.Release(
            scan.root, scan.staging, scan.settings, scan.folders, scan.follow_links
        ),
    )


def drop_scanned(
    scanned: near_duplicates_in_rows.Scanned,
    *,
    surveyed: survey.Survey,
    near: bool,
    staging: storage.AnyPath,
    buckets: int,
) -> survey.Survey:
    """Return the survey without the rows of train that show a picture again.

    The index without them goes into files, as that of run_duplicates does.

    Args:
      scanned: all rows, and their groups.
      surveyed: the survey, which is changed.
      near: whether pictures in other bytes are dropped too, or identical files only.
      staging: folder of the index.
      buckets: files of the index.
    """
    groups = scanned.groups if near else near_duplicates_in_rows.identical(scanned)
    corrections, dropped = deduplicate.drop_near_duplicates(
        groups, scanned.entries, fetch=lambda entries: row_index.fetch(staging, entries)
    )
    stays = np.ones(len(scanned.entries), bool)
    stays[dropped] = False
    entries = row_index.converted(scanned.entries[stays], row_index.ENTRY)
    for bucket, of_bucket in row_index.dealt(entries, entries["key"] % buckets):
        row_index.write(staging, find_duplicates.UNIQUE, bucket, of_bucket)
    return surveyed.merge(corrections)


def run_shards(
    release: base.Release,
    *,
    plans: Mapping[str, plan.SplitPlan],
    spec: shard_writer.Spec,
    drop_duplicates: bool,
    options: runner.Runner,
) -> None:
    """Write all shards and their sidecars."""
    stage = find_duplicates.UNIQUE if drop_duplicates else survey_rows.SURVEYED
    buckets = release.num_buckets()
    assigned = assign_tasks.AssignTasks(plans, spec.staging, stage=stage)
    with options.pipeline() as pipeline:
        (
            pipeline
            | "ListBuckets" >> beam.Create(range(buckets))  # int
            | "SpreadBuckets" >> beam.Reshuffle()  # int
            | "AssignTasks" >> assigned  # (shard name, value with tasks.DEALT[M])
            | "WriteShards" >> write_shards.WriteShards(spec)  # str, shard name
        )
