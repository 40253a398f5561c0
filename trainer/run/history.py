"""Training history: one row of numbers per epoch, and history.csv.

Owns the file. It is written anew from the history that checkpoints carry, rather than appended to,
so that a run interrupted between row and checkpoint has no row twice.
"""

import csv
import io
import pathlib
from collections.abc import Mapping, Sequence

from runtime import atomic_file, errors, untrusted

Row = Mapping[str, float]
"""epoch (from 1), step, loss, accuracy, val_loss, val_accuracy, val_macro_f1, learning_rate,
images_per_s, input_wait_frac, epoch_s, gradient_norm, update_norm, parameter_norm."""

HISTORY = "history.csv"
"""Name of the CSV in a model folder."""


def write_csv(history: Sequence[Row], *, path: pathlib.Path) -> None:
    """Write one row per epoch, atomically; a column that a row lacks is empty there."""
    text = io.StringIO(newline="")
    # Rows of an earlier release have fewer columns.
    columns = dict.fromkeys(name for row in history for name in row)
    writer = csv.DictWriter(text, fieldnames=list(columns))
    writer.writeheader()
    writer.writerows(history)
    atomic_file.replace(path, content=text.getvalue().encode())


def read_csv(path: pathlib.Path) -> list[dict[str, float]]:
    """Return the rows that `write_csv` wrote; none if there is no file.

    Raises:
      errors.UserError: if the file is damaged.
      OSError: if it is no regular file, or the disk does not let it be read.
    """
    if not path.exists():
        return []
    untrusted.check(path, at_most=untrusted.LIST_BYTES)
    try:
        return _parse(path.read_bytes().decode("utf-8"))
    except (ValueError, TypeError, csv.Error) as error:
        raise errors.UserError(
            f"cannot read {path} ({error}); the same trainer.main command again writes it anew"
        ) from None


def _parse(text: str) -> list[dict[str, float]]:
    if text and not text.endswith("\n"):
        raise ValueError("its last line is truncated")
    file = io.StringIO(text, newline="")
    rows = csv.DictReader(file, restkey="a further column", restval="nothing")
    return [_numbers(row, place=f"row {index}") for index, row in enumerate(rows, 1)]


def _numbers(row: dict[str, str], *, place: str) -> dict[str, float]:
    numbers = {}
    for name, value in row.items():
        try:
            if value != "":
                numbers[name] = float(value)
        except (TypeError, ValueError):  # TypeError: values too many.
            raise ValueError(f"{place} has no number for {name}: got {value!r}") from None
    return numbers
