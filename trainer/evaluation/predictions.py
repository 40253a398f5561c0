"""What a model said of each example of a split, in memory and as predictions.csv.

Owns the file: one row an example, with names rather than codes, so that people and other programs
can go on from it.
"""

import csv
import dataclasses
import io
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from runtime import errors

FILE = "predictions.csv"
_FIXED = ("filename", "copy", "label", "predicted")
_PREFIX = "p_"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Predictions:
    """N examples of C classes."""

    class_names: tuple[str, ...]
    filenames: np.ndarray  # str[N], path inside the release
    copies: np.ndarray  # int64[N], 0 or which repeat of the picture
    labels: np.ndarray  # int64[N]
    probabilities: np.ndarray  # float64[N, C]
    affect: Mapping[str, tuple[np.ndarray, np.ndarray]] = dataclasses.field(default_factory=dict)
    """valence, arousal: annotated (NaN where there is none) and predicted, float[N] each; empty
    without such heads."""

    @property
    def predicted(self) -> np.ndarray:
        """Return the most probable class of each example, the first of equals: int64[N]."""
        return self.probabilities.argmax(axis=1)

    @property
    def confidence(self) -> np.ndarray:
        """Return the probability of the predicted class: float64[N]."""
        return self.probabilities.max(axis=1)

    @property
    def groups(self) -> np.ndarray:
        """Return a number for each picture, which its copies share: int64[N]."""
        return np.unique(self.filenames, return_inverse=True)[1]

    def only(self, chosen: np.ndarray) -> "Predictions":
        """Return the examples where bool[N] holds."""
        rows = {
            name: getattr(self, name)[chosen]
            for name in ("filenames", "copies", "labels", "probabilities")
        }
        affect = {
            name: (truth[chosen], said[chosen]) for name, (truth, said) in self.affect.items()
        }
        return dataclasses.replace(self, **rows, affect=affect)


def to_csv(made: Predictions) -> str:
    """Return predictions.csv: filename, copy, label, predicted, p_<class> each, then valence and
    arousal if any."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    heads = [f"{_PREFIX}{name}" for name in made.class_names]
    extra = [column for name in made.affect for column in (name, f"predicted_{name}")]
    writer.writerow([*_FIXED, *heads, *extra])
    affect = np.array([column for pair in made.affect.values() for column in pair]).T.reshape(
        len(made.labels), -1
    )
    names, rows = (
        np.array(made.class_names),
        zip(made.probabilities.tolist(), affect.tolist(), strict=True),
    )
    known = zip(made.filenames, made.copies, names[made.labels], names[made.predicted], strict=True)
    for facts, (probs, values) in zip(known, rows, strict=True):
        writer.writerow([*facts, *(f"{p:.7g}" for p in probs), *(f"{v:.6g}" for v in values)])
    return text.getvalue()


def read(path: pathlib.Path) -> Predictions:
    """Read what `to_csv` wrote, valence and arousal left out.

    Raises:
      errors.UserError: if it is not there, or no such file.
    """
    if not path.is_file():
        raise errors.UserError(
            f"{path.parent} holds no {FILE}: judge it first (python -m trainer.evaluate)"
        )
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    try:
        return _parsed(rows[0], rows[1:])
    except (ValueError, IndexError) as error:
        raise errors.UserError(
            f"{path} is no file of predictions ({error}): judge the run again"
        ) from error


def _parsed(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Predictions:
    if tuple(heads[: len(_FIXED)]) != _FIXED or not rows:
        raise ValueError(f"it must begin with the columns {', '.join(_FIXED)} and have rows")
    names = tuple(head.removeprefix(_PREFIX) for head in heads if head.startswith(_PREFIX))
    start = len(_FIXED)
    return Predictions(
        class_names=names,
        filenames=np.array([row[0] for row in rows], np.str_),
        copies=np.array([int(row[1]) for row in rows], np.int64),
        labels=np.array([names.index(row[2]) for row in rows], np.int64),
        probabilities=np.array(
            [[float(p) for p in row[start : start + len(names)]] for row in rows]
        ),
    )
