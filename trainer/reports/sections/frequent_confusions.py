"""Frequent confusions: which class is most often taken for which, as a list.

Owns the order and the shares. Each row leads to the images of its cell of the confusion matrix.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import webpage.page
from webpage import markup, numbers

MOST = 10
"""Rows that are shown."""


class Confusion(NamedTuple):
    """Examples of one class that were taken for another: classes by index, counts."""

    truth: int
    predicted: int
    num_examples: int
    of_class: int
    """All examples of the true class."""
    of_mistakes: int
    """All mistakes."""


def ranked(confusion: Sequence[Sequence[int]]) -> list[Confusion]:
    """Return the confusions that occur, the most frequent first, of equals that of the rarer class.

    Args:
      confusion: counts, confusion[truth][predicted].
    """
    classes = range(len(confusion))
    off_diagonal = [(i, j) for i, j in itertools.product(classes, classes) if i != j]
    mistakes = sum(confusion[i][j] for i, j in off_diagonal)
    found = [
        Confusion(i, j, confusion[i][j], sum(confusion[i]), mistakes)
        for i, j in off_diagonal
        if confusion[i][j]
    ]
    return sorted(found, key=lambda each: (-each.num_examples, each.of_class))


def section(
    confusion: Sequence[Sequence[int]], *, names: Sequence[str], anchor: str
) -> list[markup.Content]:
    """Show the most frequent confusions.

    Args:
      confusion: counts, confusion[truth][predicted].
      names: of the classes.
      anchor: of the images of a cell, with {truth} and {predicted} in it.
    """
    found = ranked(confusion)
    if not found:
        return [markup.element("p", "None: every example was predicted correctly.")]
    shown = found[:MOST]
    share = numbers.percent(sum(each.num_examples for each in shown) / found[0].of_mistakes)
    note = (
        f"{len(shown)} of {len(found)} pairs of classes that were confused: {share} of the "
        f"{found[0].of_mistakes:,} mistakes."
    )
    heads = ["truth", "predicted", "examples", "of the class", "of all mistakes"]
    rows = [_row(each, names=names, anchor=anchor) for each in shown]
    return [webpage.page.table(heads, rows, texts=2), webpage.page.note(note)]


def _row(each: Confusion, *, names: Sequence[str], anchor: str) -> list[markup.Content]:
    href = "#" + anchor.format(truth=each.truth, predicted=each.predicted)
    return [
        names[each.truth],
        markup.element("a", names[each.predicted], href=href),
        f"{each.num_examples:,}",
        numbers.percent(each.num_examples / each.of_class),
        numbers.percent(each.num_examples / each.of_mistakes),
    ]
