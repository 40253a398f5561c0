"""Layouts of class folders: train/Happy/x.jpg, or train/1/x.jpg with AffectNet's codes.

As re-uploads of AffectNet have them, and the frames of AFEW and CAER-S. Only codes 0..7 of the
manual set, and 0..6 of those two. They express nothing but the code.
"""

import functools
import pathlib
from collections.abc import Sequence

from affectnet_tfds import labels
from synthetic_faces.examples import dataset_rows, scenes
from synthetic_faces.layouts import base
from synthetic_faces.subject import expressions

_SPLITS = {"train": "train", "validation": "val"}
_AFEW_SPLITS = {"train": "Train_AFEW", "validation": "Val_AFEW"}
_AFEW_NAMES = ("Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Angry")
_CAER_SPLITS = {"train": "train", "validation": "test"}
_FRAMES = 20


def image_path(row: dataset_rows.Row, *, named: bool) -> pathlib.PurePosixPath | None:
    """Return the path of a row's image, in a folder named after the expression or its code."""
    if row.subset != "manual" or row.code > expressions.CONTEMPT:
        return None
    folder = str(row.code)
    if named:
        folder = labels.EXPRESSIONS[row.code].capitalize()
    return pathlib.PurePosixPath(_SPLITS[row.split], folder, row.name + row.suffix)


def afew_path(row: dataset_rows.Row) -> pathlib.PurePosixPath | None:
    """Return Train_AFEW/Angry/000000003/001.jpg of a row: twenty images are a video's frames."""
    if row.subset != "manual" or row.code >= expressions.CONTEMPT:
        return None
    split = _AFEW_SPLITS[row.split]
    folder = _AFEW_NAMES[row.code]
    video, frame = divmod(row.index, _FRAMES)
    return pathlib.PurePosixPath(split, folder, f"{video:09d}", f"{frame + 1:03d}.jpg")


def caer_path(row: dataset_rows.Row) -> pathlib.PurePosixPath | None:
    """Return CAER-S/train/Anger/0003.png of a row."""
    if row.subset != "manual" or row.code >= expressions.CONTEMPT:
        return None
    folder = labels.EXPRESSIONS[row.code].capitalize()
    return pathlib.PurePosixPath("CAER-S", _CAER_SPLITS[row.split], folder, f"{row.index:04d}.png")


def write_lists(root: pathlib.Path, annotations: Sequence[scenes.Annotation]) -> None:
    """Write nothing: folder names are the only annotation."""


NAMED = base.Layout("class folders by name", functools.partial(image_path, named=True), write_lists)
NUMBERED = base.Layout(
    "class folders by code", functools.partial(image_path, named=False), write_lists
)
AFEW = base.Layout("AFEW, frames in folders of videos", afew_path, write_lists)
CAER = base.Layout("CAER-S, frames in class folders", caer_path, write_lists)
