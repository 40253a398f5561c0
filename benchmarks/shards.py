"""Benchmark of a build: the job beside hand-written loops, TFDS, data libraries and img2dataset.

python -m benchmarks.shards --input_dir=AFFECTNET runs every contender as a command of its own,
measured from outside, start-up counted, in turn, `--runs` times. `--num_images` repeats the
training rows by hard links to the images, so that a small release makes a large one.
"""

import csv
import importlib.util
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from benchmarks import command_line, measure, releases, shards_peers

INPUT_DIR = flags.DEFINE_string("input_dir", None, "a release in the 2017 layout", required=True)
NUM_IMAGES = flags.DEFINE_integer("num_images", 0, "number of images to repeat it to (0: as it is)")
RUNS = flags.DEFINE_integer("runs", 3, "runs of each contender; the median is printed", 1)
CONTENDERS = flags.DEFINE_list("contenders", ["ours", *shards_peers.PEERS], "contenders")
WORK_DIR = flags.DEFINE_string("work_dir", None, "working folder (default: a temporary one)")

_PACKAGES = {"hf_datasets": ["datasets"], "ray_data": ["ray", "crc32c"]}


def command(contender: str, root: Path, output: Path) -> list[str]:
    """Return a contender's command."""
    if contender == "ours":
        given = ["--balance=none", "--config_name=benchmark", "--max_reject_frac=0.05"]
        return [
            sys.executable,
            "-m",
            "pipeline.main",
            f"--input_dir={root}",
            f"--data_dir={output}",
            *given,
        ]
    return [sys.executable, "-m", "benchmarks.shards_peers", contender, str(root), str(output)]


def absent() -> dict[str, str]:
    """Return the contenders that cannot run here, and why."""
    found = {
        name: f"the package {package} is not installed"
        for name, packages in _PACKAGES.items()
        for package in packages
        if importlib.util.find_spec(package) is None
    }
    if shutil.which("img2dataset") is None:
        found["img2dataset"] = (
            "it is not on the PATH (its requirements need an environment of its own)"
        )
    return found


def main(argv: Sequence[str]) -> None:
    """Measure, and print a table."""
    work = Path(WORK_DIR.value or tempfile.mkdtemp(prefix="shards_benchmark_"))
    root = Path(INPUT_DIR.value)
    if NUM_IMAGES.value:
        root = releases.repeated([root], NUM_IMAGES.value, work / "release")
    (table,) = root.rglob("training.csv")
    with table.open(newline="") as lines:
        count = sum(1 for _ in csv.reader(lines)) - 1
    measured: dict[str, list[measure.Measured]] = {name: [] for name in CONTENDERS.value}
    for name, why in absent().items():
        if measured.pop(name, None) is not None:
            print(f"{name} is left out: {why}")
    for _ in range(RUNS.value):
        for name in list(measured):
            try:
                measured[name].append(measure.run(command(name, root, work / "out")))
            except subprocess.CalledProcessError as error:
                if name == "ours":
                    raise
                print(f"{name} is left out: it ended with code {error.returncode}", flush=True)
                del measured[name]  # The others' measurements took an hour.
            shutil.rmtree(work / "out", ignore_errors=True)
    print(f"{count:,} images, median of {RUNS.value}, start-up counted; {measure.machine()}")
    print(f"{'contender':<16}{'seconds':>9}{'images/s':>10}{'peak MB':>9}{'ours is':>9}")
    ours = statistics.median(run.seconds for run in measured["ours"])
    for name, runs in measured.items():
        seconds = statistics.median(run.seconds for run in runs)
        peak = statistics.median(run.peak_bytes for run in runs) / 1e6
        print(
            f"{name:<16}{seconds:>9.1f}{count / seconds:>10,.0f}{peak:>9,.0f}"
            f"{seconds / ours:>8.2f}x"
        )


if __name__ == "__main__":
    command_line.run(main)
