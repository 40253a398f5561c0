"""Duplicates in the data report: identical files, and near duplicates by name and as pictures."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import webpage.page
from affectnet_tfds import labels
from pipeline.data_report import build_files, rejects
from webpage import markup

_KINDS = {
    "across_splits": (
        "Near duplicates in train and in another split",
        "A model would be evaluated on pictures it was trained on. "
        "--drop_duplicates=near removes them from train.",
    ),
    "across_subsets": (
        "Near duplicates in the manual and in the automatic subset",
        "One picture with two annotations.",
    ),
    "within_split": (
        "Near duplicates in a split",
        "One picture in several files, perhaps with several labels.",
    ),
}

_NOTE = (
    "Near duplicates show one picture in other bytes: resized, recompressed, cropped by a few "
    "percent, mirrored, brighter or darker, or gray. They are found by perceptual hashes and "
    "confirmed by their pixels."
)


def section(built: build_files.BuildFiles) -> list[markup.Content]:
    """Show identical files, then near duplicates, and say what was not looked at."""
    found = built.account.get("duplicates")
    if not found:  # A build of an earlier release.
        return rejects.identical(built)
    return [*rejects.identical(built), *_near(built, found)]


def _near(built: build_files.BuildFiles, found: Mapping[str, Any]) -> list[markup.Content]:
    near: Mapping[str, Sequence[Sequence[str]]] = found["near_duplicates"]
    shown = [rejects.kind(*_KINDS[kind], near[kind]) for kind in _KINDS if near[kind]]
    disagreeing: Sequence[Sequence[str]] = found["labels_disagree"]
    return [
        _pictures(built) if built.pictures else None,
        shown or markup.element("p", "No two images of the data set are near duplicates."),
        rejects.kind(
            "Copies with several labels",
            "Identical or near-identical images whose rows disagree, with the code of each label.",
            disagreeing,
        )
        if disagreeing
        else None,
        webpage.page.note(f"{_NOTE} {found['images']:,} images were looked at{_rest(found)}."),
        webpage.page.note("duplicates.csv has all groups."),
    ]


def _rest(found: Mapping[str, Any]) -> str:
    if not found["not_looked_at"]:
        return ""
    return f"; {found['not_looked_at']:,} rows that balancing left out were not (--scan=all)"


def _pictures(built: build_files.BuildFiles) -> list[markup.Content]:
    """Show the first groups, those across splits first."""
    groups = [
        webpage.page.grid([_picture(picture) for picture in group], kind="specimens")
        for group in built.pictures
    ]
    count = len(built.pictures)
    heading = f"Near duplicates as pictures: {count} group{'s' * (count > 1)}"
    return [markup.element("h3", heading), *groups]


def _picture(picture: Mapping[str, Any]) -> markup.Markup:
    name = picture["filename"]
    label = labels.EXPRESSIONS[picture["label"]]
    return markup.element(
        "figure",
        markup.element(
            "img", src=markup.data_uri(base64.b64decode(picture["jpeg"])), alt=f"crop of {name}"
        ),
        markup.name_of_file(name),
        webpage.page.note(f"{picture['split']} · {label}"),
    )
