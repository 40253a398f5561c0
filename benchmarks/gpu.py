"""Benchmark of a GPU: networks and sizes in float32 and bfloat16, with XLA and without.

python -m benchmarks.gpu --data_dir=DATA_DIR --config_name=NAME fills a table within --minutes and
writes it as gpu.md and gpu.json. Each network at each size is a process of its own (gpu_rows), with
an equal share of the time that is left, so that no network is left out for those before it.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from benchmarks import command_line, measure

DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "folder that holds affectnet_faces/", required=True
)
CONFIG_NAME = flags.DEFINE_string("config_name", None, "which build of the data set", required=True)
OUTPUT_DIR = flags.DEFINE_string("output_dir", "build/bench/gpu", "folder for gpu.md and gpu.json")
MODELS = flags.DEFINE_list(
    "models",
    [
        *("cnn", "resnet_small", "mobilenet_v3_large", "efficientnet_v2_b0"),
        *("efficientnet_v2_s", "resnet50", "convnext_tiny"),
    ],
    "networks (--model of trainer.main)",
)
IMAGE_SIZES = flags.DEFINE_list("image_sizes", ["112", "224"], "training sizes, in pixels")
VARIANTS = flags.DEFINE_multi_string(
    "variant",
    ["bfloat16", "bfloat16, XLA", "float32", "float32, XLA"],
    "variants to measure, the most important first",
)
BATCH_SIZE = flags.DEFINE_integer("batch_size", 256, "images a step")
NUM_GPUS = flags.DEFINE_integer("num_gpus", 1, "GPUs; 0 tries the benchmark on the CPU")
SECONDS = flags.DEFINE_float("seconds", 3.0, "duration of each measurement")
MINUTES = flags.DEFINE_float("minutes", 20.0, "duration of the whole benchmark")

_GRACE_S = 30.0
"""Time for the variant that was begun last."""

_HEADER = (
    "| network | px | variant | images/s | ms a step | input wait | images/s, no cache | "
    "wait, no cache | memory, GB | of the step alone | Keras fit, images/s |"
)


def main(argv: Sequence[str]) -> None:
    """Measure, print each row as it is known, and write the table."""
    deadline = time.monotonic() + 60 * MINUTES.value
    pairs = [(model, size) for size in IMAGE_SIZES.value for model in MODELS.value]
    about = f"Batches of {BATCH_SIZE.value}, {SECONDS.value:g} s a measurement; {measure.machine()}"
    print(f"{about}\n\n{_HEADER}\n{'|---' * (_HEADER.count('|') - 1)}|", flush=True)
    rows: list[dict[str, Any]] = []
    for number, (model, size) in enumerate(pairs):
        left_s = deadline - time.monotonic()
        for row in measured(model, size, share_s=left_s / (len(pairs) - number), left_s=left_s):
            rows.append({"model": model, "image_size": int(size), **row})
            print(line(rows[-1]), flush=True)
    write(rows, about=about, folder=Path(OUTPUT_DIR.value))


def measured(model: str, size: str, *, share_s: float, left_s: float) -> list[dict[str, Any]]:
    """Measure the variants of a network at a size; those that there is no time for say so."""
    order = {
        "variants": VARIANTS.value,
        "seconds": SECONDS.value,
        "budget_s": max(share_s - _GRACE_S, 0),
    }
    command = [
        *(sys.executable, "-m", "benchmarks.gpu_rows", json.dumps(order)),
        *(f"--data_dir={DATA_DIR.value}", f"--config_name={CONFIG_NAME.value}"),
        *(f"--model={model}", f"--image_size={size}", f"--batch_size={BATCH_SIZE.value}"),
        *(f"--num_gpus={NUM_GPUS.value}", "--epochs=1000"),
    ]
    output, end = run(command, timeout_s=max(left_s, 1))
    rows = [json.loads(text) for text in output.splitlines() if text.startswith('{"variant"')]
    there = {row["variant"] for row in rows}
    missing = [name for name in VARIANTS.value if name not in there]
    return rows + [{"variant": name, "error": end} for name in missing]


def run(command: Sequence[str], *, timeout_s: float) -> tuple[str, str]:
    """Run a command; return its output, and why there is no more of it."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
        return output.decode() if isinstance(output, bytes) else output, "no time left"
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        return done.stdout, f"exit code {done.returncode}: {last[:200]}"
    return done.stdout, "no time left"


def line(row: dict[str, Any]) -> str:
    """Return a row of the table."""
    start = f"| {row['model']} | {row['image_size']} | {row['variant']} |"
    if "error" in row:
        return f"{start} {row['error'].replace('|', ' ')} |" + " |" * 7
    fit = f"{row['fit_per_s']:,.0f}" if "fit_per_s" in row else ""
    return (
        f"{start} {row['images_per_s']:,.0f} | {row['ms_a_step']:.1f} | "
        f"{row['input_wait_frac']:.0%} | {row['images_per_s_no_cache']:,.0f} | "
        f"{row['input_wait_frac_no_cache']:.0%} | {row['peak_bytes'] / 1e9:.1f} | "
        f"{row['images_per_s'] / row['alone_per_s']:.0%} | {fit} |"
    )


def write(rows: list[dict[str, Any]], *, about: str, folder: Path) -> None:
    """Write the table as Markdown and as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    device = next((row["device"] for row in rows if "device" in row), "")
    table = [_HEADER, "|---" * (_HEADER.count("|") - 1) + "|", *map(line, rows)]
    (folder / "gpu.md").write_text("\n".join([f"{device}. {about}", "", *table]) + "\n")
    facts = {"device": device, "about": about, "rows": rows}
    (folder / "gpu.json").write_text(json.dumps(facts, indent=2) + "\n")
    print(f"\nwritten       {folder / 'gpu.md'}  {folder / 'gpu.json'}")


if __name__ == "__main__":
    command_line.run(main)
