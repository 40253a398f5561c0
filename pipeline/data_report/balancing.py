"""Balancing in the data report: what it left out and repeated, and warnings about counts.

Owns when a count is worth a warning. Counts are those of the ledger in build_report.json, so that
reports of builds on disk get them too.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import webpage.page
from pipeline.data_report import build_files
from webpage import markup

OFTEN = 8
"""Times that an image is written from which on it is a warning. With AffectNet's own counts,
balanced to the median, the images of the rarest class are written five or six times."""

_NOTE = (
    "Usable images: those that would be written without balancing. Times each: how often an image "
    "that is not left out is written. The order in which images of a class are taken depends on "
    "their file names alone, so a larger --balance only adds images. Validation is never balanced."
)

_NOT_TRAINED = "a network cannot learn to predict what it is never shown"
_NOT_MEASURED = "nothing can be measured there, and averages over the classes are over the others"

Lines = Sequence[Mapping[str, Any]]


def warnings(built: build_files.BuildFiles) -> list[str]:
    """Return a sentence for each way in which the counts spoil training or evaluation."""
    return [*_absent(built), *_repeated(built)]


def section(built: build_files.BuildFiles) -> list[markup.Content]:
    """Show what balancing left out and repeated of each class of train."""
    lines = [line for line in _lines(built) if line["split"] == "train"]
    if not any(line["left_out"] or line["examples"] > line["written"] for line in lines):
        return [markup.element("p", "Nothing: every usable image is written once.")]
    heads = ["class", "usable images", "left out", "share left out", "times each", "examples"]
    rows = [_row(line) for line in lines if _usable(line)]
    return [
        [markup.element("p", sentence) for sentence in _sentences(lines)],
        webpage.page.table(heads, rows),
        webpage.page.note(_NOTE),
    ]


def _sentences(lines: Lines) -> list[str]:
    """Return one sentence on the images left out, and one on those repeated."""
    left_out = sum(line["left_out"] for line in lines)
    usable = sum(map(_usable, lines))
    examples = sum(line["examples"] for line in lines)
    repeats = examples - sum(line["written"] for line in lines)
    sentences = []
    if left_out:
        most = max(lines, key=lambda line: line["left_out"])
        sentences.append(
            f"{left_out:,} of {usable:,} usable images of train ({left_out / usable:.0%}) are left "
            f"out, {most['left_out']:,} of them of {most['name']}."
        )
    if repeats:
        sentences.append(
            f"{repeats:,} of {examples:,} examples of train ({repeats / examples:.0%}) repeat an "
            "image that is there already."
        )
    return sentences


def _row(line: Mapping[str, Any]) -> list[str]:
    usable = _usable(line)
    return [
        line["name"],
        f"{usable:,}",
        f"{line['left_out']:,}",
        f"{line['left_out'] / usable:.0%}",
        _times(line),
        f"{line['examples']:,}",
    ]


def _usable(line: Mapping[str, Any]) -> int:
    return int(line["written"] + line["left_out"])


def _times(line: Mapping[str, Any]) -> str:
    """Return how often an image of a class is written: no two differ by more than one."""
    if not line["written"]:
        return "-"
    mean = line["examples"] / line["written"]
    fewest, most = math.floor(mean), math.ceil(mean)
    return f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"


def _absent(built: build_files.BuildFiles) -> list[str]:
    """Return a sentence for the classes that each split lacks."""
    lacking = {
        split: [name for name in built.class_names if not _examples(built, split, name)]
        for split in built.splits
    }
    nowhere = [name for name in built.class_names if all(name in each for each in lacking.values())]
    sentences = []
    if nowhere:
        way_out = "; --classes=7 leaves it out" if nowhere == ["contempt"] else ""
        sentences.append(
            f"No split has an image of {_listed(nowhere)}: a network gets outputs that it can "
            f"never learn{way_out}."
        )
    for split, names in lacking.items():
        if only_here := [name for name in names if name not in nowhere]:
            meaning = _NOT_TRAINED if split == "train" else _NOT_MEASURED
            sentences.append(f"{split} has no image of {_listed(only_here)}: {meaning}.")
    return sentences


def _repeated(built: build_files.BuildFiles) -> list[str]:
    """Return a sentence on the classes whose images are written very often, if there are any."""
    often = [
        f"{line['written']:,} image{'s' * (line['written'] > 1)} of {line['name']} {_times(line)} "
        f"times{' each' * (line['written'] > 1)}"
        for line in _lines(built)
        if line["written"] and line["examples"] >= OFTEN * line["written"]
    ]
    if not often:
        return []
    return [
        f"train has few images very often, {_listed(often)}: a network learns these by heart "
        "rather than the class (--max_copies limits the repeats, a smaller --balance needs fewer)."
    ]


def _lines(built: build_files.BuildFiles) -> Lines:
    """Return the ledger's lines of the build's classes."""
    lines: Lines = built.account["ledger"]["classes"]
    return [line for line in lines if 0 <= line["label"] < len(built.class_names)]


def _examples(built: build_files.BuildFiles, split: str, name: str) -> int:
    return sum(
        line["examples"]
        for line in _lines(built)
        if line["split"] == split and line["name"] == name
    )


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
