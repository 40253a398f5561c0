"""Sample pictures of the demo page: drawn faces, one of each expression, drawn when it starts.

Owns which of the generator's faces are shown. Image files in the package were rejected: they would
be a copy of what the generator draws in half a second.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from affectnet_tfds import image_codec, labels
from synthetic_faces.examples import dataset_rows, scenes

_SEED = 7
_INDICES = {0: 0, 1: 17, 2: 10, 3: 19, 4: 12, 5: 29, 6: 14, 7: 23}
"""By code of the expression: the image of _SEED whose face looks at the camera, and is whole."""

_AROUND = 1.8
"""Side of a sample, in sides of the face's box."""


class Sample(NamedTuple):
    """A picture and what was drawn."""

    name: str
    jpeg: bytes


def draw(class_names: Sequence[str]) -> list[Sample]:
    """Draw a face of each of these expressions, as far as the generator has it."""
    return [
        Sample(name=name, jpeg=_jpeg(code, index=index))
        for code, index in _INDICES.items()
        if (name := labels.EXPRESSIONS[code]) in class_names
    ]


def _jpeg(code: int, *, index: int) -> bytes:
    row = dataset_rows.Row(
        index=index,
        split="train",
        subset="manual",
        position=index,
        code=code,
        name="0" * 56,
        suffix=".jpg",
    )
    content, annotation = scenes.draw(row, seed=_SEED)
    crop = _around(image_codec.decode(content), box_xywh=annotation.box_xywh)
    return image_codec.encode(np.ascontiguousarray(crop))


def _around(pixels: np.ndarray, *, box_xywh: tuple[int, int, int, int]) -> np.ndarray:
    """Return the square around a face that is inside the image."""
    x, y, width, height = box_xywh
    side = min(round(_AROUND * max(width, height)), *pixels.shape[:2])
    left = min(max(x + (width - side) // 2, 0), pixels.shape[1] - side)
    top = min(max(y + (height - side) // 2, 0), pixels.shape[0] - side)
    return pixels[top : top + side, left : left + side]
