"""Predictions of one split: labels, class probabilities, valence and arousal; predictions.csv.

Owns the file: one row an example, with class names rather than numbers, so that people and other
programs can read it without this package.
"""

import csv
import dataclasses
import io
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from runtime import errors, untrusted

FILE = "predictions.csv"
_FIXED = ("filename", "copy", "label", "predicted")
_PREFIX = "p_"


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
        """Return the examples where bool[N] holds."""
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
        )


def to_csv(preds: Predictions) -> str:
    """Return the text of predictions.csv.

    Columns: filename, copy, label, predicted, p_<class> each, then valence, predicted_valence,
    arousal and predicted_arousal where the model has them.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    columns = [f"{_PREFIX}{name}" for name in preds.class_names]
    affect_columns = [column for name in preds.affect for column in (name, f"predicted_{name}")]
    writer.writerow([*_FIXED, *columns, *affect_columns])
    values = [each for pair in preds.affect.values() for each in pair]
    affect = np.array(values).T.reshape(len(preds.labels), -1)
    names = np.array(preds.class_names)
    for filename, copy, label, predicted, probs, numbers in zip(
        preds.filenames,
        preds.copies,
        names[preds.labels],
        names[preds.predicted],
        preds.probabilities.tolist(),
        affect.tolist(),
        strict=True,
    ):
        cells = [*(f"{p:.7g}" for p in probs), *(f"{v:.6g}" for v in numbers)]
        writer.writerow([untrusted.cell(str(filename)), copy, label, predicted, *cells])
    return text.getvalue()


def read(path: pathlib.Path) -> Predictions:
    """Read a file that `to_csv` wrote, without valence and arousal.

    Raises:
      errors.UserError: if the file is missing, or is not such a file.
    """
    if not path.is_file():
        raise errors.UserError(
            f"{path.parent} holds no {FILE}: evaluate it first (python -m trainer.evaluate "
            f"--model_dir={path.parent})"
        )
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    try:
        return _parsed(rows[0], rows[1:])
    except (ValueError, IndexError) as error:
        raise errors.UserError(
            f"cannot read {path} as predictions ({error}): evaluate the run again"
        ) from error


def _parsed(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Predictions:
    if tuple(columns[: len(_FIXED)]) != _FIXED or not rows:
        raise ValueError(f"it must begin with the columns {', '.join(_FIXED)} and have rows")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(columns):
            raise ValueError(f"row {number} has {len(row)} of {len(columns)} columns")
    names = tuple(each.removeprefix(_PREFIX) for each in columns if each.startswith(_PREFIX))
    probs = slice(len(_FIXED), len(_FIXED) + len(names))
    return Predictions(
        class_names=names,
        filenames=np.array([untrusted.of_cell(row[0]) for row in rows], np.str_),
        copies=np.array([int(row[1]) for row in rows], np.int64),
        labels=np.array([names.index(row[2]) for row in rows], np.int64),
        probabilities=np.array([[float(p) for p in row[probs]] for row in rows]),
    )
