"""Release types shared by the layouts: request, release, annotation tables, parts for workers.

Owns how a release is divided among workers. A part of a list of rows is a byte range with the
number of its first line, found by one pass that looks for line ends only. A part of a folder of
small files is the file names themselves, listed once on the driver. Letting workers list the folder
again, to find a range in it, was rejected: each would pay for the whole listing, and could get
another one.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from affectnet_tfds import features
from pipeline.files import storage
from pipeline.rows import row_index
from pipeline.sources import passed_over as passed_over_lib
from runtime import untrusted

FILES_BYTES = 4_000
"""Bytes of a list that take as long to parse as the few files of one image take to open."""

EXPECTED_TRAIN = (287_651, 283_901)
EXPECTED_VALIDATION = (4_000, 3_999, 3_500)
"""Images of 8 and of 7 expressions in copies without classes 8 to 10 (in some copies one validation
image is missing)."""


class Range(NamedTuple):
    """Bytes start..stop of a file; `first` is the number of the first line in it, from 1."""

    start: int
    stop: int
    first: int

    @property
    def num_bytes(self) -> int:
        """Number of bytes to read."""
        return self.stop - self.start


class Names(NamedTuple):
    """Files of a folder, sorted."""

    names: tuple[str, ...]

    @property
    def num_bytes(self) -> int:
        """Number of bytes of a list that would take as long to read."""
        return len(self.names) * FILES_BYTES


class Table(NamedTuple):
    """One list, or folder, of annotations."""

    layout: str
    split: str  # train, validation or test; empty where each row has its own
    subset: str
    path: str  # relative to the release's root
    images: str  # folder of its images, relative to the root
    parts: tuple[Range | Names, ...]
    expected: tuple[int, ...]  # numbers of rows in known copies; empty where none is known
    digest: str = ""  # of a folder's listing; empty for a list, which is hashed by content
    # The layout's own settings for `read`: a NamedTuple, whose class and field names are part of
    # the fingerprint (by its repr), so that renaming one would make every old build another.
    reading: Any = None
    follow_links: bool = False  # whether links may lead out of the input folder
    groups: tuple[tuple[str, str], ...] = ()  # name and column of each attribute to read

    def num_rows(self) -> int:
        """Return about how many rows there are, without reading any.

        Lines before the last part of a list, which its cutting has counted; names of a folder.
        """
        lines = max((part.first for part in self.parts if isinstance(part, Range)), default=0)
        return lines + sum(len(part.names) for part in self.parts if isinstance(part, Names))


class Part(NamedTuple):
    """Share of a table that one worker reads."""

    table: Table  # with `parts` left out
    range: Range | Names

    def within(self, root: str) -> str:
        """Return the folder that no link may lead out of; "": links may lead anywhere."""
        return "" if self.table.follow_links else root


class Release(NamedTuple):
    """A copy of AffectNet, or of another data set in a known layout."""

    layout: str
    root: str
    tables: tuple[Table, ...]
    notes: tuple[str, ...] = ()  # printed for the user: how the copy is interpreted
    has_soft_labels: bool = False  # whether rows have a probability for each expression
    folders: tuple[str, ...] = ()  # that hold its files (folders_with_files)
    data: str = "AffectNet"  # name of the data set
    passed_over: tuple[passed_over_lib.PassedOver, ...] = ()  # files that no row is about

    def parts(self) -> list[Part]:
        """Return the parts of all tables."""
        return [
            Part(table._replace(parts=()), part) for table in self.tables for part in table.parts
        ]

    def num_bytes(self) -> int:
        """Return the number of bytes to read."""
        return sum(part.num_bytes for table in self.tables for part in table.parts)

    def num_buckets(self) -> int:
        """Return the number of files of the index of its rows."""
        rows = sum(table.num_rows() for table in self.tables)
        return row_index.num_buckets(self.num_bytes(), rows)


def folders_with_files(release: Release) -> tuple[str, ...]:
    """Return the root ("") and the folders of images that are on a disk and not empty now.

    A file that is missed while one of them is gone says nothing of the file.
    """
    root = storage.path(release.root)
    if not isinstance(root, Path):
        return ()
    folders = sorted({"", *(table.images for table in release.tables)})
    return tuple(folder for folder in folders if storage.holds_something(root / folder))


def no_splits(what: str, *, by: str) -> str:
    """Return the note on a release without splits, of which one is made by subject or image."""
    return (
        f"{what} has no validation split: all of it is train; --validation_frac=0.2 makes one, "
        f"by {by}"
    )


class Request(NamedTuple):
    """Flags that describe the input."""

    layout: str = "auto"
    subsets: tuple[str, ...] = ("manual",)
    difficulty: str = "all"
    csv: str = ""
    columns: str = ""
    labels: str = ""
    pictures: str = ""
    follow_links: bool = False
    groups: str = ""

    def columns_of_groups(self) -> dict[str, str]:
        """Return the attributes to read from the annotation: name to column.

        Raises:
          ValueError: see features.group_columns.
        """
        return {name: at for name, at in features.group_columns(self.groups).items() if at}


def fingerprint(release: Release) -> str:
    """Return a digest of all annotations: the input that a build was made from.

    A folder is hashed by the names and sizes of its annotation files (opening a million of them
    would take too long), and images by their names only, so that repairing an image does not make
    another release.
    """
    state = hashlib.sha256()
    for table in release.tables:
        fields = (table.layout, table.split, table.subset, table.digest, repr(table.reading))
        state.update("".join(f"{field}\0" for field in fields).encode())
        if not table.digest:
            state.update(_content_digest(storage.join(storage.path(release.root), table.path)))
    return state.hexdigest()


def _content_digest(path: storage.AnyPath) -> bytes:
    state = hashlib.sha256()
    storage.check_input(path, at_most=untrusted.STREAMED_BYTES)
    with storage.naming(path), path.open("rb") as file:
        while chunk := file.read(1 << 20):
            state.update(chunk)
    return state.digest()


def in_parts(names: Sequence[str], *, names_per_part: int = 2_000) -> tuple[Names, ...]:
    """Cut sorted names into parts."""
    return tuple(
        Names(tuple(names[i : i + names_per_part])) for i in range(0, len(names), names_per_part)
    )
