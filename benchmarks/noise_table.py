"""Benchmark of label noise: what the audit finds, and what accuracy remedies bring back.

python -m benchmarks.noise_table --input_dir=FER2013 --work_dir=FOLDER builds the data with flipped
labels (benchmarks.label_noise), audits each build, trains a small network once for each seed and
remedy, and prints two Markdown tables. Builds, audits and runs that are finished are kept, and
interrupted ones continue. Accuracy is that on validation, whose labels are as they were, after the
last epoch: no choice of an epoch on clean labels flatters it.
"""

import csv
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from absl import flags

from affectnet_tfds.reader import label_list
from benchmarks import command_line, noise_detection, small_network
from benchmarks import flips as flips_lib

INPUT_DIR = flags.DEFINE_string("input_dir", None, "folder of the data", required=True)
WORK_DIR = flags.DEFINE_string("work_dir", None, "folder of builds and runs", required=True)
BUILD_FLAGS = flags.DEFINE_multi_string(
    "build_flag",
    ["--margin_frac=0", "--classes=7", "--balance=none", "--image_size=48"],
    "flags of pipeline.main for every build",
)
TRAINER_FLAGS = flags.DEFINE_multi_string(
    "trainer_flag", [], "further flags of trainer.main for every run and audit"
)
RATES = flags.DEFINE_list("rates", ["0.1", "0.2", "0.3"], "shares of the labels that are flipped")
NOISES = flags.DEFINE_list("noises", ["uniform", "confusion"], "kinds of flips")
SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2"], "seeds of every remedy")
EPOCHS = flags.DEFINE_integer("epochs", 12, "epochs of every run and fold")
FOLDS = flags.DEFINE_integer("folds", 5, "folds of the audits")
REMEDY = flags.DEFINE_multi_string("remedy", [], "remedy to train (all by default)")
PREFIX = flags.DEFINE_string("prefix", "fer2013", "beginning of the builds' names")

REMEDIES: Mapping[str, Sequence[str]] = {
    "nothing": (),
    "suspects dropped (--exclude)": ("BUILD=dropped",),
    "suspects relabelled (--relabel)": ("BUILD=relabelled",),
    "suspects weigh 0.3": ("--suspects=AUDIT/suspects.csv", "--suspect_weight=0.3"),
    "out-of-fold soft targets": ("--teacher=AUDIT/predictions.csv", "--soft_weight=0.5"),
    "label smoothing": ("--label_smoothing=0.1",),
    "generalised cross entropy": ("--loss=generalized_cross_entropy",),
    "symmetric cross entropy": ("--loss=symmetric_cross_entropy",),
    "early-learning regularisation": ("--loss=early_learning",),
}
"""What each remedy adds to the run on the noisy build: BUILD= names another build, and AUDIT is the
folder of the audit."""


def work(*parts: str) -> Path:
    """Return a path in the work folder."""
    return Path(WORK_DIR.value, *parts)


def data_flags(build: str) -> list[str]:
    """Return the flags that name a build."""
    return [f"--data_dir={work('data')}", f"--config_name={PREFIX.value}_{build}"]


def build(name: str, *given: str) -> None:
    """Make a build, unless it is there."""
    small_network.run(
        "pipeline.main",
        f"--input_dir={INPUT_DIR.value}",
        *data_flags(name),
        *BUILD_FLAGS.value,
        *given,
    )


def training_flags() -> list[str]:
    """Return the flags of all runs and folds."""
    base = {**small_network.SETTINGS, "label_smoothing": 0.0, "epochs": EPOCHS.value}
    return [*small_network.as_flags(base), *TRAINER_FLAGS.value]


def train(folder: Path, *given: str) -> None:
    """Train a run, unless it is trained already."""
    if not (folder / "metrics.json").exists():
        small_network.run("trainer.main", f"--model_dir={folder}", *training_flags(), *given)


