"""Benchmark of the leak between splits: how far copies of its images in train lift validation.

python -m benchmarks.leak --input_dir=FER2013 --work_dir=FOLDER makes two builds whose training
splits are equally large: one without the images that have a copy in validation, by the
duplicates.csv of a build of everything, and one without as many others, chosen by `--choice_seed`.
A small network is trained on both with each seed, for as many steps. The difference of their
validation accuracies is what the leak adds. It is given for the images with a copy and for the
others too, where no difference is expected. Finished builds and runs are kept, and an interrupted
one continues.
"""

import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import flags

from affectnet_tfds import FaceDataset
from affectnet_tfds.reader import label_list
from benchmarks import command_line, small_network

INPUT_DIR = flags.DEFINE_string("input_dir", None, "folder of the data", required=True)
WORK_DIR = flags.DEFINE_string("work_dir", None, "folder of builds and runs", required=True)
BUILD_FLAGS = flags.DEFINE_multi_string(
    "build_flag",
    ["--margin_frac=0", "--classes=7", "--balance=none", "--image_size=48"],
    "flags of pipeline.main for every build",
)
TRAINER_FLAGS = flags.DEFINE_multi_string("trainer_flag", [], "further flags of trainer.main")
SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2"], "seeds of the trainings")
EPOCHS = flags.DEFINE_integer("epochs", 12, "epochs of every run")
CHOICE_SEED = flags.DEFINE_integer("choice_seed", 0, "chooses the others that are left out")


class Copies(NamedTuple):
    """The files of the groups that are in both splits, and all files that have a copy."""

    in_train: frozenset[str]
    in_validation: frozenset[str]
    grouped: frozenset[str]


def of_table(lines: Sequence[str]) -> Copies:
    """Return the copies that the lines of a duplicates.csv name."""
    groups: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in csv.DictReader(lines):
        groups[row["group"]][row["split"]].add(row["filename"])
    shared = [group for group in groups.values() if group["train"] and group["validation"]]
    return Copies(
        in_train=frozenset().union(*(group["train"] for group in shared)),
        in_validation=frozenset().union(*(group["validation"] for group in shared)),
        grouped=frozenset().union(*(s for group in groups.values() for s in group.values())),
    )


def others(names: Sequence[str], copies: Copies, *, seed: int) -> list[str]:
    """Choose as many training files as have a copy in validation, among those without any copy."""
    single = sorted(set(names) - copies.grouped)
    generator = np.random.Generator(np.random.Philox(seed))
    return [single[k] for k in generator.permutation(len(single))[: len(copies.in_train)]]


def prepare() -> Copies:
    """Make the build of everything, the two lists and the two builds."""
    work = Path(WORK_DIR.value)
    build("all")
    (version,) = (data_dir() / "affectnet_faces" / "leak_all").iterdir()
    copies = of_table((version / "duplicates.csv").read_text(encoding="utf-8").splitlines())
    faces = FaceDataset(data_dir(), split="train", config_name="leak_all")
    names = faces.columns()["filename"].astype(str).tolist()
    left_out = {
        "without": sorted(copies.in_train),
        "with": others(names, copies, seed=CHOICE_SEED.value),
    }
    for name, listed in left_out.items():
        entries = [label_list.Entry("train", each, -1, -1) for each in listed]
        path = work / f"not_{name}.csv"
        path.write_text(label_list.to_csv(map(label_list.as_row, entries)), encoding="utf-8")
        build(name, f"--exclude={path}")
    print(
        f"{len(copies.in_validation):,} validation images have a copy among {len(names):,} "
        f"training images; {len(copies.in_train):,} images are left out of either build"
    )
    return copies


def build(name: str, *given: str) -> None:
    """Make a build, unless it is there."""
    small_network.run(
        "pipeline.main",
        f"--input_dir={INPUT_DIR.value}",
        *data_flags(name),
        *BUILD_FLAGS.value,
        *given,
    )


def data_flags(build_name: str) -> list[str]:
    """Return the flags that name a build."""
    return [f"--data_dir={data_dir()}", f"--config_name=leak_{build_name}"]


def data_dir() -> Path:
    """Return the folder of the builds."""
    return Path(WORK_DIR.value, "data")


def right(name: str, *, seed: str) -> dict[str, bool]:
    """Train on a build, unless that is done, and return which validation images it gets right."""
    folder = Path(WORK_DIR.value, f"{name}-seed{seed}")
    if not (folder / "metrics.json").exists():
        settings = {**small_network.SETTINGS, "epochs": EPOCHS.value, "seed": int(seed)}
        given = [*small_network.as_flags(settings), *TRAINER_FLAGS.value]
        small_network.run("trainer.main", f"--model_dir={folder}", *data_flags(name), *given)
    with (folder / "predictions.csv").open(encoding="utf-8", newline="") as file:
        return {row["filename"]: row["label"] == row["predicted"] for row in csv.DictReader(file)}


def main(argv: Sequence[str]) -> None:
    """Make builds and runs, and print the table."""
    copies = prepare()
    results = {
        name: [right(name, seed=seed) for seed in SEEDS.value] for name in ("with", "without")
    }
    print("| validation images | number | with the leak, % | without, % | difference, points |")
    print("|---|---|---|---|---|")
    names = set(results["with"][0])
    parts = {
        "all": names,
        "with a copy in train": names & copies.in_validation,
        "others": names - copies.in_validation,
    }
    for part, members in parts.items():
        by_build = {
            name: [100 * float(np.mean([run[each] for each in sorted(members)])) for run in runs]
            for name, runs in results.items()
        }
        pairs = zip(by_build["with"], by_build["without"], strict=True)
        cells = [
            part,
            f"{len(members):,}",
            *(small_network.interval(by_build[n]) for n in by_build),
        ]
        cells.append(small_network.interval([one - other for one, other in pairs]))
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    command_line.run(main)
