"""Probabilities of others: checked outputs of a model, or a CSV of them, in the data's classes.

Owns what counts as probabilities, how columns become the data's classes, and how rows of a CSV are
matched to examples. Rounded and quantised ones do not sum to exactly one; scaling anything to a sum
of one was rejected, because logits and percentages would pass.
"""

import csv
import dataclasses
import io
import pathlib
from collections.abc import Sequence

import numpy as np
from scipy import special

from runtime import errors, fields, untrusted
from trainer.arena import adapter as adapter_lib
from trainer.data import id_list
from trainer.evaluation import class_subset

SUM_TOLERANCE = 0.02
"""How far the sum of a row may be from 1: passes two decimals and the 8 bits of a TFLite file."""

_COPY = "copy"
_PREFIX = "p_"
_OTHER = ("label", "predicted", "valence", "predicted_valence", "arousal", "predicted_arousal")
_GROUP_PREFIX = "group_"
"""Columns of our own predictions.csv that are no probabilities, and are passed over."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """A CSV of probabilities, not yet matched to a split.

    Attributes:
      path: of the file.
      ids: str of each row.
      copies: number of the image's repeat of each row; None: the file has no such column.
      names: classes of its columns.
      probabilities: float64[R, C].
    """

    path: pathlib.Path
    ids: tuple[str, ...]
    copies: tuple[int, ...] | None
    names: tuple[str, ...]
    probabilities: np.ndarray


def of_outputs(
    values: np.ndarray, *, adapter: adapter_lib.Adapter, data_classes: Sequence[str]
) -> np.ndarray:
    """Return the probabilities of the data's classes: float64[N, K].

    Args:
      values: float[N, C], of a model with this adapter.
      adapter: the adapter, whose classes have been checked.
      data_classes: the K names.

    Raises:
      ValueError: with the rule, if they are no logits or no probabilities.
    """
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("an output is not finite")
    if adapter.output_kind == "logits":
        if fault(values) is None:
            raise ValueError(
                "every row is from 0 to 1 and sums to one; a model of probabilities has "
                "'output_kind: probabilities'"
            )
        values = special.softmax(values, axis=1)
    elif (reason := fault(values)) is not None:
        raise ValueError(f"{reason[1]}; a model of logits has 'output_kind: logits'")
    kept = [column for column, name in enumerate(adapter.classes) if name is not None]
    names = [name for name in adapter.classes if name is not None]
    return of_classes(values[:, kept], names=names, data_classes=data_classes)


def of_classes(
    values: np.ndarray, *, names: Sequence[str], data_classes: Sequence[str]
) -> np.ndarray:
    """Return the columns of the data's classes in their order, with sum 1: float64[N, K]."""
    order = class_subset.in_order(names, data_classes=data_classes)
    return class_subset.restricted(values[:, order], num_classes=len(data_classes))


def fault(values: np.ndarray) -> tuple[int, str] | None:
    """Return the first row of float[N, C] that is no distribution and what is wrong; None: none."""
    outside = (values < 0) | (values > 1)
    sums = values.sum(axis=1)
    for row in np.flatnonzero(outside.any(axis=1) | ~(np.abs(sums - 1) <= SUM_TOLERANCE))[:1]:
        if outside[row].any():
            value = values[row][outside[row]][0]
            return int(row), f"a probability must be a number from 0 to 1: got {value:g}"
        return int(row), f"probabilities must sum to one: got {sums[row]:.4g}"
    return None


def read(path: pathlib.Path) -> Table:
    """Read a CSV: a column of ids first, then one of each class, called CLASS or p_CLASS.

    A column `copy` numbers the repeats of an image; our own predictions.csv is such a file.

    Raises:
      errors.UserError: if it is no such file.
      OSError: if the disk does not let it be read.
    """
    text = untrusted.read_text(path, at_most=untrusted.LIST_BYTES)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
        return _parsed(rows, path=path)
    except (ValueError, csv.Error) as error:
        raise errors.UserError(f"cannot read {path} as a table of probabilities: {error}") from None


