"""Layout of AffectNet+ (arXiv 2410.22506): one JSON an image, with soft label and difficulty.

It cannot express boxes. Soft labels are the shares of a sample's votes, and the difficulty follows
from them; without votes they are made up: the code's own probability follows from the difficulty,
the rest is uniform. Gender, race and the 29 landmarks stay empty: drawn faces have
none.
"""

import json
import pathlib
from collections.abc import Sequence
from typing import Any

from synthetic_faces.examples import dataset_rows, scenes
from synthetic_faces.layouts import base
from synthetic_faces.subject import expressions

_SETS = {
    ("train", "manual"): "human_annotated/train_set",
    ("validation", "manual"): "human_annotated/validation_set",
    ("train", "automatic"): "no_human_annotated",
}
_OWN_PROBABILITY = (0.9, 0.6, 0.4)
"""Of the code in its soft label, by difficulty: easy, challenging, difficult."""
_NUM_SOFT = 8


def image_path(row: dataset_rows.Row) -> pathlib.PurePosixPath:
    """Return the path of a row's image."""
    return pathlib.PurePosixPath(_SETS[row.split, row.subset], "images", f"{row.position}.jpg")


def write_lists(root: pathlib.Path, annotations: Sequence[scenes.Annotation]) -> None:
    """Write the JSON file of every image."""
    for folder in _SETS.values():
        (root / folder / "annotations").mkdir(parents=True, exist_ok=True)
    for annotation in annotations:
        row = annotation.row
        path = root / _SETS[row.split, row.subset] / "annotations" / f"{row.position}.json"
        path.write_text(json.dumps(_record(annotation)), encoding="utf-8")


def difficulty(row: dataset_rows.Row) -> int:
    """Return 0 (easy), 1 (challenging) or 2 (difficult), from the votes or the row's name."""
    if row.votes:
        most = max(row.votes) / sum(row.votes)
        return sum(most < least for least in _OWN_PROBABILITY[:-1])
    return int(row.name[-8:], 16) % len(_OWN_PROBABILITY)


def soft_label(row: dataset_rows.Row) -> list[float]:
    """Return probabilities of codes 0..7; uniform for None, Uncertain and No-Face."""
    if row.code > expressions.CONTEMPT:
        return [1 / _NUM_SOFT] * _NUM_SOFT
    if row.votes:
        return [count / sum(row.votes) for count in row.votes]
    own = _OWN_PROBABILITY[difficulty(row)]
    rest = (1 - own) / (_NUM_SOFT - 1)
    return [own if code == row.code else rest for code in range(_NUM_SOFT)]


def _record(annotation: scenes.Annotation) -> dict[str, Any]:
    row = annotation.row
    human_label = {"human-label": row.code}
    if row.subset != "manual":
        human_label = {}
    age, _, yaw = annotation.attributes
    return human_label | {
        "soft-label": soft_label(row),
        "subset": difficulty(row),
        "meta-data": {
            "age": int(age) if age else None,
            "gender": {},
            "race": {},
            "pose": {"yaw": int(yaw)} if yaw else {},
            "valence": annotation.valence,
            "arousal": annotation.arousal,
            "landmark-68": annotation.landmarks.tolist(),
            "landmark-29": [],
        },
    }


LAYOUT = base.Layout("AffectNet+: a JSON file a picture", image_path, write_lists)
