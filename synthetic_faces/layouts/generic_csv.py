"""Layout of one CSV with column names of its own, expression names and boxes by their corners.

The manual set, all 11 codes. It expresses everything but the subset, to a job that is given the
meaning of the columns.
"""

import pathlib
from collections.abc import Sequence

from affectnet_tfds import labels
from synthetic_faces.examples import dataset_rows, scenes
from synthetic_faces.layouts import base

COLUMNS = (
    *("image", "split", "emotion", "x0", "y0", "x1", "y1", "valence", "arousal", "points"),
    *scenes.ATTRIBUTES,
)


def image_path(row: dataset_rows.Row) -> pathlib.PurePosixPath | None:
    """Return the path of a row's image."""
    if row.subset != "manual":
        return None
    return pathlib.PurePosixPath("pictures", row.name + row.suffix)


def write_lists(root: pathlib.Path, annotations: Sequence[scenes.Annotation]) -> None:
    """Write faces.csv."""
    lines = [",".join(COLUMNS), *(",".join(_fields(annotation)) for annotation in annotations)]
    (root / "faces.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _fields(annotation: scenes.Annotation) -> list[str]:
    row = annotation.row
    x, y, width, height = annotation.box_xywh
    corners = [str(edge) for edge in (x, y, x + width, y + height)]
    points = ";".join(f"{value:.2f}" for value in annotation.landmarks.ravel())
    affect = [f"{annotation.valence:.4f}", f"{annotation.arousal:.4f}"]
    return [
        str(image_path(row)),
        row.split,
        labels.EXPRESSIONS[row.code],
        *corners,
        *affect,
        points,
        *annotation.attributes,
    ]


_JOB_FLAGS = (
    "--layout=csv",
    "--csv=faces.csv",
    "--columns=path=image,label=emotion,split=split,"
    "left=x0,top=y0,right=x1,bottom=y1,landmarks=points",
)

LAYOUT = base.Layout("one CSV with other column names", image_path, write_lists, _JOB_FLAGS)
