"""Layout of CK+: sequences of frames, a label and landmarks in small files.

Only codes 0..7 of the manual set, in a sequence each, of a neutral first frame or a peak. Subjects
have twenty images each. It expresses the code and landmarks, and no splits.
"""

import pathlib
from collections.abc import Sequence

from synthetic_faces.examples import dataset_rows, scenes
from synthetic_faces.layouts import base
from synthetic_faces.subject import expressions

CODES = (0, 6, 7, 5, 4, 1, 2, 3)
"""The code of CK+'s label 0, 1, ..."""

_PER_SUBJECT = 20


def image_path(row: dataset_rows.Row) -> pathlib.PurePosixPath | None:
    """Return the path of a row's image."""
    if row.subset != "manual" or row.code > expressions.CONTEMPT:
        return None
    return pathlib.PurePosixPath("cohn-kanade-images", *_sequence(row), f"{_stem(row)}.png")


def write_lists(root: pathlib.Path, annotations: Sequence[scenes.Annotation]) -> None:
    """Write a label and landmarks for each image."""
    for annotation in annotations:
        row = annotation.row
        points = "\n".join(f"   {x:.7e}   {y:.7e}" for x, y in annotation.landmarks.tolist())
        _write(root / "Landmarks", row, "landmarks", points)
        _write(root / "Emotion", row, "emotion", f"   {CODES.index(row.code):.7e}")


def _write(folder: pathlib.Path, row: dataset_rows.Row, what: str, text: str) -> None:
    place = folder.joinpath(*_sequence(row))
    place.mkdir(parents=True)
    (place / f"{_stem(row)}_{what}.txt").write_text(text + "\n", encoding="utf-8")


def _sequence(row: dataset_rows.Row) -> tuple[str, str]:
    return f"S{row.index // _PER_SUBJECT:03d}", f"{row.index % _PER_SUBJECT + 1:03d}"


def _stem(row: dataset_rows.Row) -> str:
    frame = 1 if row.code == expressions.NEUTRAL else 2
    return f"{'_'.join(_sequence(row))}_{frame:08d}"


LAYOUT = base.Layout("CK+", image_path, write_lists, ("--validation_frac=0.2",))
