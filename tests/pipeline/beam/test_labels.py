"""Labels of Beam's stages: each says what the stage does; none is made up by Beam."""

import contextlib
import re

import apache_beam as beam
import pytest
from apache_beam import pipeline as beam_pipeline

from pipeline import build, config
from pipeline.beam import find_duplicates, pipelines, runner
from pipeline.shards import plan, shard_writer
from pipeline.sources.layouts import registry


class Labels(beam_pipeline.PipelineVisitor):
    """Collects the stages that this package wires; what is inside Beam's own is Beam's."""

    def __init__(self):
        self.own: list[str] = []
        self.made_by_beam: list[str] = []

    def enter_composite_transform(self, node):
        self.visit_transform(node)

    def visit_transform(self, node):
        if node.transform is None or not _is_wired_here(node.parent):
            return
        label = node.full_label.rpartition("/")[2]
        self.own.append(node.full_label)
        is_ours = type(node.transform).__module__.startswith("pipeline.")
        is_verb = re.fullmatch("[A-Z][A-Za-z]+", label)
        if not is_verb or (label == node.transform.default_label() and not is_ours):
            self.made_by_beam.append(node.full_label)


def _is_wired_here(parent) -> bool:
    """Whether the parent is the pipeline itself, or a transform of this package."""
    at_root = parent is None or parent.transform is None
    return at_root or type(parent.transform).__module__.startswith("pipeline.")


def labels(pipeline: beam.Pipeline) -> Labels:
    found = Labels()
    pipeline.visit(found)
    return found


class Recorder(runner.Runner):
    """Runs pipelines in this process, and keeps them."""

    def __init__(self):
        super().__init__(num_workers=1)
        self.pipelines: list[beam.Pipeline] = []

    @contextlib.contextmanager
    def pipeline(self, *, reads_bytes=None):
        with super().pipeline(reads_bytes=reads_bytes) as pipeline:
            yield pipeline
            self.pipelines.append(pipeline)


@pytest.mark.parametrize("rows_ranked_together", [150_000, 5])
def test_every_stage_of_a_build_has_a_label_of_its_own(
    job_config, tmp_path, monkeypatch, rows_ranked_together
):
    monkeypatch.setattr(plan, "MAX_ROWS_RANKED_TOGETHER", rows_ranked_together)
    job: config.JobConfig = job_config()
    release = registry.recognise(job.input_dir and tmp_path / "small", build.request(job))
    recorder = Recorder()
    surveyed = pipelines.run_survey(
        release, clean="none", seed=0, staging=tmp_path, options=recorder
    )
    scan = find_duplicates.Scan(
        release.root, str(tmp_path), classes=8, settings=job.example_settings()
    )
    pipelines.run_duplicates(
        scan, surveyed=surveyed, buckets=release.num_buckets(), options=recorder
    )
    plans = {"train": plan.SplitPlan("train", {0: 12}, {0: 12}, 1)}
    spec = shard_writer.Spec(
        release.root, str(tmp_path), job.example_settings(), seed=0, content=job.content()
    )
    pipelines.run_shards(release, plans=plans, spec=spec, drop_duplicates=True, options=recorder)
    found = [labels(pipeline) for pipeline in recorder.pipelines]
    assert [names.made_by_beam for names in found] == [[], [], []]
    survey_labels, duplicate_labels, shard_labels = (names.own for names in found)
    assert survey_labels == [
        "ListParts",
        "SurveyRows",
        "SurveyRows/SpreadParts",
        "SurveyRows/ReadAnnotations",
        "SurveyRows/GroupByBucket",
        "SurveyRows/RejectRepeatedRows",
    ]
    assert "FindDuplicates/HashImages" in duplicate_labels
    assert shard_labels[-1] == "WriteShards/WriteShard"
    assert ("AssignTasks/SumRows" in shard_labels) == (rows_ranked_together == 5)


@pytest.mark.parametrize(
    "unlabelled", [beam.Map(len), beam.Reshuffle(), "Map(len)" >> beam.Map(len)]
)
def test_a_stage_without_a_label_is_noticed(unlabelled):
    pipeline = beam.Pipeline(runner="FnApiRunner")
    pipeline | "ListWords" >> beam.Create(["a"]) | unlabelled
    assert len(labels(pipeline).made_by_beam) == 1
