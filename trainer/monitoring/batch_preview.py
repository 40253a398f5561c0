"""Batch preview: images of a batch side by side, as the network gets them.

Owns the drawing, which --dry_run writes into the model folder and a run into TensorBoard. A chart
of Matplotlib was rejected: its layout took a second and a half at the start of every run.
"""

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from trainer.augment import prepared_batch

_MOST = 40
_COLUMNS = 8
_SIDE_PX = 180
_GAP_PX = 12
_FONT_PX = 15
_TEXT_PX = 44
"""Height of two lines of text, those of a mixed image."""


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
    columns = min(len(tiles), _COLUMNS)
    across, down = _SIDE_PX + _GAP_PX, _TEXT_PX + _SIDE_PX + _GAP_PX
    sheet = Image.new("RGB", (columns * across + _GAP_PX, rows * down + _GAP_PX), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT_PX)
    for i, (image, name) in enumerate(tiles):
        row, column = divmod(i, _COLUMNS)
        left, top = _GAP_PX + column * across, row * down
        pen.multiline_text(
            (left + _SIDE_PX / 2, top + _TEXT_PX),
            name,
            fill="black",
            font=font,
            anchor="md",
            align="center",
        )
        # Without smoothing: these are the pixels that the network gets.
        scaled = Image.fromarray(image).resize((_SIDE_PX, _SIDE_PX), Image.Resampling.NEAREST)
        sheet.paste(scaled, (left, top + _TEXT_PX + 4))
    stream = io.BytesIO()
    sheet.save(stream, format="png")
    return stream.getvalue()


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
