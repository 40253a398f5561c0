"""YOLO folders: a text file beside each picture, classes in alphabetical order.

Only codes 0..7 of the manual set. Boxes are fractions of the picture and are cut off at its edge,
as YOLO wants them; landmarks, valence and arousal cannot be expressed.
"""

import pathlib
from collections.abc import Sequence

from affectnet_tfds import labels
from synthetic_faces.examples import dataset_rows, scenes
from synthetic_faces.layouts import base
from synthetic_faces.subject import expressions

_SPLITS = {"train": "train", "validation": "valid"}
CLASSES = tuple(sorted(name.capitalize() for name in labels.class_names(8)))
"""Class names by YOLO's index, which is not AffectNet's code."""


def picture_path(row: dataset_rows.Row) -> pathlib.PurePosixPath | None:
    """Return where a row's picture goes."""
    if row.subset != "manual" or row.code > expressions.CONTEMPT:
        return None
    return pathlib.PurePosixPath(_SPLITS[row.split], "images", row.name + row.suffix)


def write_lists(root: pathlib.Path, annotations: Sequence[scenes.Annotation]) -> None:
    """Write data.yaml and the text file of every picture."""
    for split in _SPLITS.values():
        (root / split / "labels").mkdir(parents=True, exist_ok=True)
    for annotation in annotations:
        row = annotation.row
        path = root / _SPLITS[row.split] / "labels" / f"{row.name}.txt"
        path.write_text(_line(annotation) + "\n", encoding="utf-8")
    (root / "data.yaml").write_text(_yaml(), encoding="utf-8")


def _yaml() -> str:
    return f"train: train/images\nval: valid/images\nnc: {len(CLASSES)}\nnames: {list(CLASSES)}\n"


def _line(annotation: scenes.Annotation) -> str:
    x, y, width, height = annotation.box_xywh
    left, right = (
        min(max(edge, 0), annotation.width) / annotation.width for edge in (x, x + width)
    )
    top, bottom = (
        min(max(edge, 0), annotation.height) / annotation.height for edge in (y, y + height)
    )
    index = CLASSES.index(labels.EXPRESSIONS[annotation.row.code].capitalize())
    return f"{index} {(left + right) / 2:.6f} {(top + bottom) / 2:.6f} {right - left:.6f} {bottom - top:.6f}"


LAYOUT = base.Layout("YOLO folders", picture_path, write_lists)
