"""The Beam wiring: two pipelines, in which neither pixels nor rows are shuffled.

Pixels go from the picture file into the shard within one call. With pixels in a GroupByKey, as
TFDS's own writer has them, the local runner's memory grows by about 50 kB an image, and with whole
rows by 9 kB. What is shuffled here is entries (index.py), packed: one value for all the entries
that one call has for one key.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import cv2
import numpy as np

from pipeline.beam import malloc, runner
from pipeline.files import atomic, storage
from pipeline.rows import annotations, deduplicate, row_index, stable_hash, survey
from pipeline.shards import plan, shard_writer, write_lease
from pipeline.sources import base
from pipeline.sources.layouts import registry

Bucket = tuple[str, int, int]  # split, label, part of the class (plan.buckets_of)

HASHED_TOGETHER = 256
"""Pictures that are hashed as one element, so that threads can read them ahead."""

SURVEYED, UNIQUE = "surveyed", "unique"
"""Stages that leave an index: every row that may be used; the same without rows whose picture is
there twice."""


class SurveyRows(beam.PTransform):
    """(number, base.Part) → one survey.Survey; the rows, and the index of those that may be used,
    go into files."""

    def __init__(self, root: str, staging: str, *, clean: str, seed: int, buckets: int) -> None:
        """Survey a release, leaving out what the cleaning rules say."""
        super().__init__()
        self.root, self.staging, self.clean, self.seed, self.buckets = (
            root,
            staging,
            clean,
            seed,
            buckets,
        )

    def expand(self, parts: beam.PCollection) -> beam.PCollection:
        """Wire."""
        read = (
            parts
            | beam.Reshuffle()
            | beam.FlatMap(self._survey_part).with_outputs("entries", main="surveys")
        )
        repeats = (
            read.entries  # (bucket, packed entries)
            | beam.GroupByKey()
            | beam.MapTuple(self._settle)
        )
        return (read.surveys, repeats) | beam.Flatten() | beam.CombineGlobally(_merge)

    def _survey_part(self, numbered: tuple[int, base.Part]) -> Iterator[Any]:
        number, part = numbered
        counted = survey.Survey()
        with atomic.writing(row_index.rows_of_part(storage.path(self.staging), number)) as file:
            rows = row_index.Rows(file, number)
            for item in registry.read(self.root, part):
                if counted.add(item, clean=self.clean) and isinstance(item, annotations.Row):
                    rows.add(item, key=stable_hash.key(item.filename, self.seed))
        entries = rows.entries()
        for bucket, packed in _packed(entries, entries["key"] % self.buckets):
            yield beam.pvalue.TaggedOutput("entries", (bucket, packed))
        yield counted

    def _settle(self, bucket: int, packed: Iterable[bytes]) -> survey.Survey:
        place = storage.path(self.staging)
        entries = row_index.joined(packed)
        found, stays = deduplicate.find_repeats(
            entries, fetch=lambda some: row_index.fetch(place, some), seed=self.seed
        )
        row_index.write(place, SURVEYED, bucket, stays)
        return found


def _packed(entries: np.ndarray, numbers: np.ndarray) -> Iterator[tuple[int, bytes]]:
    return ((number, some.tobytes()) for number, some in row_index.dealt(entries, numbers))


def _merge(surveys: Iterable[survey.Survey]) -> survey.Survey:
    total = survey.Survey()
    for one in surveys:
        total.merge(one)
    return total


class FindDuplicates(beam.PTransform):
    """Number of a file of the index → one survey.Survey that drops the duplicates.

    Reads every picture file, decodes none. The index without the duplicates goes into files.
    """

    def __init__(self, root: str, staging: str, *, classes: int, buckets: int) -> None:
        """Read pictures below a root."""
        super().__init__()
        self.root, self.staging, self.classes, self.buckets = root, staging, classes, buckets

    def expand(self, numbers: beam.PCollection) -> beam.PCollection:
        """Wire."""
        return (
            numbers
            | beam.FlatMap(self._batches)
            | beam.Reshuffle()  # so that they go to all workers
            | beam.FlatMap(self._hash)  # (bucket, packed entries with hashes)
            | beam.GroupByKey()
            | beam.MapTuple(self._drop)
            | beam.CombineGlobally(_merge)
        )

    def _batches(self, number: int) -> Iterator[bytes]:
        entries = row_index.read(storage.path(self.staging), SURVEYED, number)
        entries = entries[entries["label"] < self.classes]
        for start in range(0, len(entries), HASHED_TOGETHER):
            yield entries[start : start + HASHED_TOGETHER].tobytes()

    def _hash(self, packed: bytes) -> Iterator[tuple[int, bytes]]:
        entries = row_index.joined([packed])
        hashed = row_index.converted(entries, deduplicate.HASHED)
        rows = row_index.fetch(storage.path(self.staging), entries)
        for place, content in enumerate(_contents(rows, self.root)):
            if isinstance(content, bytes):
                digest = bytes.fromhex(shard_writer.content_hash(content))
                hashed["high"][place], hashed["low"][place] = np.frombuffer(digest, "<u8")
        yield from _packed(hashed, hashed["high"] % self.buckets)

    def _drop(self, bucket: int, packed: Iterable[bytes]) -> survey.Survey:
        place = storage.path(self.staging)
        hashed = row_index.joined(packed, deduplicate.HASHED)
        found, stays = deduplicate.drop_duplicates(
            hashed, fetch=lambda some: row_index.fetch(place, some)
        )
        row_index.write(place, UNIQUE, bucket, row_index.converted(stays, row_index.ENTRY))
        return found


def _contents(
    rows: Sequence[annotations.Row], root: str
) -> Iterator[bytes | annotations.InvalidExample]:
    place = storage.path(root)
    threads = storage.read_threads(
        place, on_disk=1
    )  # There is no other work for which reading would have to be ahead.
    return storage.ahead(
        lambda row: shard_writer.read_picture(place, row.path), rows, threads=threads
    )


class AssignTasks(beam.PTransform):
    """Number of a file of the index → (shard name, packed plan.DEALT)."""

    def __init__(self, plans: Mapping[str, plan.SplitPlan], staging: str, *, stage: str) -> None:
        """Assign the rows that a stage left by the plans of all splits."""
        super().__init__()
        self.plans, self.staging, self.stage = dict(plans), staging, stage

    def expand(self, numbers: beam.PCollection) -> beam.PCollection:
        """Wire."""
        keyed = numbers | beam.FlatMap(self._by_class)  # (Bucket, packed entries)
        groups = keyed | "GroupByClass" >> beam.GroupByKey()
        if all(
            plan.num_buckets(n) == 1 for one in self.plans.values() for n in one.counts.values()
        ):
            return groups | beam.FlatMap(self._assign)
        sizes = (
            keyed | beam.MapTuple(lambda of, packed: (of, len(packed))) | beam.CombinePerKey(sum)
        )
        return groups | beam.FlatMap(self._assign_in_part, beam.pvalue.AsDict(sizes))

    def _by_class(self, number: int) -> Iterator[tuple[Bucket, bytes]]:
        entries = row_index.read(storage.path(self.staging), self.stage, number)
        for split, one in self.plans.items():
            for label, count in one.counts.items():
                of_class = (entries["split"] == row_index.SPLITS.index(split)) & (
                    entries["label"] == label
                )
                some = entries[of_class]
                for part, packed in _packed(
                    some, plan.buckets_of(some["key"], plan.num_buckets(count))
                ):
                    yield (split, label, part), packed

    def _assign(
        self,
        group: tuple[Bucket, Iterable[bytes]],
        first_rank: int = 0,
        num_rows: int | None = None,
    ) -> Iterator[tuple[str, bytes]]:
        """Deal the tasks of a class, or of a bucket of it, to the shards."""
        (split, _, _), packed = group
        one, entries = self.plans[split], row_index.joined(packed)
        for number, dealt in plan.tasks_of_class(
            entries, plan=one, first_rank=first_rank, num_rows=num_rows
        ):
            yield shard_writer.file_name(split, number, one.num_shards), dealt.tobytes()

    def _assign_in_part(
        self, group: tuple[Bucket, Iterable[bytes]], sizes: Mapping[Bucket, int]
    ) -> Iterator[tuple[str, bytes]]:
        """Deal the tasks of a bucket to the shards, knowing how many rows every bucket has."""
        (split, label, part), _ = group
        rows = {
            b: n // row_index.ENTRY.itemsize
            for (other, its, b), n in sizes.items()
            if (other, its) == (split, label)
        }
        before = sum(n for b, n in rows.items() if b < part)
        yield from self._assign(group, first_rank=before, num_rows=sum(rows.values()))


class WriteShards(beam.PTransform):
    """(shard name, packed plan.DEALT) → name of a finished shard."""

    def __init__(self, spec: shard_writer.Spec) -> None:
        """Write to the staging folder."""
        super().__init__()
        self.spec = spec

    def expand(self, tasks: beam.PCollection) -> beam.PCollection:
        """Wire."""
        return tasks | "GroupByShard" >> beam.GroupByKey() | beam.ParDo(_WriteShard(self.spec))


class _WriteShard(beam.DoFn):
    def __init__(self, spec: shard_writer.Spec) -> None:
        self.spec = spec

    def setup(self) -> None:
        cv2.setNumThreads(1)  # Workers share the cores already.

    def process(self, element: tuple[str, Iterable[bytes]]) -> Iterator[str]:
        malloc.give_back()  # What dealing took; a shard takes seconds, this some milliseconds.
        name, packed = element
        dealt = row_index.joined(packed, plan.DEALT)
        rows = row_index.fetch(storage.path(self.spec.staging), dealt)
        tasks = plan.tasks(dealt, rows, seed=self.spec.content["seed"])
        with contextlib.suppress(
            write_lease.Abandoned
        ):  # The sooner the engine is done with it, the better.
            yield shard_writer.write(self.spec, name, tasks)["name"]


def run_survey(
    release: base.Release,
    *,
    settings: Mapping[str, Any],
    staging: storage.AnyPath,
    options: runner.Runner,
) -> survey.Survey:
    """Survey a release with Beam; the result comes back through a file in the staging folder."""
    row_index.clear(staging)
    out, num_bytes = str(staging / "survey.json"), release.num_bytes()
    surveyed = SurveyRows(
        release.root,
        str(staging),
        clean=settings["clean"],
        seed=settings["seed"],
        buckets=row_index.num_buckets(num_bytes),
    )
    with options.pipeline(reads_bytes=num_bytes) as pipeline:
        (
            pipeline
            | beam.Create(list(enumerate(release.parts())))
            | surveyed
            | beam.Map(_write_survey, out)
        )
    return survey.Survey.from_json(storage.path(out).read_text(encoding="utf-8"))


def _write_survey(found: survey.Survey, path: str) -> None:
    atomic.write_text(storage.path(path), found.to_json())


def run_duplicates(
    release: base.Release,
    *,
    surveyed: survey.Survey,
    settings: Mapping[str, Any],
    staging: storage.AnyPath,
    options: runner.Runner,
) -> survey.Survey:
    """Return the survey without the rows of train whose picture is there under another name."""
    out, buckets = str(staging / "duplicates.json"), row_index.num_buckets(release.num_bytes())
    dropped = FindDuplicates(
        release.root, str(staging), classes=settings["classes"], buckets=buckets
    )
    with options.pipeline() as pipeline:
        (pipeline | beam.Create(range(buckets)) | dropped | beam.Map(_write_survey, out))
    return surveyed.merge(survey.Survey.from_json(storage.path(out).read_text(encoding="utf-8")))


def run_shards(
    release: base.Release,
    *,
    plans: Mapping[str, plan.SplitPlan],
    spec: shard_writer.Spec,
    options: runner.Runner,
) -> None:
    """Write all shards with Beam; what was written stands in the sidecars."""
    stage = UNIQUE if spec.content["drop_duplicates"] else SURVEYED
    with options.pipeline() as pipeline:
        (
            pipeline
            | beam.Create(range(row_index.num_buckets(release.num_bytes())))
            | beam.Reshuffle()  # so that they go to all workers
            | AssignTasks(plans, spec.staging, stage=stage)
            | WriteShards(spec)
        )
