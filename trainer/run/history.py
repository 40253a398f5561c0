"""The run's numbers in files: one CSV row an epoch, and TensorBoard scalars and pictures.

Owns the files. The CSV is rewritten from the history that checkpoints carry, rather than appended
to, so that a run cut off between row and checkpoint has no row twice.
"""

import csv
import io
import pathlib
from collections.abc import Mapping, Sequence

from runtime import atomic_file

Row = Mapping[str, float]
"""epoch (from 1), step, loss, accuracy, val_loss, val_accuracy, val_macro_f1, learning_rate,
images_per_s, ..."""

HISTORY = "history.csv"
"""Name of the CSV in a model folder."""


def write_csv(history: Sequence[Row], *, path: pathlib.Path) -> None:
    """Write one row an epoch."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(history[0]))
    writer.writeheader()
    writer.writerows(history)
    atomic_file.replace(path, content=text.getvalue().encode())


def read_csv(path: pathlib.Path) -> list[dict[str, float]]:
    """Return the rows that `write_csv` wrote, or none."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
