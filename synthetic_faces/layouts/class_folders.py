"""Class folders, as re-uploads have them: train/Happy/x.jpg, or train/1/x.jpg with AffectNet's
codes.

Only codes 0..7 of the manual set. It expresses the code and nothing else.
"""

import functools
import pathlib
from collections.abc import Sequence

from affectnet_tfds import labels
from synthetic_faces.examples import dataset_rows, scenes
from synthetic_faces.layouts import base
from synthetic_faces.subject import expressions

_SPLITS = {"train": "train", "validation": "val"}


def picture_path(row: dataset_rows.Row, *, named: bool) -> pathlib.PurePosixPath | None:
    """Return where a row's picture goes: in a folder named after the expression, or numbered by its
    code."""
    if row.subset != "manual" or row.code > expressions.CONTEMPT:
        return None
    folder = labels.EXPRESSIONS[row.code].capitalize() if named else str(row.code)
    return pathlib.PurePosixPath(_SPLITS[row.split], folder, row.name + row.suffix)


def write_lists(root: pathlib.Path, annotations: Sequence[scenes.Annotation]) -> None:
    """Write nothing: the folders say it all."""


NAMED = base.Layout(
    "class folders by name", functools.partial(picture_path, named=True), write_lists
)
NUMBERED = base.Layout(
    "class folders by code", functools.partial(picture_path, named=False), write_lists
)
