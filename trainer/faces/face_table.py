"""Face table: the faces of images with their probabilities, as typed rows or a pandas table.

Owns the columns, which are those of `trainer.predict --csv`. A bare DataFrame was rejected: pandas
is not installed with every extra, and a row of it has no types.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from runtime import installation
from trainer.config.model_config import AFFECT

if TYPE_CHECKING:  # An extra.
    import pandas

_BOX = ("x", "y", "width", "height")


@dataclasses.dataclass(frozen=True, kw_only=True)
class FacePrediction:
    """Face of an image; or an image without a face, whose `face` is 0 and the rest None.

    Attributes:
      file: path of the file, or `image N` for the N-th image that was given as an array.
      time_s: time of a video's frame in seconds; None: an image.
      face: number of the face in its image, the largest is 1.
      person: number of the person in a video, from 1; None: an image.
      box: x, y, width and height in pixels of the image.
      confidence: the detector's, 0..1; None where it took the whole image.
      expression: the most probable class.
      probabilities: of each class by its name; they sum to 1.
      valence, arousal: -1..1, where the model predicts them.
    """

    file: str
    time_s: float | None
    face: int
    person: int | None = None
    box: tuple[float, float, float, float] | None = None
    confidence: float | None = None
    expression: str | None = None
    probabilities: dict[str, float] | None = None
    valence: float | None = None
    arousal: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class FaceTable(Sequence[FacePrediction]):
    """Rows in the order of the images; in an image the largest face comes first.

    Attributes:
      rows: one for each face, and one for each image without a face.
      class_names: in the order of the model's outputs.
      failures: a sentence for each file that could not be read.
    """

    rows: tuple[FacePrediction, ...]
    class_names: tuple[str, ...]
    failures: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> FacePrediction: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[FacePrediction]: ...
    def __getitem__(self, index: int | slice) -> FacePrediction | Sequence[FacePrediction]:
        return self.rows[index]

    def __iter__(self) -> Iterator[FacePrediction]:
        return iter(self.rows)

    @property
    def probabilities(self) -> np.ndarray:
        """Probabilities, float32[N, C], NaN in the rows of images without a face."""
        nothing = dict.fromkeys(self.class_names, np.nan)
        table = [list((row.probabilities or nothing).values()) for row in self.rows]
        return np.array(table, np.float32).reshape(-1, len(self.class_names))

    def to_pandas(self) -> "pandas.DataFrame":
        """Return a DataFrame with the columns of `trainer.predict --csv`.

        Raises:
          errors.UserError: if pandas is not installed.
        """
        installation.require("pandas", what="to_pandas")
        import pandas  # Inside: an extra.

        rows = [self._cells(row) for row in self.rows]
        table: pandas.DataFrame = pandas.DataFrame(rows, columns=self._columns())
        return table

    def _columns(self) -> list[str]:
        affect = [name for name in AFFECT if any(getattr(row, name) is not None for row in self)]
        source = ["file", "time_s", "face", "person", *_BOX, "confidence", "expression"]
        return [*source, *self.class_names, *affect]

    def _cells(self, row: FacePrediction) -> dict[str, Any]:
        cells = {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
        box = cells.pop("box") or (None,) * len(_BOX)
        probabilities = cells.pop("probabilities") or {}
        return {**cells, **dict(zip(_BOX, box, strict=True)), **probabilities}
