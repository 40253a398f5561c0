"""Image statistics of a shard: histograms of sizes, valence and arousal, and a few specimens.

Owns what is counted while images are in memory. It goes into the shard's sidecar, so that the
report of a build covers every image and opens only the specimens. Counting afterwards, from the
shards, was rejected: it would read all pixels again, and the original sizes are not in the shards.
"""

import bisect
import collections
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from pipeline.rows import annotations

EDGES_PX = (0, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)
"""Lower edges of the bins in which sizes are counted."""

AFFECT_CELLS = 20
"""Valence and arousal are counted in cells of 0.1 by 0.1."""

SPECIMENS = 4
"""Examples of each class that a sidecar lists, for the report."""


class ImageInfo(NamedTuple):
    """Sizes of one example's image, face box and crop.

    Attributes:
      size: width and height of the image.
      box_px: longer side of the face box; of the image where there is no box.
      outline: float[3, 2], (x, y) in the image: the crop's top left, top right and bottom left
        corners.
    """

    size: tuple[int, int]
    box_px: float
    outline: np.ndarray


class ImageStatistics:
    """Counts over the rows of a shard, further copies left out."""

    def __init__(self) -> None:
        """Start with no row."""
        self.image_px = collections.Counter[int]()  # longer side, by lower edge
        self.box_px = collections.Counter[int]()
        self.affect = collections.Counter[tuple[int, int, int]]()  # label, cells of v and a
        self.enlarged = 0  # crops that have fewer pixels in the image than in the record
        self.specimens: list[dict[str, Any]] = []

    def add(self, row: annotations.Row, info: ImageInfo, *, image_size: int, offset: int) -> None:
        """Count a row.

        Args:
          row: its label, valence, arousal and path are used.
          info: sizes of its image and crop.
          image_size: side of the stored crop in pixels.
          offset: position of its example in the shard, in bytes.
        """
        self.image_px[_edge(max(info.size))] += 1
        self.box_px[_edge(info.box_px)] += 1
        self.enlarged += crop_side(info.outline) < image_size
        if not (math.isnan(row.valence) or math.isnan(row.arousal)):
            self.affect[row.label, _cell(row.valence), _cell(row.arousal)] += 1
        if sum(specimen["label"] == row.label for specimen in self.specimens) < SPECIMENS:
            self.specimens.append(
                {
                    "label": row.label,
                    "path": row.path,
                    "at": offset,
                    "picture_size": list(info.size),
                    "outline": np.round(np.asarray(info.outline, np.float64), 2).tolist(),
                }
            )

    def to_json(self) -> dict[str, Any]:
        """Return the sidecar's entry, in an order that depends on the content only."""
        return {
            "picture_px": {str(edge): n for edge, n in sorted(self.image_px.items())},
            "box_px": {str(edge): n for edge, n in sorted(self.box_px.items())},
            "affect": [[*key, n] for key, n in sorted(self.affect.items())],
            "enlarged": self.enlarged,
            "specimens": self.specimens,
        }


class Total(NamedTuple):
    """Sum of the statistics of several shards; specimens stay with their shards."""

    image_px: collections.Counter[int]
    box_px: collections.Counter[int]
    affect: collections.Counter[tuple[int, int, int]]
    enlarged: int


def total(parts: Iterable[Mapping[str, Any]]) -> Total:
    """Return the sum of several sidecars' entries."""
    image_px = collections.Counter[int]()
    box_px = collections.Counter[int]()
    affect = collections.Counter[tuple[int, int, int]]()
    enlarged = 0
    for part in parts:
        image_px.update({int(edge): n for edge, n in part["picture_px"].items()})
        box_px.update({int(edge): n for edge, n in part["box_px"].items()})
        affect.update({(label, v, a): n for label, v, a, n in part["affect"]})
        enlarged += part["enlarged"]
    return Total(image_px, box_px, affect, enlarged)


def crop_side(outline: np.ndarray) -> float:
    """Return the side of a crop in pixels of the image it was cut from."""
    left, right = np.asarray(outline, np.float64)[:2]
    return float(np.hypot(*(right - left)))


def cell_centre(cell: int) -> float:
    """Return the valence or arousal in the middle of a cell."""
    return round((cell + 0.5) * 2 / AFFECT_CELLS - 1, 3)


def _edge(size_px: float) -> int:
    return EDGES_PX[bisect.bisect_right(EDGES_PX, size_px) - 1]


def _cell(value: float) -> int:
    """Return the cell of a value in [-1, 1]; 1 itself is in the last."""
    return min(int((value + 1) / 2 * AFFECT_CELLS), AFFECT_CELLS - 1)
