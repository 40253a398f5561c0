"""Benchmark of scale: memory and speed of the job as the number of images grows.

python -m benchmarks.scale --input_dir=AFFECTNET prints a line for each of `--num_images`, and
with `--details` what the processes took and what was shuffled. `--runners=local,flink` compares
this machine's cores with a Flink cluster of two TaskManagers, started for it. Images are hard
links to those of the releases given, so that many are read from the page cache. `--num_workers=1,2`
measures how the job scales over its worker processes.
"""

import hashlib
import itertools
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from absl import flags

from benchmarks import command_line, engine, measure, releases

INPUT_DIR = flags.DEFINE_list("input_dir", None, "releases in the 2017 layout", required=True)
NUM_IMAGES = flags.DEFINE_list(
    "num_images", ["10000", "30000", "100000"], "numbers of images to repeat it to"
)
command_line.whole_numbers(NUM_IMAGES, least=1)
RUNS = flags.DEFINE_integer("runs", 3, "runs of each; the median is printed", 1)
RUNNERS = flags.DEFINE_list("runners", ["local"], "where it runs: local, flink")
command_line.chosen(RUNNERS, *engine.RUNNERS)
DROP_DUPLICATES = flags.DEFINE_list(
    "drop_duplicates", ["no"], "no, yes: without and with --drop_duplicates of the job"
)
command_line.chosen(DROP_DUPLICATES, "no", "yes")
NUM_WORKERS = flags.DEFINE_list(
    "num_workers", ["0"], "worker processes without an engine (0: as the job chooses)"
)
command_line.whole_numbers(NUM_WORKERS, least=0)
DETAILS = flags.DEFINE_bool("details", False, "print processes, shuffles, files and checksums, too")
WORK_DIR = flags.DEFINE_string(
    "work_dir", None, "folder on the disk of the releases (default: beside the first)"
)


class Case(NamedTuple):
    """What is measured."""

    root: Path  # the release
    num_images: int
    runner: str
    drop_duplicates: bool
    num_workers: int  # 0: as the job chooses


class Result(NamedTuple):
    """Measurements of one build."""

    measured: measure.Measured
    shuffled: engine.Shuffled
    flink_bytes: int
    version_bytes: int
    sha256: str  # of all shards


def built(case: Case, work: Path) -> Result:
    """Build a release, measure it, and remove what it made."""
    log, data = work / "log", work / "out"
    log.unlink(missing_ok=True)
    given = [f"--input_dir={case.root}", f"--data_dir={data}", f"--log_json={log}"]
    given += ["--balance=none", "--config_name=benchmark", "--overwrite"]
    given += ["--drop_duplicates"] * case.drop_duplicates
    given += [f"--num_workers={case.num_workers}"] * (case.num_workers > 0)
    with engine.running(case.runner, work / "cluster") as where:
        measured = measure.run(
            [sys.executable, "-m", "pipeline.main", *given, *where.flags],
            servers=where.servers,
            folder=data,
        )
        through_flink = engine.flink_bytes(where.rest_port) if where.rest_port else 0
    result = Result(
        measured,
        engine.shuffled(log),
        through_flink,
        measure.bytes_below(data),
        sha256_of_shards(data),
    )
    shutil.rmtree(data)
    return result


def sha256_of_shards(data: Path) -> str:
    """Return one checksum of all shards: of their names and contents, in order."""
    state = hashlib.sha256()
    for shard in sorted(data.rglob("*.tfrecord-*")):
        if shard.name.endswith((".index", ".json")):
            continue
        state.update(shard.name.encode())
        with shard.open("rb") as file:
            while chunk := file.read(1 << 22):
                state.update(chunk)
    return state.hexdigest()


def print_line(case: Case, results: Sequence[Result]) -> None:
    """Print the line of a case."""
    seconds = statistics.median(result.measured.seconds for result in results)
    peak = statistics.median(result.measured.peak_bytes for result in results) / 1e6
    where = case.runner + " without duplicates" * case.drop_duplicates
    where += f", --num_workers={case.num_workers}" if case.num_workers else ""
    print(
        f"{case.num_images:>10,}{seconds:>9.1f}{case.num_images / seconds:>10,.0f}{peak:>9,.0f}"
        f"  {where}",
        flush=True,
    )


def print_details(result: Result) -> None:
    """Print what else was measured of a build."""
    measured = result.measured
    files = max(process.open_files for process in measured.processes)
    for name, value in {
        "peak of each role": measure.of_roles(measured.processes),
        "open files": f"{files:,} in one process",
        "shuffled": f"{result.shuffled.num_bytes / 1e6:,.1f} MB by the job's counters, "
        f"{result.flink_bytes / 1e6:,.1f} MB between Flink's tasks",
        "largest key": result.shuffled.largest_key,
        "largest value": result.shuffled.largest_value,
        "staging folder": f"{measured.folder_bytes / 1e6:,.0f} MB at most",
        "version": f"{result.version_bytes / 1e6:,.0f} MB",
        "written to disk": f"{measured.bytes_written / 1e6:,.0f} MB",
        "sha256 of shards": result.sha256,
    }.items():
        print(f"            {name:<20}{value}", flush=True)


def main(argv: Sequence[str]) -> None:
    """Measure, and print a table."""
    roots = [Path(root) for root in INPUT_DIR.value]
    print(f"median of {RUNS.value}; {measure.machine()}")
    print(f"{'images':>10}{'seconds':>9}{'images/s':>10}{'peak MB':>9}  where")
    for num_images in map(int, NUM_IMAGES.value):
        with tempfile.TemporaryDirectory(
            prefix="scale_benchmark_", dir=WORK_DIR.value or roots[0].parent
        ) as folder:
            release = releases.repeated(roots, num_images, Path(folder, "release"))
            for drop, runner, num_workers in itertools.product(
                DROP_DUPLICATES.value, RUNNERS.value, map(int, NUM_WORKERS.value)
            ):
                case = Case(release, num_images, runner, drop == "yes", num_workers)
                results = [built(case, Path(folder)) for _ in range(RUNS.value)]
                print_line(case, results)
                if DETAILS.value:
                    print_details(results[-1])


if __name__ == "__main__":
    command_line.run(main)
