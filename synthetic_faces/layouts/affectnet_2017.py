"""Layout of the 2017 release: three CSV lists and images in numbered folders.

As it is found on disks: training.csv with a header, validation.csv without one, the automatic list
with a '#' before its first column. It expresses everything in an annotation but who is drawn, which
is in a list beside the release, so that the release has AffectNet's columns and no other.
"""

import pathlib
from collections.abc import Sequence

from affectnet_tfds import labels
from synthetic_faces.examples import dataset_rows, scenes
from synthetic_faces.layouts import base

_COLUMNS = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
    "expression,valence,arousal"
)
_IMAGES = {
    "manual": "Manually_Annotated/Manually_Annotated_Images",
    "automatic": "Automatically_Annotated/Automatically_Annotated_Images",
}
# (split, subset) -> file and header lines.
_LISTS: dict[tuple[str, str], tuple[str, list[str]]] = {
    ("train", "manual"): ("Manually_Annotated_file_lists/training.csv", [_COLUMNS]),
    ("validation", "manual"): ("Manually_Annotated_file_lists/validation.csv", []),
    ("train", "automatic"): (
        "Automatically_annotated_file_list/automatically_annotated.csv",
        ["#" + _COLUMNS],
    ),
}
_NUM_FOLDERS = 40


def image_path(row: dataset_rows.Row) -> pathlib.PurePosixPath:
    """Return the path of a row's image."""
    return pathlib.PurePosixPath(_IMAGES[row.subset]) / _listed_path(row)


def write_lists(root: pathlib.Path, annotations: Sequence[scenes.Annotation]) -> None:
    """Write the three CSV lists."""
    for (split, subset), (name, header) in _LISTS.items():
        rows = [a for a in annotations if (a.row.split, a.row.subset) == (split, subset)]
        lines = [*header, *(_line(annotation) for annotation in rows)]
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    _write_attributes(root, annotations)


def _write_attributes(root: pathlib.Path, annotations: Sequence[scenes.Annotation]) -> None:
    """Write who is drawn, by the names of the job's records: a list for evaluation by group."""
    rows = [
        ",".join((f"{_IMAGES[a.row.subset].rpartition('/')[2]}/{_listed_path(a.row)}", *known))
        for a in annotations
        if all(known := a.attributes)
    ]
    lines = [",".join(("file", *scenes.ATTRIBUTES)), *rows]
    (root / base.ATTRIBUTES).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _listed_path(row: dataset_rows.Row) -> str:
    return f"{int(row.name[:8], 16) % _NUM_FOLDERS + 1}/{row.name}{row.suffix}"


def _line(annotation: scenes.Annotation) -> str:
    points = ";".join(f"{value:.2f}" for value in annotation.landmarks.ravel())
    box = ",".join(str(value) for value in annotation.box_xywh)
    affect = f"{_number(annotation.valence)},{_number(annotation.arousal)}"
    return f"{_listed_path(annotation.row)},{box},{points},{annotation.row.code},{affect}"


def _number(value: float) -> str:
    if value == labels.NO_VALUE:
        return "-2"
    return f"{value:.4f}"


LAYOUT = base.Layout("the CSV lists of 2017", image_path, write_lists)
