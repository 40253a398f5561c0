"""Precision and recall of each class by the threshold that its probability has to reach.

Owns the curves, the thresholds that are shown and the best of them. An example counts as one of a
class where the probability of the class is at least the threshold, whatever the others are: that is
what a program does that asks for one expression.
"""

from typing import NamedTuple

import numpy as np
from sklearn import metrics as sklearn_metrics

import webpage.page
from trainer.evaluation import predictions
from webpage import charts, colours, markup

THRESHOLDS = (0.3, 0.5, 0.7, 0.9)

_NOTE = (
    "An example is taken for a class where the probability of the class is at least the threshold, "
    "whatever the other classes have. A cell: precision / recall; a dash where nothing reaches it. "
    "Best F1: the highest, and the threshold that gives it, chosen on these same examples, so that "
    "other data have a little less. Average precision: scikit-learn's. On a curve, dots are the "
    f"thresholds {', '.join(f'{each:g}' for each in reversed(THRESHOLDS))} from the left, and the "
    "dashed line is a guess."
)


class Point(NamedTuple):
    """Precision (NaN where nothing is at or above the threshold) and recall at a threshold."""

    threshold: float
    precision: float
    recall: float


class Curve(NamedTuple):
    """Precision and recall of a class against the rest, at each probability that occurs, rising."""

    name: str
    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    average_precision: float
    share: float
    """Of examples that are of the class: the precision of a guess."""

    @property
    def f1(self) -> np.ndarray:
        """Return the F1 at each threshold, 0 where precision and recall are."""
        total = self.precision + self.recall
        product = 2 * self.precision * self.recall
        return np.asarray(np.divide(product, total, out=np.zeros_like(total), where=total > 0))

    @property
    def best(self) -> int:
        """Return the index of the highest F1, of equals the first."""
        return int(np.argmax(self.f1))

    def at(self, threshold: float) -> Point:
        """Return precision and recall at any threshold."""
        first = int(np.searchsorted(self.thresholds, threshold))
        if first == len(self.thresholds):
            return Point(threshold, float("nan"), 0.0)
        return Point(threshold, float(self.precision[first]), float(self.recall[first]))


def curves(preds: predictions.Predictions) -> list[Curve]:
    """Return the curve of each class that has examples."""
    return [
        _curve(name, preds.labels == k, preds.probabilities[:, k])
        for k, name in enumerate(preds.class_names)
        if (preds.labels == k).any()
    ]


def section(preds: predictions.Predictions) -> list[markup.Content]:
    """Show thresholds in a table, and the curve of each class."""
    found = curves(preds)
    heads = ["class", "best F1", "its threshold", *(f"at {each:g}" for each in THRESHOLDS)]
    return [
        webpage.page.table(heads, [_row(each) for each in found]),
        webpage.page.note(_NOTE),
        webpage.page.grid([_drawn(each) for each in found], kind="small"),
    ]


def _curve(name: str, is_class: np.ndarray, scores: np.ndarray) -> Curve:
    precision, recall, thresholds = sklearn_metrics.precision_recall_curve(is_class, scores)
    return Curve(
        name=name,
        thresholds=thresholds,
        precision=precision[:-1],  # The last is that of no example at all.
        recall=recall[:-1],
        average_precision=float(sklearn_metrics.average_precision_score(is_class, scores)),
        share=float(is_class.mean()),
    )


def _row(curve: Curve) -> list[markup.Content]:
    return [
        curve.name,
        f"{curve.f1[curve.best]:.3f}",
        f"{curve.thresholds[curve.best]:.2f}",
        *(_cell(curve.at(each)) for each in THRESHOLDS),
    ]


def _cell(point: Point) -> str:
    if np.isnan(point.precision):
        return "-"
    return f"{point.precision:.2f} / {point.recall:.2f}"


def _drawn(curve: Curve) -> markup.Markup:
    frame = charts.Frame(
        x_label="recall",
        y_label="precision",
        x_range=(0, 1),
        y_range=(0, 1),
        width=250,
        height=240,
    )
    guess = frame.path([(0, curve.share), (1, curve.share)], class_="diagonal")
    line = frame.path(_thinned(curve), stroke=colours.BLUE, stroke_width=2)
    dots = [
        frame.dot(point.recall, point.precision, fill=colours.VERMILION)
        for point in map(curve.at, THRESHOLDS)
        if not np.isnan(point.precision)
    ]
    chart = frame.draw(guess, line, dots, alt=f"Precision and recall of {curve.name}")
    title = f"{curve.name}: average precision {curve.average_precision:.3f}"
    return charts.figure(chart, title=title)


def _thinned(curve: Curve) -> list[tuple[float, float]]:
    """Return recall and precision without points that would be drawn over the one before them."""
    rounded = np.round(np.stack([curve.recall, curve.precision], axis=1), 3)
    moves = np.any(rounded[1:] != rounded[:-1], axis=1)
    return [(float(x), float(y)) for x, y in rounded[np.concatenate([[True], moves])]]
