"""Predictions of one split: labels, class probabilities, valence and arousal; predictions.csv.

Owns the file: one row an example, with class names rather than numbers, so that people and other
programs can read it without this package.
"""

import csv
import dataclasses
import io
import itertools
import math
import pathlib
from collections.abc import Container, Mapping, Sequence

import numpy as np

from runtime import errors, fields, untrusted

FILE = "predictions.csv"
_FIXED = ("filename", "copy", "label", "predicted")
_PREFIX = "p_"
_GROUP_PREFIX = "group_"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Predictions:
    """N examples of C classes."""

    class_names: tuple[str, ...]
    filenames: np.ndarray  # str[N], path inside the release
    copies: np.ndarray  # int64[N], 0 or the number of the image's repeat
    labels: np.ndarray  # int64[N]
    probabilities: np.ndarray  # float64[N, C]
    affect: Mapping[str, tuple[np.ndarray, np.ndarray]] = dataclasses.field(default_factory=dict)
    """valence, arousal: annotated (NaN where not annotated) and predicted, float[N] each; empty
    without such heads."""
    attributes: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    """Attribute of the person or the image → its text, str[N]; "" where it is not known."""

    @property
    def predicted(self) -> np.ndarray:
        """Return the most probable class of each example, the first of equals: int64[N]."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @property
    def confidence(self) -> np.ndarray:
        """Return the probability of the predicted class: float64[N]."""
        return np.asarray(self.probabilities.max(axis=1))

    @property
    def groups(self) -> np.ndarray:
        """Return the number of each example's image, which its copies share: int64[N]."""
        return np.unique(self.filenames, return_inverse=True)[1]

    def only(self, chosen: np.ndarray) -> "Predictions":
        """Return the examples where bool[N] holds, or those of int64[M] rows in their order."""
        return dataclasses.replace(
            self,
            filenames=self.filenames[chosen],
            copies=self.copies[chosen],
            labels=self.labels[chosen],
            probabilities=self.probabilities[chosen],
            affect={
                name: (truth[chosen], predicted[chosen])
                for name, (truth, predicted) in self.affect.items()
            },
            attributes={name: texts[chosen] for name, texts in self.attributes.items()},
        )


