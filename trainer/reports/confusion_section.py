"""The confusion matrix to click on: a cell leads to the pictures in it.

With links and :target, so that the page needs no script. On a wide screen the pictures stand beside
the matrix.
"""

import numpy as np

from trainer.evaluation import predictions
from trainer.reports import tables, thumbnails
from webpage import markup

_DARK = 0.85
"""From this share on, a cell is dark enough for white letters."""


def section(made: predictions.Predictions, *, shown: thumbnails.Thumbnails) -> markup.Markup:
    """Show the matrix, and for each cell some of its pictures."""
    classes = range(len(made.class_names))
    counts = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(counts, (made.labels, made.predicted), 1)
    filled = [(i, j) for i in classes for j in classes if counts[i, j]]
    hint = "Choose a cell to see its pictures."
    return markup.element(
        "div",
        markup.element("div", _matrix(counts, made.class_names), class_="scroll", tabindex="0"),
        markup.element(
            "div",
            markup.element("p", hint, class_="note hint"),
            [
                _cell_pictures(made, i, j, total=int(counts[i].sum()), shown=shown)
                for i, j in filled
            ],
            class_="cells",
        ),
        class_="confusion",
    )


def _matrix(counts: np.ndarray, names: tuple[str, ...]) -> markup.Markup:
    heads = [markup.element("th", markup.element("span", name), scope="col") for name in names]
    rows = [
        markup.element(
            "tr",
            markup.element("th", name, markup.element("small", f"{row.sum():,}"), scope="row"),
            [_cell(i, j, count=int(count), total=int(row.sum())) for j, count in enumerate(row)],
        )
        for i, (name, row) in enumerate(zip(names, counts, strict=True))
    ]
    return markup.element(
        "table",
        markup.element(
            "caption",
            "A row a true class, a column a predicted one: share of the row, and examples.",
        ),
        markup.element(
            "thead",
            markup.element(
                "tr",
                markup.element("th", "truth"),
                markup.element("th", "predicted", colspan=len(names), class_="over"),
            ),
            markup.element("tr", markup.element("td"), heads, class_="names"),
        ),
        markup.element("tbody", rows),
    )


def _cell(truth: int, predicted: int, *, count: int, total: int) -> markup.Markup:
    if not total:
        return markup.element("td", class_="none")
    share = count / total
    inside = [markup.element("b", tables.percent(share)), markup.element("small", f"{count:,}")]
    link = markup.element("a", inside, href=f"#{_anchor(truth, predicted)}") if count else inside
    style = f"background: rgba(0, 114, 178, {share:.3f})"
    classes = " ".join(
        filter(
            None,
            [
                "dark" if share > _DARK else "",
                "zero" if not count else "",
                "right" if truth == predicted else "",
            ],
        )
    )
    return markup.element("td", link, style=style, class_=classes or None)


def _cell_pictures(
    made: predictions.Predictions,
    truth: int,
    predicted: int,
    *,
    total: int,
    shown: thumbnails.Thumbnails,
) -> markup.Markup:
    numbers = thumbnails.in_cell(made, truth=truth, predicted=predicted)
    pictures = thumbnails.distinct(made, numbers)
    some = pictures[: thumbnails.PER_CELL]
    names = made.class_names
    rest = (
        f"; the {len(some)} most confident pictures are shown" if len(some) < len(pictures) else ""
    )
    said = f"{len(numbers):,} of {total:,} examples of {names[truth]} ({tables.percent(len(numbers) / total)}){rest}"
    return markup.element(
        "div",
        markup.element("h3", f"{names[truth]}, predicted {names[predicted]}"),
        markup.element("p", said, class_="note"),
        thumbnails.pictures(made, some.tolist(), thumbnails=shown),
        id=_anchor(truth, predicted),
        class_="cell",
    )


def _anchor(truth: int, predicted: int) -> str:
    return f"cell-{truth}-{predicted}"
