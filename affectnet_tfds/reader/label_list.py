"""Label list: a CSV of images with their labels and the labels that these should be.

Owns the format that the trainer's audit and the benchmark of label noise write, and that the job
(--exclude, --relabel) and the trainer (--suspects) take. Class names rather than numbers, so that a
person can judge a line; a list that names other labels than the data have is of other data, and
whoever takes one finds that out by `given`.
"""

import csv
import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from affectnet_tfds import labels
from runtime import errors, untrusted

COLUMNS = ("split", "filename", "given", "suggested")
"""The columns that a list is read by; others are passed over."""

ALL_SPLITS = ""


class Entry(NamedTuple):
    """A line of a list: an image, its label, and the label that it should have.

    Attributes:
      split: of the data; "" where the list does not say it: all of them.
      filename: of the record; further faces in a file are called x.jpg#2.
      given: the label's code; -1 where the list does not say it.
      suggested: the other label's code; -1 where the list does not say it.
    """

    split: str
    filename: str
    given: int
    suggested: int


class LabelList(NamedTuple):
    """The lines of a list in their order, the digest of the file, and the number of each line."""

    path: str
    entries: tuple[Entry, ...]
    sha256: str
    numbers: tuple[int, ...]  # from 1; those that are passed over have numbers too

    def numbered(self) -> Iterator[tuple[int, Entry]]:
        """Return the lines with their numbers."""
        return zip(self.numbers, self.entries, strict=True)

    def of_split(self, split: str) -> dict[str, Entry]:
        """Return the lines about a split by file name."""
        return {each.filename: each for each in self.entries if each.split in (ALL_SPLITS, split)}


def read(path: str | os.PathLike[str], *, needs: Iterable[str] = ("filename",)) -> LabelList:
    """Read a list.

    A line with 1 in the column `kept`, as duplicates.csv of a build has it, is passed over.

    Args:
      path: of the CSV, whose header names its columns in any order.
      needs: the columns that it must have.

    Raises:
      errors.UserError: if it is no such list, or has a line twice.
      OSError: if the disk does not let it be read.
    """
    text = untrusted.read_text(path, at_most=untrusted.LIST_BYTES)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
        if absent := [name for name in needs if name not in reader.fieldnames]:
            raise ValueError(
                f"it must have the columns {', '.join(needs)}: {', '.join(absent)} "
                f"{'is' if len(absent) == 1 else 'are'} not there, its first line is "
                f"{','.join(reader.fieldnames)[:100] or 'empty'}"
            )
        numbered = [*enumerate(reader, start=1)]
        listed = [(number, row) for number, row in numbered if not _is_kept(row, number=number)]
        if not numbered:
            raise ValueError("it has no row")
        if not listed:
            raise ValueError(f"all of its {len(numbered):,} rows are kept: nothing is to be done")
        entries = tuple(_entry(row, number=number) for number, row in listed)
        numbers = tuple(number for number, _ in listed)
        _check(zip(numbers, entries, strict=True))
    except (ValueError, csv.Error) as error:
        raise errors.UserError(
            f"cannot read {os.fspath(path)} as a list of labels: {error}"
        ) from None
    digest = hashlib.sha256(text.encode()).hexdigest()
    return LabelList(os.fspath(path), entries, digest, numbers)


def to_csv(rows: Iterable[Mapping[str, object]]) -> str:
    """Return the text of a list, whose rows have COLUMNS and, after them, the same others each."""
    rows = list(rows)
    text = io.StringIO(newline="")
    names = [*COLUMNS, *(name for name in (rows[0] if rows else ()) if name not in COLUMNS)]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: untrusted.cell(row[name]) for name in names} for row in rows)
    return text.getvalue()


def as_row(entry: Entry) -> dict[str, object]:
    """Return a line as `to_csv` takes it, with names for codes."""
    names = {-1: "", **dict(enumerate(labels.EXPRESSIONS))}
    return {
        "split": entry.split,
        "filename": entry.filename,
        "given": names[entry.given],
        "suggested": names[entry.suggested],
    }


def _is_kept(row: Mapping[str, str | None], *, number: int) -> bool:
    """Return whether a line of duplicates.csv names what stays."""
    kept = (row.get("kept") or "0").strip()
    if kept not in ("0", "1"):
        raise ValueError(f"row {number:,}: kept must be 0 or 1: got {kept!r:.60}")
    return kept == "1"


def _entry(row: Mapping[str, str | None], *, number: int) -> Entry:
    name = untrusted.of_cell((row.get("filename") or "").strip())
    if not name:
        raise ValueError(f"row {number:,} has no filename")
    return Entry(
        split=(row.get("split") or ALL_SPLITS).strip(),
        filename=name,
        given=_code(row.get("given"), column="given", number=number),
        suggested=_code(row.get("suggested"), column="suggested", number=number),
    )


def _code(cell: str | None, *, column: str, number: int) -> int:
    """Return the code of a class name, or -1 for none."""
    name = (cell or "").strip()
    if not name:
        return -1
    if name not in labels.EXPRESSIONS:
        raise ValueError(
            f"row {number:,}: {column} must be one of {', '.join(labels.EXPRESSIONS)}: got "
            f"{name!r:.60}"
        )
    return labels.EXPRESSIONS.index(name)


def _check(numbered: Iterable[tuple[int, Entry]]) -> None:
    """Refuse a list that says two things of an image."""
    first: dict[tuple[str, str], int] = {}
    for number, entry in sorted(numbered, key=lambda each: each[1].split != ALL_SPLITS):
        before = first.setdefault((entry.split, entry.filename), number)
        before = first.get((ALL_SPLITS, entry.filename), before)  # Is about this split, too.
        if before != number:
            raise ValueError(
                f"row {number:,} has the image of row {before:,}, {entry.filename:.80}, and each "
                "must be there once"
            )
