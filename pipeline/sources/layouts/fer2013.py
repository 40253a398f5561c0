"""Layout of FER2013: Kaggle's fer2013.csv or icml_face_data.csv, whose pixels are in the list.

Columns are found by their names, which have spaces and another order in icml_face_data.csv. A row's
name in the record is that of FER+, `Training/fer0000012.png`: the number of its row from 0.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.files import storage
from pipeline.rows import annotations, listed_pixels
from pipeline.sources import base, folder_walk, label_names, line_ranges

LOOKED_FOR = "fer2013.csv or icml_face_data.csv (FER2013)"

CODES = (6, 5, 4, 1, 2, 3, 0)
"""AffectNet's codes of FER2013's 0..6: anger, disgust, fear, happy, sad, surprise, neutral."""

EXPECTED = {"": (35_887,)}
SPLITS = (("train", "train"), ("validation", "validation"), ("test", "test"))
_NAMES = ("fer2013", "icmlfacedata")
_DELIMITERS = ",;\t"


class Reading(NamedTuple):
    """Columns of a list, from 0; -1 where there is none."""

    emotion: int
    pixels: int
    usage: int
    delimiter: str = ","

    @property
    def splits(self) -> tuple[tuple[str, str], ...]:
        """As in csv_rows.Reading: the splits that rows have."""
        return SPLITS if self.usage >= 0 else ()


def detect(folders: tuple[folder_walk.Folder, ...], request: base.Request) -> tuple[str, ...]:
    """Return the lists that hold pixels, shallow ones first; by another name only if asked for."""
    if "manual" not in request.subsets:
        return ()
    return tuple(
        f"{folder.relative}/{name}".lstrip("/")
        for folder in folders
        for name in folder.lists
        if _is_called(name, request) and reading_of(folder.path / name)
    )


def _is_called(name: str, request: base.Request) -> bool:
    stem = folder_walk.normalised(name.rpartition(".")[0])
    return name.lower().endswith(".csv") and (stem in _NAMES or request.layout == "fer2013")


def reading_of(path: storage.AnyPath) -> Reading | None:
    """Return the columns that a list's header names; None unless it has emotion and pixels."""
    for delimiter in _DELIMITERS:
        first = next(iter(line_ranges.head(path, delimiter=delimiter, num_rows=1)), [])
        header = [name.strip().lower() for name in first]
        if {"emotion", "pixels"} <= set(header):
            usage = header.index("usage") if "usage" in header else -1
            return Reading(header.index("emotion"), header.index("pixels"), usage, delimiter)
    return None


def find_release(
    root: storage.AnyPath, folders: tuple[folder_walk.Folder, ...], request: base.Request
) -> base.Release:
    """Return the release below a root in which `detect` found the layout."""
    lists = detect(folders, request)
    reading = reading_of(root / lists[0])
    assert reading
    notes = [f"{path} is not read: {lists[0]} is" for path in lists[1:]]
    if reading.usage < 0:
        notes.append(f"{lists[0]} has no column Usage: all of it is train")
    table = table_of(root, lists[0], layout="fer2013", reading=reading)
    return base.Release(
        layout="fer2013", root=str(root), tables=(table,), notes=tuple(notes), data="FER2013"
    )


def table_of(root: storage.AnyPath, path: str, *, layout: str, reading: NamedTuple) -> base.Table:
    """Return the table of a list with pixels."""
    return base.Table(
        layout=layout,
        split="",
        subset="manual",
        path=path,
        images=path.rpartition("/")[0],
        parts=tuple(line_ranges.byte_ranges(root / path)),
        expected=EXPECTED[""],
        reading=reading,
    )


def read(root: str, part: base.Part) -> Iterator[annotations.Row | annotations.Reject]:
    """Yield the rows and rejects of a part of the list."""
    reading = part.table.reading
    assert isinstance(reading, Reading)
    for line in lines(root, part, reading):
        yield annotations.settled(_row, line.place, line.name, line)


def _row(line: "Line") -> annotations.Row | annotations.Reject:
    return pointing(
        annotations.parse({"path": line.name, "label": _code(line.emotion)}, line.place), line
    )


def _code(text: str) -> str:
    if text in map(str, range(len(CODES))):
        return str(CODES[int(text)])
    return f"{text} (FER2013 has 0..{len(CODES) - 1})"


class Line(NamedTuple):
    """A row of a list with pixels, which are not read."""

    number: int  # from 0, without the header
    name: str  # in the record
    place: annotations.Place
    emotion: str
    pixels: listed_pixels.Field | None  # None: the row is short


def lines(root: str, part: base.Part, reading: Reading) -> Iterator[Line]:
    """Yield the rows of a part of a list."""
    assert isinstance(part.range, base.Range)
    for line in line_ranges.lines(storage.path(root) / part.table.path, part.range):
        if line.number > 1 and line.text.strip():
            yield _line(line, part.table.path, reading)


def _line(line: line_ranges.Line, path: str, reading: Reading) -> Line:
    fields = line.text.rstrip(b"\r\n").split(reading.delimiter.encode())
    usage = _text(fields, reading.usage)
    number = line.number - 2
    place = annotations.Place(
        label_names.split_of(usage) or "train", "manual", "", "", f"{path} row {number + 1}"
    )
    pixels = None
    if max(reading.emotion, reading.pixels, reading.usage) < len(fields):
        begin = line.start + sum(len(field) + 1 for field in fields[: reading.pixels])
        pixels = listed_pixels.Field(path, begin, begin + len(fields[reading.pixels]))
    name = f"{usage or 'Training'}/fer{number:07d}.png"
    return Line(number, name, place, _text(fields, reading.emotion), pixels)


def _text(fields: Sequence[bytes], column: int) -> str:
    """Return a field as text; "" for a column that is not there."""
    if not 0 <= column < len(fields):
        return ""
    return fields[column].decode("utf-8", errors="replace").strip(' "')


def pointing(
    row: annotations.Row | annotations.Reject, line: Line
) -> annotations.Row | annotations.Reject:
    """Return a row whose image is the pixels of a line; rejects stay.

    Raises:
      annotations.InvalidExample: if the line ends before its pixels.
    """
    if line.pixels is None:
        raise annotations.InvalidExample(
            "short row", "a row must have emotion, pixels and usage: it ends before them"
        )
    return row._replace(path=line.pixels.path) if isinstance(row, annotations.Row) else row
