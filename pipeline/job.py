"""The Beam wiring: two pipelines, in which rows are shuffled and pixels never are.

Pixels go from the picture file into the shard within one call. With pixels in a GroupByKey, as TFDS's own writer has
them, the local runner's memory grows by about 50 kB an image; with rows it grows by about 1 kB a row.
"""

import contextlib
import io
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import cv2
from apache_beam.options import pipeline_options

from pipeline import annotations, commit, object_store, plan, shards, sources, storage, survey
from pipeline.sources import base

SMALL_TABLE_BYTES = 64 << 20
"""Tables up to this size are surveyed in this process: starting workers would take longer."""

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
            | beam.FlatMap(_hash_content, self.root)  # (hash, Content)
            | beam.GroupByKey()
            | beam.MapTuple(lambda _, found: survey.drop_duplicates(survey.Content(*c) for c in found))
            | beam.CombineGlobally(_merge)
        )


def _hash_content(row: annotations.Row, root: str) -> Iterator[tuple[str, AnyRow]]:
    content = shards.read_picture(storage.path(root), row.path)
    if isinstance(content, bytes):
        digest = shards.content_hash(content)
        yield digest, (digest, row.split, row.subset, row.label, row.path, row.source)


class AssignTasks(beam.PTransform):
    """annotations.Row → (shard name, plan.Task as a tuple)."""

    def __init__(self, plans: Mapping[str, plan.SplitPlan], seed: int) -> None:
        """Assign by the plans of all splits."""
        super().__init__()
        self.plans, self.seed = dict(plans), seed

    def expand(self, rows: beam.PCollection) -> beam.PCollection:
        """Wire."""
        return (
            rows
            | beam.Map(lambda row: (f"{row.split}/{row.label}", tuple(row)))
            | "GroupByClass" >> beam.GroupByKey()  # (class, [Row])
            | beam.FlatMap(_assign, self.plans, self.seed)
        )


def _assign(
    group: tuple[str, Iterable[AnyRow]], plans: Mapping[str, plan.SplitPlan], seed: int
) -> Iterator[tuple[str, tuple[int, int, AnyRow]]]:
    key, rows = group
    split = plans[key.split("/")[0]]
    for index, task in plan.tasks_of_class((annotations.Row(*r) for r in rows), plan=split, seed=seed):
        name = shards.file_name(split.split, index, split.num_shards)
        yield name, (task.place, task.copy, tuple(task.row))


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
        yield shards.write(self.spec, name, tasks)["name"]


@contextlib.contextmanager
def _run(options: pipeline_options.PipelineOptions) -> Iterator[beam.Pipeline]:
    """Run what the block puts into a pipeline.

    Raises:
      object_store.Unreachable: if that is what a worker raised; Beam hands on the text of its traceback.
    """
    try:
        with beam.Pipeline(options=options) as pipeline:
            yield pipeline
    except RuntimeError as error:
        told = re.search(r"\bUnreachable: (.*?)(?: \[while running|$)", str(error), re.MULTILINE)
        if not told:
            raise
        raise object_store.Unreachable(told[1]) from error


def run_survey(release: base.Release, *, clean: str, staging: storage.AnyPath, options: "Runner") -> survey.Survey:
    """Survey a release with Beam; the result comes back through a file in the staging folder."""
    out = str(staging / "survey.json")
    with _run(options.for_bytes(release.num_bytes())) as pipeline:
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
    options: "Runner",
) -> survey.Survey:
    """Return the survey without the rows of train whose picture is there under another name."""
    out = str(staging / "duplicates.json")
    with _run(options.for_bytes(None)) as pipeline:
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
    options: "Runner",
) -> None:
    """Write all shards with Beam; what was written stands in the sidecars."""
    with _run(options.for_bytes(None)) as pipeline:
        (
            pipeline
            | UsableRows(release, surveyed, spec.content)
            | AssignTasks(plans, spec.content["seed"])
            | WriteShards(spec)
        )


class Runner:
    """Where the pipelines run: this machine's cores unless Beam's own flags say otherwise."""

    def __init__(self, *, num_workers: int, beam_args: Sequence[str] = ()) -> None:
        """Take the number of local workers (0: all cores) and Beam's flags, which are passed on untouched."""
        self.num_workers = num_workers or len(os.sched_getaffinity(0))
        self.beam_args = list(beam_args)
        # It warns, for every worker, of a folder that no pipeline of ours uses.
        logging.getLogger("apache_beam.runners.portability.local_job_service").setLevel(logging.ERROR)
        # Local workers are processes of their own; they find this package where this process found it.
        root = str(Path(__file__).resolve().parent.parent)
        if root not in os.environ.get("PYTHONPATH", "").split(os.pathsep):
            os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))

    @property
    def is_local(self) -> bool:
        return not any(arg.startswith("--runner") for arg in self.beam_args)

    def for_bytes(self, num_bytes: int | None) -> pipeline_options.PipelineOptions:
        """Return Beam's options for a pipeline that reads so many bytes (None: many)."""
        if not self.is_local:
            return pipeline_options.PipelineOptions(self.beam_args)
        workers = 1 if num_bytes is not None and num_bytes <= SMALL_TABLE_BYTES else self.num_workers
        # By name: DirectRunner would first try to download Prism, and ignores the number of workers then.
        local = ["--runner=FnApiRunner", f"--direct_num_workers={workers}"]
        local += ["--direct_running_mode=" + ("multi_processing" if workers > 1 else "in_memory")]
        return pipeline_options.PipelineOptions([*self.beam_args, *local])


def unknown_beam_args(args: Sequence[str]) -> list[str]:
    """Return the arguments that no part of Beam knows: most likely flags of ours, misspelt."""
    if any(arg.startswith("--runner") for arg in args):
        return []
    known = pipeline_options.PipelineOptions(list(args))
    with contextlib.redirect_stderr(io.StringIO()):
        options = known.get_all_options(drop_default=True, retain_unknown_options=False)
    names = {arg.lstrip("-").split("=")[0] for arg in args if arg.startswith("-")}
    return sorted(name for name in names if name not in options)
