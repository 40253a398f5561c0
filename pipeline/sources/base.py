"""What every layout's reader gives and gets: a search, a release, its tables, and parts that
workers read on their own.

A part of a list of rows is a byte range with the number of its first line, found by one pass that
looks for line ends only. A part of a folder of small files is the names themselves, listed once on
the driver: workers that list the folder again, to find a range in it, would each pay for the whole
listing, and could see another one.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from pipeline.files import storage

FILES_BYTES = 4_000
"""What a name counts as, beside bytes of a list: opening its few files takes as long as parsing so
much."""

EIGHT_TRAIN = (287_651, 283_901)
EIGHT_VALIDATION = (4_000, 3_999, 3_500)
"""Pictures of the 8 and of the 7 expressions in copies without classes 8 to 10 (one validation
picture is missing in some)."""


class Range(NamedTuple):
    """Bytes start..stop of a file; `first` is the number of the first line in it, from 1."""

    start: int
    stop: int
    first: int

    @property
    def num_bytes(self) -> int:
        """How much there is to read."""
        return self.stop - self.start


class Names(NamedTuple):
    """Files of a folder, sorted."""

    names: tuple[str, ...]

    @property
    def num_bytes(self) -> int:
        """How much there is to read, as bytes of a list would take."""
        return len(self.names) * FILES_BYTES


class Table(NamedTuple):
    """One list, or folder, of annotations."""

    layout: str
    split: str  # train, validation or test; empty where the rows themselves say
    subset: str
    path: str  # relative to the release's root
    images: str  # folder of its pictures, relative to the root
    parts: tuple[Range | Names, ...]
    expected: tuple[int, ...]  # rows in the copies on record; empty where nothing is
    digest: str = ""  # of a folder's listing; empty for a list, whose content is its digest
    reading: Any = None  # what the layout's reader needs to know besides: a NamedTuple of its own


class Part(NamedTuple):
    """What one worker reads."""

    table: Table  # with `parts` left out
    range: Range | Names


class Release(NamedTuple):
    """A copy of AffectNet, or of another data set in a form known here."""

    layout: str
    root: str
    tables: tuple[Table, ...]
    notes: tuple[str, ...] = ()  # printed for the user: how the copy is interpreted
    has_soft_labels: bool = False  # whether rows have a probability for each expression

    def parts(self) -> list[Part]:
        """Return all parts, to be dealt to workers."""
        return [
            Part(table._replace(parts=()), part) for table in self.tables for part in table.parts
        ]

    def num_bytes(self) -> int:
        """Return how much there is to read."""
        return sum(part.num_bytes for table in self.tables for part in table.parts)


class Request(NamedTuple):
    """What the user's flags say of the input."""

    layout: str = "auto"
    subsets: tuple[str, ...] = ("manual",)
    difficulty: str = "all"
    csv: str = ""
    columns: str = ""
    labels: str = ""
    pictures: str = ""


def fingerprint(release: Release) -> str:
    """Return a digest of all annotations: what a build was made from.

    A folder counts by the names and sizes of its annotation files (a million are not opened for
    it), and pictures by their names only, so that repairing one does not make another release.
    """
    state = hashlib.sha256()
    for table in release.tables:
        state.update(
            f"{table.layout}\0{table.split}\0{table.subset}\0{table.digest}\0{table.reading!r}\0".encode()
        )
        if not table.digest:
            state.update(_content_digest(storage.join(storage.path(release.root), table.path)))
    return state.hexdigest()


def _content_digest(path: storage.AnyPath) -> bytes:
    state = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            state.update(chunk)
    return state.digest()


def in_parts(names: Sequence[str], *, names_per_part: int = 2_000) -> tuple[Names, ...]:
    """Cut sorted names into parts."""
    return tuple(
        Names(tuple(names[i : i + names_per_part])) for i in range(0, len(names), names_per_part)
    )
