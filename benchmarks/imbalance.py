"""Benchmark of what a run is taught: remedies for unequal classes, or soft targets.

python -m benchmarks.imbalance --data_dir=DATA_DIR --config_name=NAME --work_dir=FOLDER trains the
same network for the same steps from the same seeds, one run after the other (or `--parallel` at a
time), and prints a Markdown table of validation metrics with each variant's flags: the means over
`--seeds`, with 95 % intervals for several. Finished runs are kept. `--table=soft_targets` compares
targets on data with soft labels, by a small network whose epoch is chosen on images held out of
train.
"""

import concurrent.futures
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags

from benchmarks import command_line, small_network

DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "folder that holds affectnet_faces/", required=True
)
CONFIG_NAME = flags.DEFINE_string(
    "config_name", None, "which build of the data set: a natural one", required=True
)
WORK_DIR = flags.DEFINE_string("work_dir", None, "folder for the runs", required=True)
TABLE = flags.DEFINE_enum(
    "table", "unequal_classes", ["unequal_classes", "soft_targets"], "which variants are compared"
)
EPOCHS = flags.DEFINE_integer("epochs", 4, "epochs of each run")
SEEDS = flags.DEFINE_list("seeds", ["0"], "seeds of every variant")
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

SOFT_TARGETS: Mapping[str, Sequence[str]] = {
    "labels": ("--targets=label",),
    "half soft labels": ("--targets=soft", "--soft_weight=0.5"),
    "soft labels": ("--targets=soft", "--soft_weight=1"),
    "soft labels, temperature 2": ("--targets=soft", "--soft_weight=1", "--temperature=2"),
}

SOFT_SETTINGS: Mapping[str, object] = {
    **small_network.SETTINGS,
    "conv_filters": (16, 32, 64),
    "label_smoothing": 0.0,  # It softens what is learnt, too.
    "ema_decay": 0.98,  # Of runs of a few hundred steps.
    "holdout_frac": 0.15,
}


class Column(NamedTuple):
    """A metric of the table."""

    title: str
    of: Callable[[Mapping[str, Any]], float]
    digits: int


COLUMNS: Mapping[str, Sequence[Column]] = {
    "unequal_classes": (
        Column("accuracy", lambda metrics: metrics["accuracy"], 3),
        Column("balanced accuracy", lambda metrics: metrics["balanced_accuracy"], 3),
        Column("macro-F1", lambda metrics: metrics["macro"]["f1"], 3),
        Column("M", lambda metrics: metrics["m_measure"], 3),
    ),
    "soft_targets": (
        Column("accuracy, %", lambda metrics: 100 * metrics["accuracy"], 1),
        Column("ECE, %", lambda metrics: 100 * metrics["calibration"]["ece"], 1),
        Column("NLL", lambda metrics: metrics["calibration"]["nll"], 3),
    ),
}


def variants() -> Mapping[str, Sequence[str]]:
    """Return the flags of each variant of the table that is asked for."""
    if TABLE.value == "unequal_classes":
        return VARIANTS
    return SOFT_TARGETS


def settings() -> list[str]:
    """Return the flags of all runs."""
    if TABLE.value == "unequal_classes":
        return TRAINER_FLAGS.value
    return [*small_network.as_flags(SOFT_SETTINGS), *TRAINER_FLAGS.value]


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
        *settings(),
        *variants()[variant],
    ]
    small_network.run("trainer.main", *given)


def row(variant: str) -> str:
    """Return a line of the table: means over the seeds."""
    runs = [
        json.loads((folder(variant, seed) / "metrics.json").read_text(encoding="utf-8"))
        for seed in SEEDS.value
    ]
    flags_text = " ".join(f"`{flag}`" for flag in variants()[variant])
    means = [
        small_network.interval([column.of(run) for run in runs], digits=column.digits)
        for column in COLUMNS[TABLE.value]
    ]
    return "| " + " | ".join([variant, flags_text, *means]) + " |"


def main(argv: Sequence[str]) -> None:
    """Train all variants, and print the table."""
    with concurrent.futures.ThreadPoolExecutor(PARALLEL.value) as pool:
        wanted = [(variant, seed) for seed in SEEDS.value for variant in variants()]
        list(pool.map(lambda pair: train(*pair), wanted))
    titles = [column.title for column in COLUMNS[TABLE.value]]
    print(f"| variant | flags | {' | '.join(titles)} |\n|---|---{'|---' * len(titles)}|")
    for variant in variants():
        print(row(variant))


if __name__ == "__main__":
    command_line.run(main)
