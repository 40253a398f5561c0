"""Confusion matrix of the page: an HTML table whose cells link to the images in them.

Owns the table and the panels of images. It uses links and :target, so that the page needs no
script. Showing confusion_matrix.png (reports.figures) here was rejected: an image has no cells to
click on, and on a phone its letters would be too small.
"""

import dataclasses

import numpy as np

from trainer.evaluation import predictions
from trainer.reports import thumbnails
from webpage import markup, numbers

ANCHOR = "cell-{truth}-{predicted}"
"""Id of the panel of a cell's images."""

_DARK = 0.85
"""From this share on, a cell is dark enough for white letters."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell: classes by index, its examples, and all examples of the true class."""

    truth: int
    predicted: int
    count: int
    total: int

    @property
    def share(self) -> float:
        """Return the cell's share of the true class, 0..1; 0 for a class without examples."""
        return self.count / self.total if self.total else 0.0

    @property
    def anchor(self) -> str:
        """Return the id of the panel that the cell links to."""
        return ANCHOR.format(truth=self.truth, predicted=self.predicted)


def section(
    preds: predictions.Predictions,
    *,
    confusion: tuple[tuple[int, ...], ...],
    thumbnails_by_index: thumbnails.Thumbnails,
) -> markup.Markup:
    """Show the matrix, and a panel for each cell with some of its images.

    Args:
      preds: the predictions.
      confusion: their counts, confusion[truth][predicted].
      thumbnails_by_index: images of the examples that `thumbnails.wanted` names.
    """
    cells = [
        [Cell(truth=i, predicted=j, count=count, total=sum(row)) for j, count in enumerate(row)]
        for i, row in enumerate(confusion)
    ]
    panels = [
        _panel(preds, cell, thumbnails_by_index=thumbnails_by_index)
        for row in cells
        for cell in row
        if cell.count
    ]
    matrix = _matrix(cells, names=preds.class_names)
    hint = markup.element("p", "Choose a cell to see its images.", class_="note hint")
    return markup.element(
        "div",
        markup.element("div", matrix, class_="scroll", tabindex="0"),
        markup.element("div", hint, panels, class_="cells"),
        class_="confusion",
    )


def _matrix(cells: list[list[Cell]], *, names: tuple[str, ...]) -> markup.Markup:
    columns = [markup.element("th", markup.element("span", name), scope="col") for name in names]
    caption = "A row a true class, a column a predicted one: share of the row, and examples."
    return markup.element(
        "table",
        markup.element("caption", caption),
        markup.element(
            "thead",
            markup.element(
                "tr",
                markup.element("th", "truth"),
                markup.element("th", "predicted", colspan=len(names), class_="over"),
            ),
            markup.element("tr", markup.element("td"), columns, class_="names"),
        ),
        markup.element("tbody", [_row(name, row) for name, row in zip(names, cells, strict=True)]),
    )


def _row(name: str, cells: list[Cell]) -> markup.Markup:
    total = markup.element("small", f"{cells[0].total:,}")
    return markup.element(
        "tr", markup.element("th", name, total, scope="row"), [_cell(cell) for cell in cells]
    )


def _cell(cell: Cell) -> markup.Markup:
    if not cell.total:
        return markup.element("td", class_="none")
    inside = [
        markup.element("b", numbers.percent(cell.share)),
        markup.element("small", f"{cell.count:,}"),
    ]
    link = markup.element("a", inside, href=f"#{cell.anchor}") if cell.count else inside
    style = f"background: rgba(0, 114, 178, {cell.share:.3f})"
    return markup.element("td", link, style=style, class_=_classes(cell) or None)


def _classes(cell: Cell) -> str:
    """Return the cell's CSS classes."""
    by_class = {
        "dark": cell.share > _DARK,
        "zero": not cell.count,
        "correct": cell.truth == cell.predicted,
    }
    return " ".join(name for name, applies in by_class.items() if applies)


def _panel(
    preds: predictions.Predictions, cell: Cell, *, thumbnails_by_index: thumbnails.Thumbnails
) -> markup.Markup:
    indices = thumbnails.in_cell(preds, truth=cell.truth, predicted=cell.predicted)
    images = thumbnails.distinct(preds, indices)
    shown = images[: thumbnails.PER_CELL]
    return markup.element(
        "div",
        markup.element(
            "h3",
            f"{preds.class_names[cell.truth]}, predicted {preds.class_names[cell.predicted]}",
        ),
        markup.element("p", _panel_note(preds, cell, images=images, shown=shown), class_="note"),
        thumbnails.gallery(preds, shown.tolist(), thumbnails=thumbnails_by_index),
        id=cell.anchor,
        class_="cell",
    )


def _panel_note(
    preds: predictions.Predictions, cell: Cell, *, images: np.ndarray, shown: np.ndarray
) -> str:
    truth = preds.class_names[cell.truth]
    note = f"{cell.count:,} of {cell.total:,} examples of {truth} ({numbers.percent(cell.share)})"
    if len(shown) < len(images):
        note += f"; the {len(shown)} most confident images are shown"
    return note
