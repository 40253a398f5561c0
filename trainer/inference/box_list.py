"""Box list: a CSV of face boxes by file name, in place of a detector.

Owns its columns and its refusals. A CSV of `trainer.predict --csv` is one, so that boxes can be
found once, corrected by hand and used by several models. A name is that of the image as it is
given, or relative to the CSV's folder.
"""

import csv
import math
import os
import pathlib
from collections.abc import Mapping, Sequence

from runtime import errors, untrusted
from trainer.inference import detected_face, images

_BOX = ("x", "y", "width", "height")
COLUMNS = ("file", *_BOX)
"""Columns that there must be; confidence, and time_s of a frame, may be there."""

_Key = tuple[str, float | None]


def read(path: pathlib.Path) -> detected_face.Detector:
    """Return the detector that finds the boxes of a CSV.

    An image that has no row has no face; a row with an empty box neither.

    Raises:
      errors.UserError: naming the row, if it cannot be read.
    """
    boxes: dict[_Key, list[detected_face.DetectedFace]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            _check_header(reader.fieldnames or [], path=path)
            for row in reader:
                face = _face(row, where=f"{path}, row {reader.line_num}")
                if face:
                    boxes.setdefault(_key(row, path=path), []).append(face)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise errors.UserError(f"cannot read the boxes in {path}: {error}") from None

    def detect(image: images.InputImage) -> list[detected_face.DetectedFace]:
        return boxes.get((os.path.realpath(image.name), image.time_s), [])

    return detect


def _check_header(names: Sequence[str], *, path: pathlib.Path) -> None:
    absent = [name for name in COLUMNS if name not in names]
    if absent:
        raise errors.UserError(
            f"{path} has no column {', '.join(absent)}: its first row must name "
            f"{', '.join(COLUMNS)} (confidence and time_s may be there); it names "
            f"{untrusted.printable(', '.join(names)):.200}"
        )


def _key(row: Mapping[str, str], *, path: pathlib.Path) -> _Key:
    """Return what a row's image is found by: its real path, and the time of a frame."""
    time_s = row.get("time_s") or ""
    name = row["file"]
    beside = path.parent / name
    # os.path: both are answered for names that no file system takes, too.
    real = os.path.realpath(name if os.path.exists(name) else beside)  # noqa: PTH110
    return real, _number(time_s, name="time_s", where=str(path)) if time_s else None


def _face(row: Mapping[str, str], *, where: str) -> detected_face.DetectedFace | None:
    if not any(row[name] for name in _BOX):
        return None
    x, y, width, height = (_number(row[name], name=name, where=where) for name in _BOX)
    if width <= 0 or height <= 0:
        raise errors.UserError(
            f"{where}: width and height must be above 0: got {width:g}, {height:g}"
        )
    confidence = row.get("confidence") or "1"
    return detected_face.DetectedFace(
        box=(x, y, width, height),
        confidence=_number(confidence, name="confidence", where=where),
    )


def _number(text: str | None, *, name: str, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise errors.UserError(
            f"{where}: {name} must be a number: got {untrusted.printable(str(text)):.60}"
        )
    return value
