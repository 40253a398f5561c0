"""Benchmark of a recipe's parts: validation accuracy with one part changed, at equal compute.

python -m benchmarks.ablation --data_dir=DATA_DIR --config_name=fer2013_7 --work_dir=FOLDER trains a
small network on FER2013 once for each seed and variant, and prints a Markdown table. A variant is
trained for as many epochs as take the multiply-adds of the base's: twice as many where an image
takes half of them. Finished runs are kept and an interrupted one is continued.
"""

import functools
import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from benchmarks import command_line, small_network

DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "folder that holds affectnet_faces/", required=True
)
CONFIG_NAME = flags.DEFINE_string("config_name", "fer2013", "which build of the data set")
WORK_DIR = flags.DEFINE_string("work_dir", None, "folder for the runs", required=True)
EPOCHS = flags.DEFINE_integer("epochs", 6, "epochs of the base")
SEEDS = flags.DEFINE_list("seeds", ["0"], "seeds of every variant")
VARIANT = flags.DEFINE_multi_string("variant", [], "variant to train (all by default)")
TEACHER = flags.DEFINE_string(
    "teacher",
    None,
    "predictions.csv of the training images by a larger network, for the variants that are "
    "distilled from it",
)
KEEP_DIR = flags.DEFINE_string("keep_dir", None, "folder for metrics.json and history.csv of runs")

CNN = {"model": "cnn", "drop": ("blocks_per_stage", "stem_stride")}

VARIANTS: Mapping[str, Mapping[str, object]] = {
    "base": {},
    "CNN, 3 blocks, dense layers on all places": CNN | {"conv_filters": (32, 64, 128)},
    "CNN, batch normalisation": CNN | {"conv_filters": (32, 64, 128), "batch_norm": True},
    "CNN, two convolutions a block, means": CNN
    | {
        "conv_filters": (24, 48, 96),
        "batch_norm": True,
        "convs_per_block": 2,
        "pooling": "mean",
    },
    "two residual blocks a stage": {"blocks_per_stage": 2},
    "1.5 times the filters": {"conv_filters": (48, 96, 192)},
    "stem of stride 1, half the filters": {"stem_stride": 1, "conv_filters": (16, 32, 64)},
    "squeeze-and-excitation": {"channel_attention": "se"},
    "efficient channel attention": {"channel_attention": "eca"},
    "whole images of 28 px, no crops": {"image_size": 28, "drop": ("crop_px",)},
    "images of 40 px, crops of 36": {"image_size": 40, "crop_px": 36},
    "smaller images at first": {"progressive_px": (16, 22)},
    "one view in evaluation": {"tta": "none"},
    "ten crops in evaluation": {"tta": "ten_crop"},
    "no augmentation but crops": {"augment": 0.0},
    "augmentation twice as strong": {"augment": 1.0},
    "gamma and local contrast": {"tone_jitter": 1.0},
    "RandAugment, 2 kinds": {"randaugment": 2},
    "random erasing": {"erase_prob": 0.25},
    "mixup": {"mixup": 0.2},
    "CutMix": {"cutmix": 1.0},
    "no label smoothing": {"label_smoothing": 0.0},
    "focal loss": {"loss": "focal"},
    "class weights, square root": {"class_weights": "sqrt"},
    "half the learning rate": {"learning_rate": 0.02},
    "constant learning rate": {"schedule": "constant"},
    "SGD, Nesterov momentum": {
        "optimizer": "sgd",
        "nesterov": True,
        "learning_rate": 0.05,
        "weight_decay": 5e-4,
    },
    "AdamW": {"optimizer": "adamw", "learning_rate": 2e-3, "weight_decay": 0.05},
    "no average of the weights": {"ema_decay": 0.0},
    "stochastic weight averaging": {"ema_decay": 0.0, "swa_epochs": 2.0},
    "sharpness-aware minimisation": {"sam_rho": 0.05},
    "no dropout": {"dropout": 0.0},
    "bfloat16": {"precision": "bfloat16"},
    "distilled": {"temperature": 2.0},
    "distilled, nothing but the teacher": {"temperature": 2.0, "soft_weight": 1.0},
}
"""What each variant changes in small_network.SETTINGS; `drop` names settings that it has not, and a
distilled one has the teacher of --teacher."""


def settings(variant: str, *, seed: str) -> dict[str, object]:
    """Return the settings of a run, with the epochs that its compute allows."""
    epochs = max(1, round(EPOCHS.value * _cost("base") / _cost(variant)))
    merged = {**_asked(variant), "epochs": epochs, "seed": int(seed)}
    if "progressive_px" in merged:
        merged["progressive_epochs"] = epochs * 2 // 3
    return merged


