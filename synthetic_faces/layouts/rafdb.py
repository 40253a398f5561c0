"""Layout of RAF-DB's basic set: aligned images, and one list with labels of its own.

Only codes 0..6 of the manual set; the validation split is called test. It expresses nothing but
the code.
"""

import pathlib
from collections.abc import Sequence

from synthetic_faces.examples import dataset_rows, scenes
from synthetic_faces.layouts import base
from synthetic_faces.subject import expressions

CODES = (3, 4, 5, 1, 2, 6, 0)
"""The code of RAF-DB's label 1, 2, ..."""

_SPLITS = {"train": "train", "validation": "test"}


def image_path(row: dataset_rows.Row) -> pathlib.PurePosixPath | None:
    """Return the path of a row's image."""
    if row.subset != "manual" or row.code >= expressions.CONTEMPT:
        return None
    return pathlib.PurePosixPath("Image", "aligned", f"{_stem(row)}_aligned.jpg")


def write_lists(root: pathlib.Path, annotations: Sequence[scenes.Annotation]) -> None:
    """Write EmoLabel/list_patition_label.txt, spelt as its authors spell it."""
    lines = [f"{_stem(a.row)}.jpg {CODES.index(a.row.code) + 1}" for a in annotations]
    (root / "EmoLabel").mkdir()
    (root / "EmoLabel" / "list_patition_label.txt").write_text(
        "\n".join(lines) + "\n", encoding="utf-8"
    )


def _stem(row: dataset_rows.Row) -> str:
    return f"{_SPLITS[row.split]}_{row.position + 1:05d}"


LAYOUT = base.Layout("RAF-DB's basic set", image_path, write_lists)
