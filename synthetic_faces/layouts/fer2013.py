"""Layout of FER2013 as Kaggle has it: fer2013.csv, with the pixels of 48 x 48 gray faces.

Only codes 0..6 of the manual set. Faces are cut by their box, which is then the whole image. It
expresses nothing but the code. Where a sample has votes, FER+'s list of them is beside it.
"""

import pathlib
import shutil
from collections.abc import Sequence

import cv2
import numpy as np

from synthetic_faces.examples import dataset_rows, scenes
from synthetic_faces.layouts import base, ferplus
from synthetic_faces.subject import expressions

CODES = (6, 5, 4, 1, 2, 3, 0)
"""The code of FER2013's emotion 0, 1, ..."""

SIDE_PX = 48
_USAGES = {"train": "Training", "validation": "PublicTest"}
_DRAWN = "drawn"
_VOTES = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)


def image_path(row: dataset_rows.Row) -> pathlib.PurePosixPath | None:
    """Return where a row's image is until its pixels are in the list."""
    if row.subset != "manual" or row.code >= expressions.CONTEMPT:
        return None
    return pathlib.PurePosixPath(_DRAWN, row.name + row.suffix)


def write_lists(root: pathlib.Path, annotations: Sequence[scenes.Annotation]) -> None:
    """Write fer2013.csv, and fer2013new.csv if there are votes; remove the images."""
    lines = ["emotion,pixels,Usage", *(_line(root, annotation) for annotation in annotations)]
    (root / "fer2013.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if any(annotation.row.votes for annotation in annotations):
        lines = [_VOTES, *(_voted(number, a.row) for number, a in enumerate(annotations))]
        (root / "fer2013new.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    shutil.rmtree(root / _DRAWN)


def _voted(number: int, row: dataset_rows.Row) -> str:
    votes = ",".join(map(str, ferplus.votes(row)))
    return f"{_USAGES[row.split]},fer{number:07d}.png,{votes}"


def _line(root: pathlib.Path, annotation: scenes.Annotation) -> str:
    row = annotation.row
    path = image_path(row)
    assert path
    gray = np.asarray(cv2.imread(str(root / path), cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    pixels = " ".join(map(str, face(gray, annotation).ravel().tolist()))
    return f"{CODES.index(row.code)},{pixels},{_USAGES[row.split]}"


def face(gray: np.ndarray, annotation: scenes.Annotation) -> np.ndarray:
    """Return the face in an image, uint8[48, 48]."""
    x, y, width, height = annotation.box_xywh
    cut = gray[max(0, y) : y + height, max(0, x) : x + width]
    return np.asarray(
        cv2.resize(cut, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), dtype=np.uint8
    )


LAYOUT = base.Layout("FER2013, with its pixels in a CSV", image_path, write_lists)