def prepare(noise: str, rate: str) -> Path:
    """Make the noisy build of a kind and rate, its audit and the builds without suspects.

    Returns:
      the folder of lists, audit and runs.
    """
    name = f"{noise}{round(100 * float(rate))}"
    folder = work(name)
    folder.mkdir(parents=True, exist_ok=True)
    flips = folder / "flips.csv"
    if not flips.exists():
        given = ["--noise=uniform"]
        if noise == "confusion":
            given = ["--noise=confusion", f"--predictions={work('clean-seed0/predictions.csv')}"]
        partial = folder / "flips.csv.incomplete"
        small_network.run(
            "benchmarks.label_noise",
            *data_flags("clean"),
            f"--rate={rate}",
            f"--output={partial}",
            *given,
        )
        partial.rename(flips)
    build(name, f"--relabel={flips}")
    small_network.run(
        "trainer.audit",
        *data_flags(name),
        f"--output_dir={folder / 'audit'}",
        f"--folds={FOLDS.value}",
        *training_flags(),
    )
    suspects = folder / "audit" / "suspects.csv"
    kept, relabelled = folder / "kept_flips.csv", folder / "relabelled.csv"
    flipped, doubted = (label_list.read(path).of_split("train") for path in (flips, suspects))
    rest = flips_lib.without(flipped, suspects=doubted)
    kept.write_text(list_text(rest), encoding="utf-8")
    mended = flips_lib.composed(flipped, suspects=doubted)
    relabelled.write_text(list_text(mended), encoding="utf-8")
    build(f"{name}_dropped", f"--relabel={kept}", f"--exclude={suspects}")
    build(f"{name}_relabelled", f"--relabel={relabelled}")
    return folder


def list_text(entries: Sequence[label_list.Entry]) -> str:
    """Return the entries as a CSV."""
    return label_list.to_csv(label_list.as_row(each) for each in entries)


def accuracies(noise: str, rate: str, *, remedy: str) -> list[float]:
    """Train a remedy with all seeds and return the accuracies after the last epoch, in percent."""
    name = f"{noise}{round(100 * float(rate))}"
    found = []
    for seed in SEEDS.value:
        given = [each.replace("AUDIT", str(work(name, "audit"))) for each in REMEDIES[remedy]]
        other = [each.removeprefix("BUILD=") for each in given if each.startswith("BUILD=")]
        data = data_flags("_".join([name, *other]))
        stem = "".join(letter if letter.isalnum() else "_" for letter in remedy)
        folder = work(name, f"{stem}-seed{seed}")
        own = [each for each in given if not each.startswith("BUILD=")]
        train(folder, *data, f"--seed={seed}", *own)
        found.append(last_accuracy(folder))
    return found


def last_accuracy(folder: Path) -> float:
    """Return the validation accuracy after a run's last epoch, in percent."""
    with (folder / "history.csv").open(encoding="utf-8") as file:
        return 100 * float(list(csv.DictReader(file))[-1]["val_accuracy"])


def main(argv: Sequence[str]) -> None:
    """Make builds, audits and runs, and print the tables."""
    build("clean")
    clean = []
    for seed in SEEDS.value:
        train(work(f"clean-seed{seed}"), *data_flags("clean"), f"--seed={seed}")
        clean.append(last_accuracy(work(f"clean-seed{seed}")))
    remedies = REMEDY.value or list(REMEDIES)
    cases = list(itertools.product(NOISES.value, RATES.value))
    detected, accuracy = [], []
    for noise, rate in cases:
        folder = prepare(noise, rate)
        found = noise_detection.of_audit(folder / "audit", flips=folder / "flips.csv")
        for way, each in found.items():
            cells = [
                noise,
                f"{float(rate):.0%}",
                way,
                f"{each.precision:.3f}",
                f"{each.recall:.3f}",
            ]
            detected.append(f"| {' | '.join(cells)} |")
        for remedy in remedies:
            values = accuracies(noise, rate, remedy=remedy)
            each_seed = " ".join(f"{value:.1f}" for value in values)
            cells = [noise, f"{float(rate):.0%}", remedy, each_seed, small_network.interval(values)]
            accuracy.append(f"| {' | '.join(cells)} |")
    print("| noise | flipped | found by | precision | recall |\n|---|---|---|---|---|")
    print("\n".join(detected))
    print("\n| noise | flipped | remedy | accuracy by seed, % | mean, % |\n|---|---|---|---|---|")
    each_seed = " ".join(f"{value:.1f}" for value in clean)
    print(f"| none | 0% | nothing | {each_seed} | {small_network.interval(clean)} |")
    print("\n".join(accuracy))


if __name__ == "__main__":
    command_line.run(main)
