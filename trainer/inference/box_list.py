"""Box list: a CSV of face boxes by file name, in place of a detector.

Owns its columns and its refusals. A CSV of `trainer.predict --csv` is one, so that boxes can be
found once, corrected by hand and used by several models. A name is that of the image as it is
given, or relative to the CSV's folder.
"""

import csv
import dataclasses
import io
import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from affectnet_tfds import crop_geometry, invalid_example
from runtime import errors, untrusted
from trainer.inference import detected_face, images

_BOX = ("x", "y", "width", "height")
COLUMNS = ("file", *_BOX)
"""Columns that there must be; confidence, and time_s of a frame, may be there."""

_Key = tuple[str, float | None]


@dataclasses.dataclass(kw_only=True, slots=True)
class _Boxes:
    """Faces of an image or a frame, with the rows that have them."""

    faces: list[detected_face.DetectedFace] = dataclasses.field(default_factory=list)
    rows: list[int] = dataclasses.field(default_factory=list)
    is_used: bool = False


class BoxList:
    """Detector that finds the boxes of a CSV, and knows which of its rows no image has used."""

    def __init__(self, path: pathlib.Path) -> None:
        """Start without rows; see `read`."""
        self._path = path
        self._boxes: dict[_Key, _Boxes] = {}
        self._files: set[str] = set()

    def add(self, row: Mapping[str, str], *, number: int) -> None:
        """Add a row.

        Raises:
          errors.UserError: if it cannot be used.
        """
        where = f"{self._path}, row {number}"
        _check_row(row, where=where)
        face, key = _face(row, where=where), _key(row, folder=self._path.parent, where=where)
        boxes = self._boxes.setdefault(key, _Boxes())
        boxes.rows.append(number)
        boxes.faces += [face] if face else []
        self._files.add(key[0])

    def __call__(self, image: images.InputImage) -> list[detected_face.DetectedFace]:
        """Return the boxes of an image; none where a row says so, or only other frames have rows.

        Raises:
          invalid_example.InvalidExample: if no row names its file, or a box is not in it.
        """
        file = os.path.realpath(image.name)
        if file not in self._files:
            raise invalid_example.InvalidExample(
                "no boxes",
                f"{self._path} has no row for it: the column file must name it as it is given, or "
                "relative to the CSV's folder (a row with an empty box: it shows no face)",
            )
        boxes = self._boxes.get((file, image.time_s), _Boxes())
        boxes.is_used = True
        for face in boxes.faces:
            self._check_place(face.box, picture_size=image.size)
        return boxes.faces

    def _check_place(self, box: crop_geometry.Box | None, *, picture_size: tuple[int, int]) -> None:
        """Check that a box is in its image; small ones are no mistake, and left out later."""
        if box is None or max(box[2:]) < crop_geometry.MIN_BOX_SIDE:
            return
        try:
            crop_geometry.square(box, picture_size=picture_size, margin_frac=0)
        except invalid_example.InvalidExample as error:
            said = (
                f"{error}; {self._path} must have boxes in pixels of the upright image, "
                f"{', '.join(_BOX)}"
            )
            raise invalid_example.InvalidExample(error.reason, said) from None

    def unused(self) -> str:
        """Return the sentence about rows that no image has used; "" where there are none."""
        rows = sorted(n for boxes in self._boxes.values() if not boxes.is_used for n in boxes.rows)
        if not rows:
            return ""
        count = f"{len(rows):,} rows" if rows[1:] else "a row"
        return (
            f"{self._path} has {count} that no image has used, the first of them row {rows[0]}: "
            "file must name an image as it is given, or relative to the CSV's folder, and time_s "
            "be that of a frame (empty for a photograph)"
        )


def read(path: pathlib.Path) -> BoxList:
    """Return the detector that finds the boxes of a CSV.

    Raises:
      errors.UserError: naming the row, if it cannot be read.
    """
    boxes = BoxList(path)
    try:
        text = untrusted.read_text(path, at_most=untrusted.LIST_BYTES)
        reader = csv.DictReader(io.StringIO(text, newline=""))
        _check_header(reader.fieldnames or [], path=path)
        for row in reader:
            boxes.add(row, number=reader.line_num)
    except (OSError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise errors.UserError(
            f"cannot read the boxes in {path}: {reason}; it must be a CSV with the columns "
            f"{', '.join(COLUMNS)}"
        ) from None
    return boxes


def _check_header(names: Sequence[str], *, path: pathlib.Path) -> None:
    absent = [name for name in COLUMNS if name not in names]
    if absent:
        raise errors.UserError(
            f"{path} has no column {', '.join(absent)}: its first row must name "
            f"{', '.join(COLUMNS)} (confidence and time_s may be there); it names "
            f"{untrusted.printable(', '.join(names)):.200}"
        )


def _check_row(row: Mapping[Any, Any], *, where: str) -> None:
    """Check that a row has a name and all columns, and no more."""
    names = [name for name in row if name is not None]
    further = row.get(None, [])
    if any(row[name] is None for name in COLUMNS) or any(further):
        found = sum(row[name] is not None for name in names) + len(further)
        raise errors.UserError(
            f"{where}: the row has {found} of {len(names)} columns: give each a value or nothing "
            "between commas, and put a name with a comma in quotation marks"
        )
    if not row["file"] or "\0" in row["file"]:
        got = untrusted.printable(row["file"])[:60] or "nothing"
        raise errors.UserError(f"{where}: file must name an image or a video: got {got}")


def _key(row: Mapping[str, str], *, folder: pathlib.Path, where: str) -> _Key:
    """Return what a row's image is found by: its real path, and the time of a frame."""
    time_s = row.get("time_s") or ""
    name = row["file"]
    # os.path: both are answered for names that are too long, too.
    real = os.path.realpath(name if os.path.exists(name) else folder / name)  # noqa: PTH110
    return real, _number(time_s, name="time_s", where=where) if time_s else None


def _face(row: Mapping[str, str], *, where: str) -> detected_face.DetectedFace | None:
    if not any(row[name] for name in _BOX):
        return None
    x, y, width, height = (_number(row[name], name=name, where=where) for name in _BOX)
    if width <= 0 or height <= 0:
        raise errors.UserError(
            f"{where}: width and height must be above 0: got {width:g}, {height:g}"
        )
    confidence = _number(row.get("confidence") or "1", name="confidence", where=where)
    if not 0 <= confidence <= 1:
        raise errors.UserError(f"{where}: confidence must be between 0 and 1: got {confidence:g}")
    return detected_face.DetectedFace(box=(x, y, width, height), confidence=confidence)


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
