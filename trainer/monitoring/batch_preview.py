"""Batch preview: images of a batch side by side, as the network gets them.

Owns the drawing, which --dry_run writes into the model folder and a run into TensorBoard.
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
    """Return a PNG of the first images of a batch with their labels; filling is left out.

    Args:
      parts: microbatches of one step, on one replica.
      class_names: in the order of the labels.
      most: images to draw at most.
    """
    tiles = [tile for part in parts for tile in _tiles(part, class_names=class_names)][:most]
    rows = max(math.ceil(len(tiles) / _COLUMNS), 1)
    chart = figure.Figure(
        figsize=(1.5 * _COLUMNS, 1.85 * rows), layout="constrained", dpi=figures.DPI
    )
    axes = np.ravel(chart.subplots(rows, _COLUMNS))
    for ax in axes:
        ax.set_axis_off()
    for ax, (image, name) in zip(axes, tiles, strict=False):
        ax.imshow(image, interpolation="nearest")
        ax.set_title(name, fontsize=8, pad=3)
    return figures.png(chart)


def _tiles(
    part: prepared_batch.Microbatch, *, class_names: Sequence[str]
) -> list[tuple[np.ndarray, str]]:
    """Return each image with its label, or with both of a mixed pair."""
    images = np.clip(np.rint(part.images.numpy()), 0, 255).astype(np.uint8)
    lam = np.ones(len(images)) if part.lam is None else part.lam.numpy()
    labels = part.label.numpy()
    partners = part.partner_label.numpy()
    return [
        (image, _name(class_names[labels[i]], class_names[partners[i]], lam=lam[i]))
        for i, image in enumerate(images)
        if part.weight.numpy()[i]
    ]


def _name(own: str, partner: str, *, lam: float) -> str:
    """Return a label, or both labels of a mixed image with their shares, to two decimals."""
    if own == partner or lam > 0.995:
        return own
    if lam < 0.005:
        return partner
    return f"{lam:.2f} {own}\n{1 - lam:.2f} {partner}"
