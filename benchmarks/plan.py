"""Benchmark of planning: annotation rows with landmarks through --dry_run, without any image.

python -m benchmarks.plan prints the median seconds and peak memory for a table of `--num_rows`.
With `--deal` the rows are dealt to shards as well, on each of `--runners`: all of the job but the
images, with the memory of every process, the largest key and the bytes shuffled.
"""

import random
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import apache_beam as beam
from absl import flags

from affectnet_tfds import labels
from benchmarks import command_line, engine, measure
from pipeline import build, config
from pipeline.beam import assign_tasks, counters, pipelines, survey_rows
from pipeline.beam import runner as runner_lib
from pipeline.rows import bounded_groups
from pipeline.shards import plan, tasks
from pipeline.sources.layouts import registry
from runtime import json_log

NUM_ROWS = flags.DEFINE_list("num_rows", ["1000000"], "rows of the table")
command_line.whole_numbers(NUM_ROWS, least=1)
RUNS = flags.DEFINE_integer("runs", 3, "number of runs; the median is printed", 1)
DEAL = flags.DEFINE_bool("deal", False, "deal the rows to shards, too")
RUNNERS = flags.DEFINE_list("runners", ["local"], "where rows are dealt: local, flink")
command_line.chosen(RUNNERS, *engine.RUNNERS)

TRAIN_ROWS = (74874, 134416, 25459, 14090, 6378, 3803, 24882, 3750, 33088, 11645, 82415)
"""Rows of each code in AffectNet's training.csv, as found in public code."""

HEADER = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
    "expression,valence,arousal\n"
)


def write_table(root: Path, num_rows: int) -> None:
    """Write a training.csv with as many bytes a row as AffectNet's, and the one image it needs.

    The job detects the image folder by the list's first rows, so one of them has to exist.
    """
    draw = random.Random(0)
    points = ";".join(f"{draw.uniform(10, 300):.2f}" for _ in range(136))
    image = root / "Manually_Annotated_Images" / "1" / f"{0:056x}.jpg"
    image.parent.mkdir(parents=True)
    image.touch()
    with (root / "training.csv").open("w", encoding="utf-8") as file:
        file.write(HEADER)
        for i in range(num_rows):
            (label,) = draw.choices(range(len(labels.EXPRESSIONS)), TRAIN_ROWS)
            file.write(f"1/{i:056x}.jpg,20,30,200,210,{points},{label},0.1,0.2\n")


def deal(root: str, folder: str, beam_args: Sequence[str]) -> None:
    """Survey a release, plan its shards, and deal its rows to them: the job without images."""
    json_log.open_file(f"{folder}/log")
    job = config.JobConfig(input_dir=root, data_dir=folder, config_name="plan")
    release = registry.recognise(Path(root), build.request(job))
    runner = runner_lib.Runner(num_workers=0, beam_args=beam_args)
    staging = Path(folder, "staging")
    staging.mkdir()
    surveyed = pipelines.run_survey(release, clean="none", seed=0, staging=staging, options=runner)
    counts = {(split, label): n for (split, _, label), n in surveyed.counts.items() if label < 8}
    plans = plan.make(counts, balance=job.balance, image_size=job.image_size)
    assigned = assign_tasks.AssignTasks(plans, str(staging), stage=survey_rows.SURVEYED)
    with runner.pipeline() as pipeline:
        (
            pipeline
            | "ListBuckets" >> beam.Create(range(release.num_buckets()))
            | "SpreadBuckets" >> beam.Reshuffle()
            | "AssignTasks" >> assigned
            | "GroupByShard" >> beam.GroupByKey()
            | "CountExamples" >> beam.MapTuple(count_examples, staging=str(staging))
        )


def count_examples(shard: str, values: Sequence[bytes], staging: str = "") -> int:
    """Return the number of examples of a shard."""
    dealt = bounded_groups.received(
        counters.values_of_key(values),
        staging=staging,
        stage=assign_tasks.DEALT,
        dtype=tasks.DEALT,
    )
    return len(dealt)


def dry_run(root: Path, folder: Path) -> list[str]:
    """Return the command that plans a build of a release."""
    given = [f"--input_dir={root}", f"--data_dir={folder}/out", "--dry_run"]
    return [sys.executable, "-m", "pipeline.main", *given]


def print_dealt(num_rows: int, root: Path, folder: Path) -> None:
    """Deal the rows of a release on each runner, and print what that took."""
    for runner in RUNNERS.value:
        work = folder / runner
        work.mkdir()
        with engine.running(runner, work / "cluster") as where:
            called = f"plan.deal({str(root)!r}, {str(work)!r}, {where.flags!r})"
            # Imported by its name, as workers import it.
            command = [sys.executable, "-c", f"from benchmarks import plan; {called}"]
            run = measure.run(command, servers=where.servers, folder=work / "staging")
        shuffled = engine.shuffled(work / "log")
        print(
            f"{num_rows:,} rows dealt, {runner}: {run.seconds:.1f} s, "
            f"{run.peak_bytes / 1e9:.2f} GB in all\n"
            f"  peak of each role {measure.of_roles(run.processes)}\n"
            f"  shuffled          {shuffled.num_bytes / 1e6:,.1f} MB; largest key "
            f"{shuffled.largest_key}, largest value {shuffled.largest_value}\n"
            f"  working files     {run.folder_bytes / 1e6:,.0f} MB",
            flush=True,
        )


def main(argv: Sequence[str]) -> None:
    """Measure, and print a line for each number of rows."""
    if DEAL.value:
        print(measure.machine(), flush=True)
    for num_rows in map(int, NUM_ROWS.value):
        with tempfile.TemporaryDirectory(prefix="plan_benchmark_") as folder:
            root = Path(folder, "release")
            write_table(root, num_rows)
            if DEAL.value:
                print_dealt(num_rows, root, Path(folder))
                continue
            runs = [measure.run(dry_run(root, Path(folder))) for _ in range(RUNS.value)]
        seconds = statistics.median(run.seconds for run in runs)
        peak = statistics.median(run.peak_bytes for run in runs)
        print(
            f"{num_rows:,} rows, median of {RUNS.value}: {seconds:.1f} s, {peak / 1e9:.2f} GB; "
            f"{measure.machine()}"
        )


if __name__ == "__main__":
    command_line.run(main)