def match(
    table: Table,
    *,
    filenames: np.ndarray,
    copies: np.ndarray,
    data_classes: Sequence[str],
    way_out: str = "--subset=FILE evaluates a part of the split",
) -> tuple[np.ndarray, int]:
    """Return the probabilities of each example, and how many rows are of none of them.

    Without a column `copy`, the repeats of an image have the probabilities of its row.

    Args:
      table: with all classes of the data (`check_classes`).
      filenames: str[N].
      copies: int64[N].
      data_classes: K names.
      way_out: what to do where examples have no row.

    Returns: float64[N, K], and the number of rows.

    Raises:
      errors.UserError: if two rows are of the same example, or one has no row.
    """
    rows = _rows_by_key(table, names=id_list.Names(filenames))
    by_copy = table.copies is not None
    keys = [
        (str(name), int(copy) if by_copy else 0)
        for name, copy in zip(filenames, copies, strict=True)
    ]
    absent = [key for key in keys if key not in rows]
    if absent:
        copy = f" (copy {absent[0][1]})" if by_copy else ""
        raise errors.UserError(
            f"{table.path} has no row of {len(absent):,} of {len(keys):,} examples, the first "
            f"{absent[0][0]}{copy}: ids are the file names of predictions.csv, with or without "
            f"ending; {way_out}"
        )
    used = [rows[key] for key in keys]
    probs = of_classes(table.probabilities[used], names=table.names, data_classes=data_classes)
    return probs, len(table.ids) - len(set(used))


def check_classes(table: Table, *, data_classes: Sequence[str], data: str) -> None:
    """Check the names of the columns against the data's classes.

    Raises:
      errors.UserError: if a name is unknown, or a class of the data is missing.
    """
    adapter_lib.check_names(
        table.names, data_classes=data_classes, where=f"{table.path}: its columns"
    )
    order = class_subset.in_order(table.names, data_classes=data_classes)
    class_subset.check(
        [table.names[column] for column in order],
        data_classes=data_classes,
        model=str(table.path),
        data=data,
    )


def _rows_by_key(table: Table, *, names: id_list.Names) -> dict[tuple[str, int], int]:
    """Return the row of each example that the table has; rows of others are passed over."""
    copies = table.copies or (0,) * len(table.ids)
    found: dict[tuple[str, int], int] = {}
    for row, (given, copy) in enumerate(zip(table.ids, copies, strict=True)):
        name = names.of(given, where=table.path)
        before = found.setdefault((name or f"\0{given}", copy), row)
        if before != row:
            raise errors.UserError(
                f"{table.path}: row {row + 1:,} has the id of row {before + 1:,}, {given:.80}, and "
                "each example must be there once"
            )
    return found


def _parsed(rows: Sequence[Sequence[str]], *, path: pathlib.Path) -> Table:
    if len(rows) < 2:
        raise ValueError("it must have a header and rows")
    header = [cell.strip() for cell in rows[0]]
    columns = [
        column
        for column, name in enumerate(header)
        if column and name not in (_COPY, *_OTHER) and not name.startswith(_GROUP_PREFIX)
    ]
    names = [header[column].removeprefix(_PREFIX) for column in columns]
    if len(names) < 2 or len(set(names)) < len(names) or "" in names:
        raise ValueError(
            "its first column must be the id and the others classes, each named once: got "
            f"{', '.join(header):.80}"
        )
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            raise ValueError(f"row {number:,} has {len(row)} of {len(header)} columns")
    body = rows[1:]
    return Table(
        path=path,
        ids=tuple(untrusted.of_cell(row[0].strip()) for row in body),
        copies=_copies(body, column=header.index(_COPY)) if _COPY in header[1:] else None,
        names=tuple(names),
        probabilities=_numbers(body, columns=columns),
    )


def _copies(body: Sequence[Sequence[str]], *, column: int) -> tuple[int, ...]:
    cells = [row[column].strip() for row in body]
    for number, cell in enumerate(cells, start=1):
        if not fields.is_count(cell):
            raise ValueError(
                f"row {number:,}: copy must be a whole number from 0: got {cell!r:.60}"
            )
    return tuple(map(int, cells))


def _numbers(body: Sequence[Sequence[str]], *, columns: Sequence[int]) -> np.ndarray:
    """Return the probabilities, each row of which sums to about one: float64[R, C]."""
    values = np.array([[_number(row[column]) for column in columns] for row in body])
    for row, column in np.argwhere(np.isnan(values))[:1]:
        cell = body[row][columns[column]]
        raise ValueError(f"row {row + 1:,}: a probability must be a number: got {cell!r:.60}")
    if found := fault(values):
        raise ValueError(f"row {found[0] + 1:,}: {found[1]}")
    return values


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")
