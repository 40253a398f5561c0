"""Benchmark of scale: memory and speed of the job as the number of images grows.

python -m benchmarks.scale --input_dir=AFFECTNET prints a line for each of `--num_images`.
"""

import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from absl import app, flags

from benchmarks import measure, releases

INPUT_DIR = flags.DEFINE_string("input_dir", None, "a release in the 2017 layout", required=True)
NUM_IMAGES = flags.DEFINE_list(
    "num_images", ["10000", "30000", "100000"], "numbers of images to repeat it to"
)
RUNS = flags.DEFINE_integer("runs", 3, "runs of each; the median is printed")


def measured(num_images: int) -> list[measure.Measured]:
    """Run the job on so many images."""
    with tempfile.TemporaryDirectory(
        prefix="scale_benchmark_", dir=Path(INPUT_DIR.value).parent
    ) as folder:
        root = releases.repeated(Path(INPUT_DIR.value), num_images, Path(folder, "release"))
        given = [
            f"--input_dir={root}",
            f"--data_dir={folder}/out",
            "--balance=none",
            "--config_name=benchmark",
        ]
        command = [sys.executable, "-m", "pipeline.main", *given, "--overwrite"]
        return [measure.run(command) for _ in range(RUNS.value)]


def main(argv: Sequence[str]) -> None:
    """Measure, and print a table."""
    print(f"median of {RUNS.value}; {measure.machine()}")
    print(f"{'images':>10}{'seconds':>9}{'images/s':>10}{'peak MB':>9}")
    for num_images in map(int, NUM_IMAGES.value):
        runs = measured(num_images)
        seconds = statistics.median(run.seconds for run in runs)
        peak = statistics.median(run.peak_bytes for run in runs) / 1e6
        print(
            f"{num_images:>10,}{seconds:>9.1f}{num_images / seconds:>10,.0f}{peak:>9,.0f}",
            flush=True,
        )


if __name__ == "__main__":
    app.run(main)
