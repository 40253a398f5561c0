"""Benchmark of planning: annotation rows with landmarks through --dry_run, without any image.

python -m benchmarks.plan prints the median seconds and peak memory for a table of `--num_rows`.
"""

import random
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from absl import app, flags

from affectnet_tfds import labels
from benchmarks import measure

NUM_ROWS = flags.DEFINE_integer("num_rows", 1_000_000, "rows of the table")
RUNS = flags.DEFINE_integer("runs", 3, "number of runs; the median is printed")

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
    drawn = draw.choices(range(len(labels.EXPRESSIONS)), TRAIN_ROWS, k=num_rows)
    image = root / "Manually_Annotated_Images" / "1" / f"{0:056x}.jpg"
    image.parent.mkdir(parents=True)
    image.touch()
    with (root / "training.csv").open("w", encoding="utf-8") as file:
        file.write(HEADER)
        for i, label in enumerate(drawn):
            file.write(f"1/{i:056x}.jpg,20,30,200,210,{points},{label},0.1,0.2\n")


def main(argv: Sequence[str]) -> None:
    """Measure, and print a line."""
    with tempfile.TemporaryDirectory(prefix="plan_benchmark_") as folder:
        root = Path(folder, "release")
        write_table(root, NUM_ROWS.value)
        command = [
            sys.executable,
            "-m",
            "pipeline.main",
            f"--input_dir={root}",
            f"--data_dir={folder}/out",
            "--dry_run",
        ]
        runs = [measure.run(command) for _ in range(RUNS.value)]
    seconds = statistics.median(run.seconds for run in runs)
    peak = statistics.median(run.peak_bytes for run in runs)
    print(
        f"{NUM_ROWS.value:,} rows, median of {RUNS.value}: {seconds:.1f} s, {peak / 1e9:.2f} GB; "
        f"{measure.machine()}"
    )


if __name__ == "__main__":
    app.run(main)
