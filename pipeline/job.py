"""The Beam wiring: two pipelines, in which rows are shuffled and pixels never are.

Pixels go from the picture file into the shard within one call. With pixels in a GroupByKey, as TFDS's own writer has
them, the local runner's memory grows by about 50 kB an image; with rows it grows by about 1 kB a row.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import cv2

from pipeline import annotations, attempts, commit, engine, plan, shards, sources, storage, survey
from pipeline.sources import base

HASHED_TOGETHER = 256
"""Pictures that are hashed as one element, so that threads can read them ahead."""

AnyRow = tuple[Any, ...]  # annotations.Row as a plain tuple, which Beam's fast coder knows


class SurveyRows(beam.PTransform):
    """base.Part → one survey.Survey."""

    def __init__(self, root: str, clean: str) -> None:
        """Survey a release, leaving out what the cleaning rules say."""
        super().__init__()
        self.root, self.clean = root, clean

    def expand(self, parts: beam.PCollection) -> beam.PCollection:
        """Wire."""
        read = (
            parts
            | beam.Reshuffle()
            | beam.FlatMap(_survey_part, self.root, self.clean).with_outputs("mentions", main="surveys")
        )
        repeats = (
            read.mentions  # (bucket, Mention)
            | beam.GroupByKey()  # (bucket, [Mention])
            | beam.MapTuple(lambda _, mentions: survey.find_repeats(survey.Mention(*m) for m in mentions))
        )
        return (read.surveys, repeats) | beam.Flatten() | beam.CombineGlobally(_merge)


def _survey_part(part: base.Part, root: str, clean: str) -> Iterator[Any]:
    counted = survey.Survey()
    for item in sources.read(root, part):
        if counted.add(item, clean=clean) and isinstance(item, annotations.Row):
            bucket, mention = survey.mention(item)
            yield beam.pvalue.TaggedOutput("mentions", (bucket, tuple(mention)))
    yield counted


def _merge(surveys: Iterable[survey.Survey]) -> survey.Survey:
    total = survey.Survey()
    for one in surveys:
        total.merge(one)
    return total


class FindDuplicates(beam.PTransform):
    """annotations.Row → one survey.Survey that drops the duplicates. Reads every picture file, decodes none."""

    def __init__(self, root: str) -> None:
        """Read below a root."""
        super().__init__()
        self.root = root

    def expand(self, rows: beam.PCollection) -> beam.PCollection:
        """Wire."""
        return (
            rows
            | beam.BatchElements(min_batch_size=HASHED_TOGETHER, max_batch_size=HASHED_TOGETHER)
            | beam.FlatMap(_hash_contents, self.root)  # (hash, Content)
            | beam.GroupByKey()
            | beam.MapTuple(lambda _, found: survey.drop_duplicates(survey.Content(*c) for c in found))
            | beam.CombineGlobally(_merge)
        )


def _hash_contents(rows: Sequence[annotations.Row], root: str) -> Iterator[tuple[str, AnyRow]]:
    place = storage.path(root)
    threads = storage.read_threads(place, on_disk=1)  # There is no other work for which reading would have to be ahead.
    contents = storage.ahead(lambda row: shards.read_picture(place, row.path), rows, threads=threads)
    for row, content in zip(rows, contents, strict=True):
        if isinstance(content, bytes):
            digest = shards.content_hash(content)
            yield digest, (digest, row.split, row.subset, row.label, row.path, row.source)


class AssignTasks(beam.PTransform):
    """annotations.Row → (shard name, plan.Task as a tuple)."""

    def __init__(self, plans: Mapping[str, plan.SplitPlan], seed: int) -> None:
        """Assign by the plans of all splits."""
        super().__init__()
        self.plans, self.seed = dict(plans), seed
        counts = {(split, label): n for split, one in self.plans.items() for label, n in one.counts.items()}
        self.buckets = {of: plan.num_buckets(n) for of, n in counts.items()}

    def expand(self, rows: beam.PCollection) -> beam.PCollection:
        """Wire."""
        keyed = rows | beam.Map(_with_bucket, self.buckets, self.seed)  # (Bucket, row)
        groups = keyed | "GroupByClass" >> beam.GroupByKey()  # (Bucket, [row])
        if set(self.buckets.values()) <= {1}:
            return groups | beam.FlatMap(_assign, self.plans, self.seed)
        sizes = keyed | beam.combiners.Count.PerKey()
        return groups | beam.FlatMap(_assign_in_part, self.plans, self.seed, beam.pvalue.AsDict(sizes))


Bucket = tuple[str, int, int]  # split, label, plan.bucket


def _with_bucket(row: annotations.Row, buckets: Mapping[tuple[str, int], int], seed: int) -> tuple[Bucket, AnyRow]:
    part = plan.bucket(row.filename, seed=seed, buckets=buckets.get((row.split, row.label), 1))
    return (row.split, row.label, part), tuple(row)


def _assign(
    group: tuple[Bucket, Iterable[AnyRow]],
    plans: Mapping[str, plan.SplitPlan],
    seed: int,
    first_rank: int = 0,
    num_rows: int | None = None,
) -> Iterator[tuple[str, tuple[int, int, AnyRow]]]:
    """Deal the tasks of a class, or of a bucket of it, to the shards."""
    (split, _, _), values = group
    one, rows = plans[split], (annotations.Row(*row) for row in values)
    for index, task in plan.tasks_of_class(rows, plan=one, seed=seed, first_rank=first_rank, num_rows=num_rows):
        yield shards.file_name(split, index, one.num_shards), (task.place, task.copy, tuple(task.row))


def _assign_in_part(
    group: tuple[Bucket, Iterable[AnyRow]],
    plans: Mapping[str, plan.SplitPlan],
    seed: int,
    sizes: Mapping[Bucket, int],
) -> Iterator[tuple[str, tuple[int, int, AnyRow]]]:
    """Deal the tasks of a bucket to the shards, knowing how many rows every bucket has."""
    (split, label, part), _ = group
    of_class = {b: n for (other, its_label, b), n in sizes.items() if (other, its_label) == (split, label)}
    before = sum(n for b, n in of_class.items() if b < part)
    yield from _assign(group, plans, seed, first_rank=before, num_rows=sum(of_class.values()))


class WriteShards(beam.PTransform):
    """(shard name, task) → name of a finished shard."""

    def __init__(self, spec: shards.Spec) -> None:
        """Write to the staging folder."""
        super().__init__()
        self.spec = spec

    def expand(self, tasks: beam.PCollection) -> beam.PCollection:
        """Wire."""
        return tasks | "GroupByShard" >> beam.GroupByKey() | beam.ParDo(_WriteShard(self.spec))


class _WriteShard(beam.DoFn):
    def __init__(self, spec: shards.Spec) -> None:
        self.spec = spec

    def setup(self) -> None:
        cv2.setNumThreads(1)  # Workers share the cores already.

    def process(self, element: tuple[str, Iterable[tuple[int, int, AnyRow]]]) -> Iterator[str]:
        name, values = element
        tasks = (plan.Task(place, copy, annotations.Row(*row)) for place, copy, row in values)
        with contextlib.suppress(attempts.Abandoned):  # The sooner the engine is done with it, the better.
            yield shards.write(self.spec, name, tasks)["name"]


def run_survey(release: base.Release, *, clean: str, staging: storage.AnyPath, options: engine.Runner) -> survey.Survey:
    """Survey a release with Beam; the result comes back through a file in the staging folder."""
    out = str(staging / "survey.json")
    with options.pipeline(reads_bytes=release.num_bytes()) as pipeline:
        (pipeline | beam.Create(release.parts()) | SurveyRows(release.root, clean) | beam.Map(_write_survey, out))
    return survey.Survey.from_json(storage.path(out).read_text(encoding="utf-8"))


def _write_survey(found: survey.Survey, path: str) -> None:
    commit.write_text(storage.path(path), found.to_json())


def run_duplicates(
    release: base.Release,
    *,
    surveyed: survey.Survey,
    settings: Mapping[str, Any],
    staging: storage.AnyPath,
    options: engine.Runner,
) -> survey.Survey:
    """Return the survey without the rows of train whose picture is there under another name."""
    out = str(staging / "duplicates.json")
    with options.pipeline() as pipeline:
        (
            pipeline
            | UsableRows(release, surveyed, settings)
            | FindDuplicates(release.root)
            | beam.Map(_write_survey, out)
        )
    return surveyed.merge(survey.Survey.from_json(storage.path(out).read_text(encoding="utf-8")))


class UsableRows(beam.PTransform):
    """A pipeline's begin → annotations.Row of the config's classes, as the survey let them through."""

    def __init__(self, release: base.Release, surveyed: survey.Survey, settings: Mapping[str, Any]) -> None:
        """Read a release again, now knowing the survey."""
        super().__init__()
        self.release, self.settings = release, settings
        self.fates = survey.Survey()  # Workers need what became of rows, not the counts.
        self.fates.rejects, self.fates.renamed = surveyed.rejects, surveyed.renamed
        self.fates.duplicates = surveyed.duplicates

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection:
        """Wire."""
        root, fates, clean = self.release.root, self.fates, self.settings["clean"]
        classes = self.settings["classes"]
        return (
            begin
            | beam.Create(self.release.parts())
            | beam.Reshuffle()  # Part; so that parts go to all workers
            | beam.FlatMap(lambda part: survey.usable(sources.read(root, part), fates, clean=clean))
            | beam.Filter(lambda row: row.label < classes)
        )


def run_shards(
    release: base.Release,
    *,
    surveyed: survey.Survey,
    plans: Mapping[str, plan.SplitPlan],
    spec: shards.Spec,
    options: engine.Runner,
) -> None:
    """Write all shards with Beam; what was written stands in the sidecars."""
    with options.pipeline() as pipeline:
        (
            pipeline
            | UsableRows(release, surveyed, spec.content)
            | AssignTasks(plans, spec.content["seed"])
            | WriteShards(spec)
        )