def to_csv(preds: Predictions) -> str:
    """Return the text of predictions.csv.

    Columns: filename, copy, label, predicted, p_<class> each, then valence, predicted_valence,
    arousal and predicted_arousal where the model has them, and group_<attribute> where examples
    have any.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    columns = [f"{_PREFIX}{name}" for name in preds.class_names]
    affect_columns = [column for name in preds.affect for column in (name, f"predicted_{name}")]
    group_columns = [f"{_GROUP_PREFIX}{name}" for name in preds.attributes]
    writer.writerow([*_FIXED, *columns, *affect_columns, *group_columns])
    values = [each for pair in preds.affect.values() for each in pair]
    affect = np.array(values).T.reshape(len(preds.labels), -1)
    names = np.array(preds.class_names)
    texts = np.array([*preds.attributes.values()], np.str_).T.reshape(len(preds.labels), -1)
    for filename, copy, label, predicted, probs, numbers, groups in zip(
        preds.filenames,
        preds.copies,
        names[preds.labels],
        names[preds.predicted],
        preds.probabilities.tolist(),
        affect.tolist(),
        texts.tolist(),
        strict=True,
    ):
        cells = [*(f"{p:.7g}" for p in probs), *(f"{v:.6g}" for v in numbers)]
        cells += map(untrusted.cell, groups)
        writer.writerow([untrusted.cell(str(filename)), copy, label, predicted, *cells])
    return text.getvalue()


def read(path: pathlib.Path) -> Predictions:
    """Read a file that `to_csv` wrote, without valence, arousal and attributes.

    Raises:
      errors.UserError: if the file is missing, or is not such a file.
      OSError: if the disk does not let it be read.
    """
    if not path.exists():
        raise errors.UserError(
            f"{path.parent} holds no {FILE}: evaluate it first (python -m trainer.evaluate "
            f"--model_dir={path.parent})"
        )
    with errors.naming(path):
        untrusted.check(path, at_most=untrusted.LIST_BYTES)
        content = path.read_bytes()
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8"), newline="")))
        return _parsed(rows[0] if rows else (), rows[1:])
    except (ValueError, csv.Error) as error:
        raise errors.UserError(
            f"cannot read {path} as predictions ({error}): evaluate the run again"
        ) from None


def _parsed(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Predictions:
    names = _class_names(columns, num_rows=len(rows))
    probs = slice(len(_FIXED), len(_FIXED) + len(names))
    labels = {name: label for label, name in enumerate(names)}
    for number, row in enumerate(rows, start=1):
        _check_row(row, number=number, num_columns=len(columns), names=labels)
    read = Predictions(
        class_names=names,
        filenames=np.array([untrusted.of_cell(row[0]) for row in rows], np.str_),
        copies=np.array([int(row[1]) for row in rows], np.int64),
        labels=np.array([labels[row[2]] for row in rows], np.int64),
        probabilities=_probabilities(rows, columns=probs),
    )
    _check_repeats(rows)
    return read


def _class_names(columns: Sequence[str], *, num_rows: int) -> tuple[str, ...]:
    """Return the classes, whose columns follow the fixed ones."""
    if tuple(columns[: len(_FIXED)]) != _FIXED or not num_rows:
        raise ValueError(f"it must begin with the columns {', '.join(_FIXED)} and have rows")
    probs = list(itertools.takewhile(lambda each: each.startswith(_PREFIX), columns[len(_FIXED) :]))
    affect = [
        column
        for column in columns[len(_FIXED) + len(probs) :]
        if not column.startswith(_GROUP_PREFIX)
    ]
    pairs = [column for name in affect[::2] for column in (name, f"predicted_{name}")]
    if not probs or list(affect) != pairs or len(set(columns)) < len(columns):
        raise ValueError(
            f"it must have a column {_PREFIX}CLASS for each class, then each other quantity beside "
            "its prediction, and each once"
        )
    return tuple(each.removeprefix(_PREFIX) for each in probs)


def _check_row(row: Sequence[str], *, number: int, num_columns: int, names: Container[str]) -> None:
    if len(row) != num_columns:
        raise ValueError(f"row {number:,} has {len(row)} of {num_columns} columns")
    if not fields.is_count(row[1]):
        raise ValueError(
            f"row {number:,}: copy must be a whole number from 0: got {_short(row[1])}"
        )
    for column in (2, 3):
        if row[column] not in names:
            raise ValueError(
                f"row {number:,}: {_FIXED[column]} must be one of the classes of its columns: got "
                f"{_short(row[column])}"
            )


def _probabilities(rows: Sequence[Sequence[str]], *, columns: slice) -> np.ndarray:
    """Return the probabilities of all rows, none of which is nan: float64[N, C]."""
    found = np.array([[_probability(cell) for cell in row[columns]] for row in rows])
    for row, column in np.argwhere(np.isnan(found))[:1]:
        raise ValueError(
            f"row {row + 1:,}: a probability must be a number from 0 to 1: got "
            f"{_short(rows[row][columns][column])}"
        )
    return found


def _probability(cell: str) -> float:
    """Return the number in a cell, or nan where it is no probability."""
    try:
        value = float(cell)
    except ValueError:
        return math.nan
    return value if 0 <= value <= 1 else math.nan


def _check_repeats(rows: Sequence[Sequence[str]]) -> None:
    first: dict[tuple[str, ...], int] = {}
    for number, row in enumerate(rows, start=1):
        if (before := first.setdefault(tuple(row[:3]), number)) != number:
            raise ValueError(
                f"row {number:,} has the file, copy and label of row {before:,}, and each example "
                "is there once"
            )


def _short(cell: str) -> str:
    return f"{cell!r:.60}"
