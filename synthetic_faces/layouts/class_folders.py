"""Layout of class folders: train/Happy/x.jpg, or train/1/x.jpg with AffectNet's codes.

As re-uploads of AffectNet have them. Only codes 0..7 of the manual set. It expresses nothing but
the code.
"""

import functools
import pathlib
from collections.abc import Sequence

from affectnet_tfds import labels
from synthetic_faces.examples import dataset_rows, scenes
from synthetic_faces.layouts import base
from synthetic_faces.subject import expressions

_SPLITS = {"train": "train", "validation": "val"}


def image_path(row: dataset_rows.Row, *, named: bool) -> pathlib.PurePosixPath | None:
    """Return the path of a row's image, in a folder named after the expression or its code."""
    if row.subset != "manual" or row.code > expressions.CONTEMPT:
        return None
    folder = str(row.code)
    if named:
        folder = labels.EXPRESSIONS[row.code].capitalize()
    return pathlib.PurePosixPath(_SPLITS[row.split], folder, row.name + row.suffix)


def write_lists(root: pathlib.Path, annotations: Sequence[scenes.Annotation]) -> None:
    """Write nothing: folder names are the only annotation."""


NAMED = base.Layout("class folders by name", functools.partial(image_path, named=True), write_lists)
NUMBERED = base.Layout(
    "class folders by code", functools.partial(image_path, named=False), write_lists
)
