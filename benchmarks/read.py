"""Benchmark of reading: from shards to batches, beside peers.

python -m benchmarks.read --version_dir=DATA_DIR/affectnet_faces/NAME/1.0.0 runs every contender as
a process of its own, in turn, `--runs` times; imports are not counted, opening the data is.
"""

import importlib.util
import json
import statistics
import sys
from collections.abc import Mapping, Sequence

from absl import flags

from benchmarks import command_line, measure, read_peers

VERSION_DIR = flags.DEFINE_string("version_dir", None, "a published version", required=True)
IMAGE_SIZES = flags.DEFINE_list("image_sizes", ["48", "112", "224"], "training sizes, in pixels")
RUNS = flags.DEFINE_integer("runs", 3, "runs of each contender; the median is printed", 1)
CONTENDERS = flags.DEFINE_list("contenders", [], "contenders (default: all that are installed)")


def contenders() -> list[str]:
    """Return the contenders whose packages are installed."""
    return CONTENDERS.value or [
        name
        for name in read_peers.CONTENDERS
        if all(importlib.util.find_spec(package) for package in read_peers.NEEDS.get(name, ()))
    ]


def rates(contender: str, size: str) -> tuple[dict[str, float], int]:
    """Run a contender once.

    Returns:
      images a second of the first and of the last epoch, and the peak memory in bytes.
    """
    command = [sys.executable, "-m", "benchmarks.read_peers", contender, VERSION_DIR.value, size]
    run = measure.run(command)
    printed = [line for line in run.output.splitlines() if line.startswith("{")]
    epochs = json.loads(printed[-1])  # Libraries may warn after it.
    images_per_s = [
        count / seconds
        for count, seconds in zip(epochs["examples"], epochs["seconds"], strict=True)
    ]
    return {"first": images_per_s[0], "later": images_per_s[-1]}, run.peak_bytes


def table(size: str) -> str:
    """Measure one training size."""
    measured: dict[str, list[tuple[Mapping[str, float], int]]] = {name: [] for name in contenders()}
    for _ in range(RUNS.value):
        for name, runs in measured.items():
            runs.append(rates(name, size))
    median = {
        name: {
            epoch: statistics.median(rate[epoch] for rate, _ in runs)
            for epoch in ("first", "later")
        }
        for name, runs in measured.items()
    }
    ours = median[next(iter(median))]  # The first one: ours, unless others are asked for.
    lines = [
        f"{size} px: images/s",
        f"{'contender':<20}{'first epoch':>12}{'later':>9}{'peak MB':>9}{'ours is':>16}",
    ]
    for name, rate in median.items():
        peak = statistics.median(peak for _, peak in measured[name]) / 1e6
        ratio = f"{ours['first'] / rate['first']:.2f}x {ours['later'] / rate['later']:.2f}x"
        lines.append(
            f"{name:<20}{rate['first']:>12,.0f}{rate['later']:>9,.0f}{peak:>9,.0f}{ratio:>16}"
        )
    return "\n".join(lines)


def main(argv: Sequence[str]) -> None:
    """Measure, and print a table a size."""
    print(f"batches of {read_peers.BATCH}, median of {RUNS.value}; {measure.machine()}")
    for size in IMAGE_SIZES.value:
        print(table(size), flush=True)


if __name__ == "__main__":
    command_line.run(main)
