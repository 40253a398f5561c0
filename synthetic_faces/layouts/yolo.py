"""Layout of YOLO folders: a text file an image, classes in alphabetical order.

Only codes 0..7 of the manual set. Boxes are fractions of the image and are clipped at its edge, as
YOLO requires; landmarks, valence and arousal cannot be expressed.
"""

import pathlib
from collections.abc import Sequence

import numpy as np

from affectnet_tfds import labels
from synthetic_faces.examples import dataset_rows, scenes
from synthetic_faces.layouts import base
from synthetic_faces.subject import expressions

_SPLITS = {"train": "train", "validation": "valid"}
CLASSES = tuple(sorted(name.capitalize() for name in labels.class_names(8)))
"""Class names by YOLO's index, which is not AffectNet's code."""


def image_path(row: dataset_rows.Row) -> pathlib.PurePosixPath | None:
    """Return the path of a row's image."""
    if row.subset != "manual" or row.code > expressions.CONTEMPT:
        return None
    return pathlib.PurePosixPath(_SPLITS[row.split], "images", row.name + row.suffix)


def write_lists(root: pathlib.Path, annotations: Sequence[scenes.Annotation]) -> None:
    """Write data.yaml and the text file of every image."""
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
    left, right = np.clip([x, x + width], 0, annotation.width) / annotation.width
    top, bottom = np.clip([y, y + height], 0, annotation.height) / annotation.height
    box = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
    index = CLASSES.index(labels.EXPRESSIONS[annotation.row.code].capitalize())
    return " ".join([str(index), *(f"{number:.6f}" for number in box)])


LAYOUT = base.Layout("YOLO folders", image_path, write_lists)
