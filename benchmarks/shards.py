"""python -m benchmarks.shards --input_dir=AFFECTNET: the job beside what one would write without it.

Every contender is a command of its own, measured from outside, start-up counted, in turn, `--runs` times.
`--num_images` repeats the training rows by hard links to the pictures, so that a small release makes a large one.
"""

import csv
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from absl import app, flags

from benchmarks import measure
from pipeline import annotations, faces

INPUT_DIR = flags.DEFINE_string("input_dir", None, "a release in the 2017 layout", required=True)
NUM_IMAGES = flags.DEFINE_integer("num_images", 0, "pictures to repeat it to (0: as it is)")
RUNS = flags.DEFINE_integer("runs", 3, "how often each contender runs; the median is printed")
CONTENDERS = flags.DEFINE_list("contenders", ["ours", "bare", "tfds_beam", "tfds_generator"], "who runs")
WORK_DIR = flags.DEFINE_string("work_dir", None, "where to work (default: a temporary folder)")


def command(contender: str, root: Path, output: Path) -> list[str]:
    """Return a contender's command."""
    if contender == "ours":
        given = ["--balance=none", "--config_name=benchmark", "--max_reject_frac=0.05"]
        return [sys.executable, "-m", "pipeline.main", f"--input_dir={root}", f"--data_dir={output}", *given]
    return [sys.executable, "-m", "benchmarks.shards_peers", contender, str(root), str(output)]


def repeated(root: Path, num_images: int, folder: Path) -> Path:
    """Return a release with so many training rows: the good ones of `root` again and again, by hard links."""
    (table,) = root.rglob("training.csv")
    (images,) = (path for path in root.rglob("Manually_Annotated_Images") if path.is_dir())
    with table.open(newline="") as lines:
        header, *rows = csv.reader(lines)
    good = [row for row in rows if len(row) == len(header) and _is_good(images, row)]
    (folder / "Manually_Annotated_file_lists").mkdir(parents=True)
    with (folder / "Manually_Annotated_file_lists" / "training.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(header)
        for i in range(num_images):
            row = good[i % len(good)]
            name = f"{i % 997}/{i:056x}{Path(row[0]).suffix}"
            target = folder / "Manually_Annotated_Images" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(images / row[0], target)
            writer.writerow([name, *row[1:]])
    return folder


def _is_good(images: Path, row: Sequence[str]) -> bool:
    """Say whether every contender can make a crop of a row: a defect would cost them more than it costs us."""
    place = annotations.Place("train", "manual", "", "", "")
    fields = dict(zip(("path", "x", "y", "width", "height", "landmarks", "label"), row, strict=False))
    parsed = annotations.parse(fields, place)
    if not isinstance(parsed, annotations.Row) or parsed.label > 7 or parsed.box is None:
        return False
    try:
        content = (images / parsed.path).read_bytes()
        header = faces.read_header(content)
        faces.square(parsed.box, picture_size=header.size, margin_frac=0)
        return header.is_plain_jpeg and faces.decode(content, header).size > 0
    except (OSError, annotations.Defect):
        return False


def main(argv: Sequence[str]) -> None:
    """Measure, and print a table."""
    work = Path(WORK_DIR.value or tempfile.mkdtemp(prefix="shards_benchmark_"))
    root = Path(INPUT_DIR.value)
    if NUM_IMAGES.value:
        root = repeated(root, NUM_IMAGES.value, work / "release")
    (table,) = root.rglob("training.csv")
    with table.open(newline="") as lines:
        count = sum(1 for _ in csv.reader(lines)) - 1
    found: dict[str, list[measure.Measured]] = {name: [] for name in CONTENDERS.value}
    for _ in range(RUNS.value):
        for name, runs in found.items():
            runs.append(measure.run(command(name, root, work / "out")))
            shutil.rmtree(work / "out", ignore_errors=True)
    print(f"{count:,} pictures, median of {RUNS.value}, start-up counted; {measure.machine()}")
    print(f"{'contender':<16}{'seconds':>9}{'images/s':>10}{'peak MB':>9}{'ours is':>9}")
    ours = statistics.median(run.seconds for run in found["ours"])
    for name, runs in found.items():
        seconds = statistics.median(run.seconds for run in runs)
        peak = statistics.median(run.peak_bytes for run in runs) / 1e6
        print(f"{name:<16}{seconds:>9.1f}{count / seconds:>10,.0f}{peak:>9,.0f}{seconds / ours:>8.2f}x")


if __name__ == "__main__":
    app.run(main)
