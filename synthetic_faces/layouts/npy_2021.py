"""Layout of the npy release of 2021: four small arrays an image.

Only codes 0..7 of the manual set; numbers have gaps where the others were, and both splits count
from 0. It cannot express boxes or file names; text scalars and flat landmarks are as in the real
files. Every image is called .jpg, also the few that are PNG or BMP inside, as happens in releases
that people repack.
"""

import pathlib
from collections.abc import Sequence

import numpy as np

from synthetic_faces.examples import dataset_rows, scenes
from synthetic_faces.layouts import base
from synthetic_faces.subject import expressions

_SETS = {"train": "train_set", "validation": "val_set"}


def image_path(row: dataset_rows.Row) -> pathlib.PurePosixPath | None:
    """Return the path of a row's image."""
    if row.subset != "manual" or row.code > expressions.CONTEMPT:
        return None
    return pathlib.PurePosixPath(_SETS[row.split], "images", f"{row.position}.jpg")


def write_lists(root: pathlib.Path, annotations: Sequence[scenes.Annotation]) -> None:
    """Write the arrays of every image."""
    for split in _SETS.values():
        (root / split / "annotations").mkdir(parents=True, exist_ok=True)
    for annotation in annotations:
        folder = root / _SETS[annotation.row.split] / "annotations"
        for name, array in _arrays(annotation).items():
            np.save(folder / f"{annotation.row.position}_{name}.npy", array, allow_pickle=False)


def _arrays(annotation: scenes.Annotation) -> dict[str, np.ndarray]:
    return {
        "exp": np.array(str(annotation.row.code)),
        "val": np.array(f"{annotation.valence:.4f}"),
        "aro": np.array(f"{annotation.arousal:.4f}"),
        "lnd": annotation.landmarks.ravel(),
    }


LAYOUT = base.Layout("the npy arrays of 2021", image_path, write_lists)
