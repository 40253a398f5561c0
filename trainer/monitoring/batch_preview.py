"""Pictures of a batch side by side, as the network is given them.

Owns the drawing, which --dry_run leaves in the model folder and a run in TensorBoard.
"""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib import figure

from trainer.augment import prepared_batch
from trainer.reports import figures

_MOST = 40
_COLUMNS = 8


def draw(
    parts: Sequence[prepared_batch.Microbatch], *, class_names: Sequence[str], most: int = _MOST
) -> bytes:
    """Return a PNG of the first pictures of a batch with what each is called; filling is left out.

    Args:
      parts: of one step, on one replica.
      class_names: in the order of the labels.
      most: pictures to draw at most.
    """
    tiles = [tile for part in parts for tile in _tiles(part, class_names=class_names)][:most]
    rows = max(math.ceil(len(tiles) / _COLUMNS), 1)
    drawing = figure.Figure(
        figsize=(1.5 * _COLUMNS, 1.85 * rows), layout="constrained", dpi=figures.DPI
    )
    axes = np.ravel(drawing.subplots(rows, _COLUMNS))
    for ax in axes:
        ax.set_axis_off()
    for ax, (picture, name) in zip(axes, tiles, strict=False):
        ax.imshow(picture, interpolation="nearest")
        ax.set_title(name, fontsize=8, pad=3)
    return figures.png(drawing)


def _tiles(
    part: prepared_batch.Microbatch, *, class_names: Sequence[str]
) -> list[tuple[np.ndarray, str]]:
    pictures = np.clip(np.rint(part.images.numpy()), 0, 255).astype(np.uint8)
    shares = np.ones(len(pictures)) if part.lam is None else part.lam.numpy()
    rows = zip(
        pictures,
        part.label.numpy(),
        part.partner_label.numpy(),
        shares,
        part.weight.numpy(),
        strict=True,
    )
    return [
        (picture, _name(class_names[a], class_names[b], share=s))
        for picture, a, b, s, weight in rows
        if weight
    ]


def _name(own: str, other: str, *, share: float) -> str:
    if own == other or share > 0.995:
        return own
    return other if share < 0.005 else f"{share:.2f} {own}\n{1 - share:.2f} {other}"