def _asked(variant: str) -> dict[str, object]:
    changes = dict(VARIANTS[variant])
    if variant.startswith("distilled"):
        changes["teacher"] = TEACHER.value
    dropped = changes.pop("drop", ())
    return {k: v for k, v in {**small_network.SETTINGS, **changes}.items() if k not in dropped}


@functools.cache
def _cost(variant: str) -> float:
    """Return the multiply-adds of a variant's training step on an image, in forward passes."""
    from trainer.config import run_config
    from trainer.models import build, factory

    asked = _asked(variant)
    smaller = asked.pop("progressive_px", ())
    full = asked.get("crop_px") or asked["image_size"]
    network = build.network(run_config.make(asked), image_size=full, num_classes=7)
    cost = factory.multiply_adds(network) * (2 if "sam_rho" in asked else 1)
    if smaller:  # Two thirds of the epochs are on smaller images.
        small = statistics.mean((side / full) ** 2 for side in smaller)
        cost *= small * 2 / 3 + 1 / 3
    return cost


def folder(variant: str, *, seed: str, root: str) -> Path:
    """Return the folder of a run."""
    name = variant.replace(",", "").replace(" ", "_")
    return Path(root, f"{name}-seed{seed}")


def command(variant: str, *, seed: str) -> list[str]:
    """Return the flags of trainer.main that train a variant."""
    return small_network.as_flags(settings(variant, seed=seed))


def train(variant: str, *, seed: str) -> None:
    """Train a variant, unless it is trained already."""
    where = folder(variant, seed=seed, root=WORK_DIR.value)
    if not (where / "metrics.json").exists():
        program = [sys.executable, "-m", "trainer.main", f"--data_dir={DATA_DIR.value}"]
        program += [f"--config_name={CONFIG_NAME.value}", f"--model_dir={where}"]
        done = subprocess.run(
            [*program, *command(variant, seed=seed)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{variant}: {done.stderr[-2000:]}")
    if KEEP_DIR.value:
        kept = folder(variant, seed=seed, root=KEEP_DIR.value)
        kept.mkdir(parents=True, exist_ok=True)
        for name in ("metrics.json", "history.csv"):
            shutil.copy(where / name, kept / name)


def accuracies(variant: str) -> dict[str, float]:
    """Return the accuracy of each seed that is trained, in percent."""
    return {seed: 100 * metrics["accuracy"] for seed, metrics in _trained(variant).items()}


def _trained(variant: str) -> dict[str, dict[str, Any]]:
    """Return the metrics of each seed that is trained."""
    paths = {
        seed: folder(variant, seed=seed, root=WORK_DIR.value) / "metrics.json"
        for seed in SEEDS.value
    }
    return {seed: json.loads(path.read_text()) for seed, path in paths.items() if path.exists()}


def against_base(variant: str) -> str:
    """Return the mean difference from the base of the same seeds, with its 95 % interval."""
    base, other = accuracies("base"), accuracies(variant)
    differences = [other[seed] - base[seed] for seed in other if seed in base]
    if variant == "base" or not differences:
        return ""
    return small_network.interval(differences, signed=True)


def row(variant: str) -> str:
    """Return a line of the table: accuracy by seed, difference from the base, F1, flags."""
    found = _trained(variant)
    if not found:
        return ""
    flags_of_base = command("base", seed="0")
    differing = [
        flag
        for flag in command(variant, seed="0")
        if variant == "base" or flag not in flags_of_base
    ]
    has = settings(variant, seed="0")
    gone = [f"no --{name}" for name in settings("base", seed="0") if name not in has]
    cells = [
        variant,
        " ".join(f"{accuracy:.1f}" for accuracy in accuracies(variant).values()),
        against_base(variant),
        f"{statistics.mean(run['macro']['f1'] for run in found.values()):.3f}",
        f"`{' '.join([*differing, *gone])}`",
    ]
    return "| " + " | ".join(cells) + " |"


def main(argv: Sequence[str]) -> None:
    """Train the variants that are asked for, and print the table."""
    distilled = [each for each in VARIANTS if each.startswith("distilled") and not TEACHER.value]
    for variant in VARIANT.value or [each for each in VARIANTS if each not in distilled]:
        for seed in SEEDS.value:
            train(variant, seed=seed)
    print("| changed | accuracy by seed, % | against base, points | macro F1 | flags |")
    print("|---|---|---|---|---|")
    for line in filter(None, map(row, VARIANTS)):
        print(line)


if __name__ == "__main__":
    command_line.run(main)
