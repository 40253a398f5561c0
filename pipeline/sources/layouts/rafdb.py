"""Layout of RAF-DB's basic set: EmoLabel/list_patition_label.txt, Image/aligned/x_aligned.jpg.

The list is spelt as its authors spell it, or without their slip. The aligned images are face crops,
so the whole image is used. Its test images are the validation split, which is what papers report.
"""

from collections.abc import Iterator
from typing import NamedTuple

from pipeline.files import storage
from pipeline.rows import annotations
from pipeline.sources import base, folder_walk, label_names, line_ranges
from runtime import errors

LOOKED_FOR = "EmoLabel/list_patition_label.txt with Image/aligned (RAF-DB)"

CODES = {"1": 3, "2": 4, "3": 5, "4": 1, "5": 2, "6": 6, "7": 0}
"""AffectNet's codes of surprise, fear, disgust, happiness, sadness, anger and neutral."""

PREFIX = "Image/aligned"
"""First part of file names in the record, for every copy."""

_LISTS = ("listpatitionlabel", "listpartitionlabel")
_SPLITS = {"train": "train", "test": "validation"}


class Reading(NamedTuple):
    """Settings for reading the list."""

    delimiter: str = " "
    splits: tuple[tuple[str, str], ...] = tuple(_SPLITS.items())


def detect(folders: tuple[folder_walk.Folder, ...], request: base.Request) -> str:
    """Return the list, or ""."""
    if "manual" not in request.subsets:
        return ""
    return folder_walk.first_list(folders, *_LISTS)


def find_release(
    root: storage.AnyPath, folders: tuple[folder_walk.Folder, ...], request: base.Request
) -> base.Release:
    """Return the release below a root in which `detect` found the layout.

    Raises:
      errors.UserError: if there is no folder of aligned images.
    """
    path = detect(folders, request)
    images = next((folder for folder in folders if folder.name.lower() == "aligned"), None)
    if images is None:
        raise errors.UserError(
            f"RAF-DB's aligned images must be in a folder called aligned: {root} has {path} and no "
            "such folder; unpack aligned.zip beside the list, or name other images with --csv and "
            "--pictures"
        )
    table = base.Table(
        layout="rafdb",
        split="",
        subset="manual",
        path=path,
        images=images.relative,
        parts=tuple(line_ranges.byte_ranges(root / path)),
        expected=(15_339,),
        reading=Reading(line_ranges.delimiter_of(root / path)),
    )
    notes = ("test is taken as validation: there is no other",)
    return base.Release(layout="rafdb", root=str(root), tables=(table,), notes=notes, data="RAF-DB")


def read(root: str, part: base.Part) -> Iterator[annotations.Row | annotations.Reject]:
    """Yield the rows and rejects of a part of the list: `train_00001.jpg 5`."""
    table = part.table
    assert isinstance(part.range, base.Range) and isinstance(table.reading, Reading)
    rows = line_ranges.rows(
        storage.path(root) / table.path, part.range, delimiter=table.reading.delimiter
    )
    for number, fields in rows:
        if fields != []:
            name = fields[0] if isinstance(fields, list) else ""
            split = _SPLITS.get(label_names.split_of(name), "train")
            source = f"{table.path} row {number}"
            place = annotations.Place(split, table.subset, table.images, PREFIX, source)
            yield annotations.settled(_row, place, name, fields, place)


def _row(
    fields: line_ranges.Fields | annotations.InvalidExample, place: annotations.Place
) -> annotations.Row | annotations.Reject:
    if isinstance(fields, annotations.InvalidExample):
        raise fields
    if len(fields) < 2:
        raise annotations.InvalidExample(
            "short row", f"a row must be a name and a label: got {' '.join(fields)!r}"
        )
    name, number = (field.strip() for field in fields[:2])
    stem = name.rpartition(".")[0] or name
    code = CODES.get(number)
    label = f"{number} (RAF-DB has 1..7)" if code is None else str(code)
    return annotations.parse({"path": f"{stem}_aligned.jpg", "label": label}, place)
