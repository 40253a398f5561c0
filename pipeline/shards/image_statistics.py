"""What a shard's pictures look like, counted while they are in memory: sizes, valence and arousal,
a few specimens.

Goes into the shard's sidecar, so that the report at the end of a build says it of every picture and
opens next to none. Counting afterwards, from the shards, was rejected: it would read all pixels
once more, and the sizes of the originals are not in the shards.
"""

import bisect
import collections
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

EDGES_PX = (0, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)
"""Sizes are counted from each of these up to the next."""

AFFECT_CELLS = 20
"""Valence and arousal are counted in cells of 0.1 by 0.1."""

SPECIMENS = 4
"""So many examples of each class are remembered in each shard."""


class ImageInfo(NamedTuple):
    """What was seen of one example when its face was cut out."""

    picture_size: tuple[int, int]  # width, height
    box_px: float  # the longer side of the face box; of the picture where there is none
    outline: (
        np.ndarray
    )  # float[3, 2], (x, y) in the picture: the crop's corners left above, right above, left below


class ImageStatistics:
    """Counts over the rows of a shard, further copies left out."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.picture_px: collections.Counter[int] = collections.Counter()  # by lower edge
        self.box_px: collections.Counter[int] = collections.Counter()
        self.affect: collections.Counter[tuple[int, int, int]] = (
            collections.Counter()
        )  # label, cells of v and a
        self.enlarged = 0
        self.specimens: list[dict[str, Any]] = []

    def add(self, row: Any, sight: ImageInfo, *, image_size: int, at: int) -> None:
        """Count a row whose crop of `image_size` pixels begins at byte `at` of its shard."""
        self.picture_px[_edge(max(sight.picture_size))] += 1
        self.box_px[_edge(sight.box_px)] += 1
        self.enlarged += crop_side(sight.outline) < image_size
        if not (math.isnan(row.valence) or math.isnan(row.arousal)):
            self.affect[row.label, _cell(row.valence), _cell(row.arousal)] += 1
        if sum(one["label"] == row.label for one in self.specimens) < SPECIMENS:
            self.specimens.append(
                {
                    "label": row.label,
                    "path": row.path,
                    "at": at,
                    "picture_size": list(sight.picture_size),
                    "outline": np.round(np.asarray(sight.outline, np.float64), 2).tolist(),
                }
            )

    def to_json(self) -> dict[str, Any]:
        """Return what the sidecar says, in an order that depends on the content only."""
        return {
            "picture_px": {str(edge): n for edge, n in sorted(self.picture_px.items())},
            "box_px": {str(edge): n for edge, n in sorted(self.box_px.items())},
            "affect": [[*key, n] for key, n in sorted(self.affect.items())],
            "enlarged": self.enlarged,
            "specimens": self.specimens,
        }


class Total(NamedTuple):
    """The observations of several shards; specimens stay with their shards."""

    picture_px: collections.Counter[int]
    box_px: collections.Counter[int]
    affect: collections.Counter[tuple[int, int, int]]
    enlarged: int


def total(parts: Iterable[Mapping[str, Any]]) -> Total:
    """Add up what several sidecars say."""
    picture_px, box_px = collections.Counter[int](), collections.Counter[int]()
    affect, enlarged = collections.Counter[tuple[int, int, int]](), 0
    for part in parts:
        picture_px.update({int(edge): n for edge, n in part["picture_px"].items()})
        box_px.update({int(edge): n for edge, n in part["box_px"].items()})
        affect.update({(label, v, a): n for label, v, a, n in part["affect"]})
        enlarged += part["enlarged"]
    return Total(picture_px, box_px, affect, enlarged)


def crop_side(outline: np.ndarray) -> float:
    """Return the side of a crop in pixels of the picture it was cut from."""
    left, right = np.asarray(outline, np.float64)[:2]
    return float(np.hypot(*(right - left)))


def cell_centre(cell: int) -> float:
    """Return the valence or arousal in the middle of a cell."""
    return round((cell + 0.5) * 2 / AFFECT_CELLS - 1, 3)


def _edge(size_px: float) -> int:
    return EDGES_PX[bisect.bisect_right(EDGES_PX, size_px) - 1]


def _cell(value: float) -> int:
    """Return the cell of a value in [-1, 1]; 1 itself belongs to the last."""
    return min(int((value + 1) / 2 * AFFECT_CELLS), AFFECT_CELLS - 1)
