"""List of attributes: a CSV with an id and attributes a row, matched with the examples of a split.

Owns how a list beside the data gives attributes to a build that has none: an id is the file name of
predictions.csv, with or without its ending (data.id_list).
"""

import csv
import dataclasses
import io
import pathlib
from collections.abc import Mapping

import numpy as np

from runtime import errors, untrusted
from trainer.data import id_list


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttributeList:
    """Attributes by id."""

    path: pathlib.Path
    names: tuple[str, ...]
    rows: Mapping[str, tuple[str, ...]]
    """Id → text of each attribute."""


def read(path: pathlib.Path) -> AttributeList:
    """Read a list: its header names the attributes, its first column is the id.

    Raises:
      errors.UserError: if it is no such list, or an id is there twice.
      OSError: if the disk does not let it be read.
    """
    text = untrusted.read_text(path, at_most=untrusted.LIST_BYTES)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline="")) if any(row)]
    except csv.Error as error:
        raise errors.UserError(f"cannot read {path} as a list of attributes: {error}") from None
    header = [name.strip() for name in rows[0]] if rows else []
    names = tuple(header[1:])
    if not names or "" in names or len(set(names)) < len(names) or len(rows) < 2:
        raise errors.UserError(
            f"{path} must have a header with an id and attributes, each called otherwise, and rows "
            f"below it, as in 'file,age,gender': its first line is {', '.join(header) or 'empty'}"
        )
    found: dict[str, tuple[str, ...]] = {}
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            raise errors.UserError(
                f"{path}, row {number:,}: a row must have the {len(header)} fields of the header: "
                f"got {len(row)}"
            )
        name = untrusted.of_cell(row[0].strip())
        if name in found:
            raise errors.UserError(
                f"{path}, row {number:,}: an id must be there once: {name:.80} is there twice"
            )
        found[name] = tuple(untrusted.of_cell(cell.strip()) for cell in row[1:])
    return AttributeList(path=path, names=names, rows=found)


def match(listed: AttributeList, *, filenames: np.ndarray, split: str) -> dict[str, np.ndarray]:
    """Return the attributes of a split's examples: str[N] by name, "" for examples not listed.

    Args:
      listed: the list.
      filenames: str[N] of the split's examples.
      split: its name, for messages.

    Raises:
      errors.UserError: if none of its ids is there, one stands for several files, or two for one.
    """
    names = id_list.Names(filenames)
    by_file: dict[str, tuple[str, ...]] = {}
    for given, row in listed.rows.items():
        file = names.of(given, where=listed.path)
        if file in by_file:
            raise errors.UserError(
                f"{listed.path} has {file:.80} twice, with and without its ending: an id must be "
                "there once"
            )
        if file:
            by_file[file] = row
    if not by_file:
        raise errors.UserError(
            f"none of the {len(listed.rows):,} ids in {listed.path} is in {split}: ids are the "
            f"file names of {split}, such as {filenames[0]}, and the first is "
            f"{next(iter(listed.rows))!r:.80}"
        )
    nothing = ("",) * len(listed.names)
    rows = [by_file.get(str(name), nothing) for name in filenames]
    columns = zip(*rows, strict=True)
    return {
        name: np.array(texts, np.str_) for name, texts in zip(listed.names, columns, strict=True)
    }
