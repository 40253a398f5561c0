"""Lists of example ids: a published subset of a split, and the file names that ids stand for.

Owns how an id is matched to an example: it is the file name of predictions.csv, with or without its
ending. Matching the last part of a path alone was rejected: AffectNet has the same file names in
several folders.
"""

import collections
import csv
import dataclasses
import hashlib
import io
import pathlib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from runtime import errors, untrusted

if TYPE_CHECKING:
    from trainer.data import examples

_ENDING = re.compile(r"\.[A-Za-z0-9]+(?=(#\d+)?$)")
"""Ending of a file name; further faces in a file are called x.jpg#2."""

_HEADERS = ("id", "image", "name", "path", "file", "filename", "subdirectoryfilepath")
"""First cells of a header, in lower case and without _ (the last one is AffectNet's own)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class IdList:
    """The distinct ids of a file, in its order."""

    path: pathlib.Path
    ids: tuple[str, ...]
    sha256: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Found:
    """The examples of a split that a list names.

    Attributes:
      rows: int64[M], in the split's order.
      counts: how many images there are of how many, and how many ids the split has not, in words.
    """

    rows: np.ndarray
    counts: str


class Names:
    """The file names of a split, to be found by ids."""

    def __init__(self, filenames: Iterable[str]) -> None:
        self._full = set(map(str, filenames))
        self._by_stem: dict[str, list[str]] = collections.defaultdict(list)
        for name in sorted(self._full):
            self._by_stem[_ENDING.sub("", name)].append(name)

    def __len__(self) -> int:
        return len(self._full)

    def of(self, given: str, *, where: object) -> str | None:
        """Return the file name that an id stands for, or None.

        Raises:
          errors.UserError: if it lacks its ending, and several files are called so.
        """
        if given in self._full:
            return given
        found = self._by_stem.get(given, [])
        if len(found) > 1:
            raise errors.UserError(
                f"{where}: {given} stands for {found[0]} and for {found[1]}: write its ending, too"
            )
        return found[0] if found else None


def read(path: pathlib.Path) -> IdList:
    """Read a list: one id a line, or a CSV whose first column is the id, with or without a header.

    Raises:
      errors.UserError: if it is no text, or lists nothing.
      OSError: if the disk does not let it be read.
    """
    text = untrusted.read_text(path, at_most=untrusted.LIST_BYTES)
    try:
        rows = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise errors.UserError(f"cannot read {path} as a list of ids: {error}") from None
    ids = [untrusted.of_cell(row[0].strip()) for row in rows if row and row[0].strip()]
    for each in ids:
        if "\n" in each:  # A quotation mark that is never closed takes the rest of the file.
            raise errors.UserError(
                f"cannot read {path} as a list of ids: {each.splitlines()[0]!r:.80} begins with a "
                "quotation mark that is not closed on its line; remove it"
            )
    ids = ids[1:] if ids and _is_header(ids[0]) else ids
    if not ids:
        raise errors.UserError(f"{path} lists no id: it must have one a line, in its first column")
    digest = hashlib.sha256(text.encode()).hexdigest()
    return IdList(path=path, ids=tuple(dict.fromkeys(ids)), sha256=digest)


def find(listed: IdList, *, filenames: np.ndarray, split: str) -> Found:
    """Find the listed examples of a split.

    Args:
      listed: the ids.
      filenames: str[N] of the split's examples; the copies of an image share one.
      split: its name, as it is called in what is printed.

    Raises:
      errors.UserError: if none is there, or an id stands for several files.
    """
    names = Names(filenames)
    by_id = [names.of(each, where=listed.path) for each in listed.ids]
    found = {name for name in by_id if name}
    num_ids = len(listed.ids)
    if not found:
        raise errors.UserError(
            f"none of the {num_ids:,} ids in {listed.path} is in {split}: ids are the file names "
            f"of {split}, such as {filenames[0]}, and the first is {listed.ids[0]!r:.80}; choose "
            "another --subset or --split"
        )
    counts = (
        f"{len(found):,} of {len(names):,} images of {split}; {by_id.count(None):,} of "
        f"{num_ids:,} ids are not there"
    )
    return Found(rows=np.flatnonzero(np.isin(filenames, sorted(found))), counts=counts)


def take(split: "examples.Split", *, listed: IdList | None) -> "tuple[examples.Split, str]":
    """Return the listed part of a split and its description, which is printed; None: all, and "".

    Raises:
      errors.UserError: as `find`.
    """
    from trainer.data import holdout  # Inside: reading a list must not wait for TensorFlow.

    if listed is None:
        return split, ""
    found = find(listed, filenames=split.filenames, split=split.name)
    print(f"subset        {found.counts}", flush=True)
    about = f"{listed.path.name} (SHA-256 {listed.sha256[:12]}): {found.counts}"
    return holdout.take(split, indices=found.rows, name=split.name), about


def _is_header(cell: str) -> bool:
    """Return whether the first cell of a file names a column."""
    return cell.lower().replace("_", "") in _HEADERS
