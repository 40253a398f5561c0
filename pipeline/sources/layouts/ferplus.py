"""Layout of FER+ (arXiv 1608.01041): ten people's votes for every image of FER2013.

Two forms: folders FER2013Train, FER2013Valid and FER2013Test with images and label.csv, or
fer2013new.csv beside fer2013.csv, whose pixels are read by row number.

The label is the authors' mode "majority" (microsoft/FERPlus, src/ferplus.py, _process_data): single
votes are dropped, for unknown and no face too, and one column needs more than half of the rest, or
the image is Uncertain. The authors leave out what is unknown or no face; here those are classes of
their own. The soft label is the shares of the eight expressions in what is left. It is not the
authors' mode "crossentropy", which takes no more than three columns, and none beyond three quarters
of the votes.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.files import storage
from pipeline.rows import annotations
from pipeline.sources import base, folder_walk, line_ranges
from pipeline.sources.layouts import fer2013
from runtime import errors, untrusted

LOOKED_FOR = "fer2013new.csv with fer2013.csv, or FER2013Train/label.csv (FER+)"

CODES = (0, 1, 3, 2, 6, 5, 4, 7, 9, 10)
"""AffectNet's codes of the columns of votes: neutral, happiness, surprise, sadness, anger, disgust,
fear, contempt, unknown, no face."""

UNCERTAIN = 9
NUM_SOFT = 8

_FOLDERS = {
    "FER2013Train": ("train", (28_558, 28_709)),
    "FER2013Valid": ("validation", (3_579, 3_589)),
    "FER2013Test": ("test", (3_573, 3_589)),
}
_USAGES = {
    "Training": "FER2013Train",
    "PublicTest": "FER2013Valid",
    "PrivateTest": "FER2013Test",
}


class Reading(NamedTuple):
    """Settings for reading a list."""

    prefix: str  # of names in the record; "" for the list with pixels
    delimiter: str = ","  # of the list of votes
    votes: str = ""  # the list of votes beside that with pixels
    votes_sha256: str = ""
    columns: fer2013.Reading = fer2013.Reading(-1, -1, -1)

    @property
    def splits(self) -> tuple[tuple[str, str], ...]:
        """As in csv_rows.Reading: the splits that rows have."""
        return self.columns.splits


class _Lists(NamedTuple):
    """Lists of the layout."""

    labels: dict[str, str]  # folder's own name → its label.csv
    votes: str  # fer2013new.csv, or ""


def detect(folders: tuple[folder_walk.Folder, ...], request: base.Request) -> _Lists | None:
    """Return the lists of votes."""
    if "manual" not in request.subsets:
        return None
    own_names = {folder_walk.normalised(name): name for name in _FOLDERS}
    labels = {
        own_names[folder_walk.normalised(folder.name)]: f"{folder.relative}/label.csv".lstrip("/")
        for folder in reversed(folders)
        if folder_walk.normalised(folder.name) in own_names and "label.csv" in folder.lists
    }
    votes = folder_walk.first_list(folders, "fer2013new")
    if not labels and not votes:
        return None
    return _Lists(labels, votes)


def find_release(
    root: storage.AnyPath, folders: tuple[folder_walk.Folder, ...], request: base.Request
) -> base.Release:
    """Return the release below a root in which `detect` found the layout."""
    lists = detect(folders, request)
    assert lists
    if lists.labels:
        tables = tuple(
            _folder_table(root, name, lists.labels[name])
            for name in _FOLDERS
            if name in lists.labels
        )
    else:
        tables = (_pixel_table(root, lists.votes, folders),)
    return base.Release(
        layout="ferplus", root=str(root), tables=tables, has_soft_labels=True, data="FER+"
    )


def _folder_table(root: storage.AnyPath, name: str, path: str) -> base.Table:
    split, expected = _FOLDERS[name]
    return base.Table(
        layout="ferplus",
        split=split,
        subset="manual",
        path=path,
        images=path.rpartition("/")[0],
        parts=tuple(line_ranges.byte_ranges(root / path)),
        expected=expected,
        reading=Reading(prefix=name, delimiter=_delimiter(root / path)),
    )


def _pixel_table(
    root: storage.AnyPath, votes: str, folders: tuple[folder_walk.Folder, ...]
) -> base.Table:
    """Return the table of fer2013.csv, read together with the votes.

    Raises:
      errors.UserError: if there is no list with pixels.
    """
    pixels = folder_walk.first_list(folders, "fer2013", "icmlfacedata")
    columns = fer2013.reading_of(root / pixels) if pixels else None
    if columns is None:
        raise errors.UserError(
            f"FER+ has votes only, and {root / votes} needs the images of FER2013: put "
            "fer2013.csv beside it, or the folders FER2013Train, FER2013Valid and FER2013Test "
            "that FERPlus's generate_training_data.py makes"
        )
    storage.check_input(root / votes, at_most=untrusted.LIST_BYTES)
    digest = hashlib.sha256((root / votes).read_bytes()).hexdigest()
    reading = Reading("", _delimiter(root / votes), votes, digest, columns)
    return fer2013.table_of(root, pixels, layout="ferplus", reading=reading)


def _delimiter(path: storage.AnyPath) -> str:
    """Return the delimiter by which the first line of a list has a name and votes, or ","."""
    for delimiter in line_ranges.DELIMITERS:
        first = next(iter(line_ranges.head(path, delimiter=delimiter, num_rows=1)), [])
        if len(first) > len(CODES):
            return delimiter
    return ","


def read(root: str, part: base.Part) -> Iterator[annotations.Row | annotations.Reject]:
    """Yield the rows and rejects of a part of a list."""
    reading = part.table.reading
    assert isinstance(reading, Reading)
    if reading.votes:
        yield from _read_pixels(root, part, reading)
    else:
        yield from _read_folder(root, part, reading)


def _read_folder(
    root: str, part: base.Part, reading: Reading
) -> Iterator[annotations.Row | annotations.Reject]:
    """Read rows of name, box of the whole image (some copies have none), and votes."""
    table = part.table
    assert isinstance(part.range, base.Range)
    path = storage.path(root) / table.path
    for number, fields in line_ranges.rows(path, part.range, delimiter=reading.delimiter):
        if fields == []:
            continue
        place = annotations.Place(
            table.split, table.subset, table.images, reading.prefix, f"{table.path} row {number}"
        )
        yield annotations.settled(_row_of_folder, place, "", fields, place)


def _row_of_folder(
    fields: line_ranges.Fields | annotations.InvalidExample, place: annotations.Place
) -> annotations.Row | annotations.Reject:
    if isinstance(fields, annotations.InvalidExample):
        raise fields
    name, *rest = fields
    votes = rest[1:] if rest and rest[0].startswith("(") else rest
    return _voted(name, votes, place)


def _read_pixels(
    root: str, part: base.Part, reading: Reading
) -> Iterator[annotations.Row | annotations.Reject]:
    path = storage.path(root) / reading.votes
    votes = line_ranges.head(path, delimiter=reading.delimiter, num_rows=1_000_000)[1:]
    for line in fer2013.lines(root, part, reading.columns):
        # Usage, image name, votes; a list that was saved anew may begin with row numbers.
        given = votes[line.number][-len(CODES) :] if line.number < len(votes) else []
        yield annotations.settled(_row_of_pixels, line.place, line.name, line, given)


def _row_of_pixels(
    line: fer2013.Line, votes: Sequence[str]
) -> annotations.Row | annotations.Reject:
    usage, _, name = line.name.partition("/")
    row = _voted(f"{_USAGES.get(usage, usage)}/{name}", votes, line.place)
    return fer2013.pointing(row, line)


def _voted(
    path: str, words: Sequence[str], place: annotations.Place
) -> annotations.Row | annotations.Reject:
    votes = _votes(words)
    row = annotations.parse({"path": path, "label": str(majority(votes))}, place)
    return row._replace(soft_label=soft_label(votes)) if isinstance(row, annotations.Row) else row


def _votes(words: Sequence[str]) -> list[int]:
    """Return the votes of a row by AffectNet's code, without single ones.

    Raises:
      annotations.InvalidExample: unless there are ten numbers of votes, one of them above 0.
    """
    given = [word.strip().removesuffix(".0") for word in words]
    if (
        len(given) != len(CODES)
        or not all(word.isdecimal() for word in given)
        or not any(int(word) for word in given)
    ):
        raise annotations.InvalidExample(
            "bad votes",
            f"votes must be {len(CODES)} whole numbers from 0, not all 0: got {','.join(given)!r}",
        )
    votes = [0] * (max(CODES) + 1)
    for code, word in zip(CODES, given, strict=True):
        votes[code] = int(word) if int(word) > 1 else 0
    return votes


def majority(votes: Sequence[int]) -> int:
    """Return the code with more than half of the votes, else Uncertain."""
    most = max(votes)
    if 2 * most <= sum(votes):
        return UNCERTAIN
    return votes.index(most)


def soft_label(votes: Sequence[int]) -> tuple[float, ...]:
    """Return the shares of the eight expressions; empty where none of them has votes."""
    of_expressions = votes[:NUM_SOFT]
    total = sum(of_expressions)
    if not total:
        return ()
    return tuple(count / total for count in of_expressions)
