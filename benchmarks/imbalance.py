"""Benchmark of remedies for unequal classes: accuracy, macro-F1 and M of one short run each.

python -m benchmarks.imbalance --data_dir=DATA_DIR --config_name=NAME --work_dir=FOLDER trains the
same network for the same steps from the same seeds, one run after the other (or `--parallel` at a
time), and prints a Markdown table of validation metrics with each variant's flags. Finished runs
are kept.
"""

import concurrent.futures
import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from absl import app, flags

DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "folder that holds affectnet_faces/", required=True
)
CONFIG_NAME = flags.DEFINE_string(
    "config_name", None, "which build of the data set: a natural one", required=True
)
WORK_DIR = flags.DEFINE_string("work_dir", None, "folder for the runs", required=True)
EPOCHS = flags.DEFINE_integer("epochs", 4, "epochs of each run")
SEEDS = flags.DEFINE_list("seeds", ["0"], "seeds; the mean over them is printed")
PARALLEL = flags.DEFINE_integer("parallel", 1, "runs at a time")
TRAINER_FLAGS = flags.DEFINE_multi_string(
    "trainer_flag", [], "further flags of trainer.main for every run"
)

VARIANTS: Mapping[str, Sequence[str]] = {
    "nothing": (),
    "sampling, sqrt": ("--sampling=sqrt",),
    "sampling, balanced": ("--sampling=balanced",),
    "weights, sqrt": ("--class_weights=sqrt",),
    "weights, inverse": ("--class_weights=inverse",),
    "weights, effective number": ("--class_weights=effective", "--effective_beta=0.9999"),
    "focal loss": ("--loss=focal",),
    "logit-adjusted loss": ("--loss=logit_adjusted",),
    "label smoothing": ("--label_smoothing=0.1",),
}


def folder(variant: str, seed: str) -> Path:
    """Return the folder of a run."""
    return Path(WORK_DIR.value, f"{variant.replace(', ', '_').replace(' ', '_')}-seed{seed}")


def train(variant: str, seed: str) -> None:
    """Train a variant, unless it is trained already."""
    if (folder(variant, seed) / "metrics.json").exists():
        return
    given = [
        f"--data_dir={DATA_DIR.value}",
        f"--config_name={CONFIG_NAME.value}",
        f"--epochs={EPOCHS.value}",
        f"--seed={seed}",
        f"--model_dir={folder(variant, seed)}",
        *TRAINER_FLAGS.value,
        *VARIANTS[variant],
    ]
    done = subprocess.run(
        [sys.executable, "-m", "trainer.main", *given], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{variant}: {done.stderr[-2000:]}")


def row(variant: str) -> str:
    """Return a line of the table: the mean over the seeds."""
    metrics = [
        json.loads((folder(variant, seed) / "metrics.json").read_text(encoding="utf-8"))
        for seed in SEEDS.value
    ]
    runs = [
        (run["accuracy"], run["balanced_accuracy"], run["macro"]["f1"], run["m_measure"])
        for run in metrics
    ]
    means = [f"{statistics.mean(values):.3f}" for values in zip(*runs, strict=True)]
    flags_text = " ".join(f"`{flag}`" for flag in VARIANTS[variant])
    return "| " + " | ".join([variant, flags_text, *means]) + " |"


def main(argv: Sequence[str]) -> None:
    """Train all variants, and print the table."""
    with concurrent.futures.ThreadPoolExecutor(PARALLEL.value) as pool:
        wanted = [(variant, seed) for seed in SEEDS.value for variant in VARIANTS]
        list(pool.map(lambda pair: train(*pair), wanted))
    print("| variant | flags | accuracy | balanced accuracy | macro-F1 | M |")
    print("|---|---|---|---|---|---|")
    for variant in VARIANTS:
        print(row(variant))


if __name__ == "__main__":
    app.run(main)
