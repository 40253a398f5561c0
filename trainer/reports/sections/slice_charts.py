"""Slice charts: accuracy on parts of a split as bars, with intervals.

Owns the words about what divides a split; the parts themselves are evaluation.slices'.
"""

from collections.abc import Mapping, Sequence

import webpage.page
from trainer.evaluation import slices
from webpage import colours, markup

FACE_SIZE, BRIGHTNESS, SUBSET = "face size", "brightness", "subset"

_EXPLAINED = {
    FACE_SIZE: "Height of the face box as a share of the original image's height, by quartiles.",
    BRIGHTNESS: "Mean luma of the crop, 0 (black) to 255 (white), by quartiles.",
    SUBSET: "How the image was annotated.",
}

_NOTE = (
    "Accuracy, its 95 % interval, and examples. Parts have different shares of the classes: a "
    "difference between two need not be due to what divides them."
)


def section(found: Mapping[str, Sequence[slices.Slice]]) -> list[markup.Content]:
    """Show the accuracy of all slices."""
    charts = [
        markup.element(
            "div",
            markup.element("h3", name),
            webpage.page.note(_EXPLAINED[name]) if name in _EXPLAINED else None,
            bars(each),
        )
        for name, each in found.items()
    ]
    return [webpage.page.note(_NOTE), webpage.page.grid(charts, kind="halves")]


def bars(found: Sequence[slices.Slice]) -> markup.Markup:
    """Return a bar for each slice."""
    rows = [(each.name, [_bar(each)]) for each in found]
    return markup.element("div", webpage.page.bars(rows), class_="wide")


def _bar(each: slices.Slice) -> webpage.page.Bar:
    low, high = each.interval
    text = f"{each.accuracy:.3f} ({low:.3f} to {high:.3f}) of {each.num_examples:,}"
    return webpage.page.Bar(each.accuracy, text, colours.BLUE)
