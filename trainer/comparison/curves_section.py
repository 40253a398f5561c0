"""Learning curves of the compared runs, one over the other, as inline SVG."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import webpage.page
from trainer.comparison import training_record
from trainer.run import history
from webpage import charts, colours, markup, scales

_DASHES = ("", "6 3", "2 3", "9 3 2 3")

_NOTE = (
    "Loss and accuracy of training are of augmented images and of the weights as they change "
    "during the epoch; held-out images are a part of train that a run does not learn."
)

Records = Sequence[training_record.TrainingRecord]


class _Quantity(NamedTuple):
    """A chart: its title, its axis, and the history's columns, of which a run has one."""

    title: str
    axis: str
    columns: tuple[str, ...]


_QUANTITIES = (
    _Quantity("Loss in training", "loss", ("loss",)),
    _Quantity("Loss on validation or held-out images", "loss", ("val_loss", "holdout_loss")),
    _Quantity("Accuracy in training", "accuracy", ("accuracy",)),
    _Quantity(
        "Accuracy on validation or held-out images",
        "accuracy",
        ("val_accuracy", "holdout_accuracy"),
    ),
)

Points = Sequence[tuple[float, float]]


def section(names: Sequence[str], records: Records) -> list[markup.Content]:
    """Show each quantity by epoch, a line a run."""
    drawn = [_chart(quantity, names, records) for quantity in _QUANTITIES]
    shown = [chart for chart in drawn if chart is not None]
    if not shown:
        return [markup.element("p", "No learning curve of these models is known.")]
    entries = [(name, _colour(k), _dashes(k)) for k, name in enumerate(names) if records[k].history]
    return [charts.legend(entries), webpage.page.grid(shown), webpage.page.note(_NOTE)]


def _chart(quantity: _Quantity, names: Sequence[str], records: Records) -> markup.Markup | None:
    curves = [_points(record.history, quantity.columns) for record in records]
    values = [y for points in curves for _, y in points if math.isfinite(y)]
    if not values:
        return None
    last = max(2, *(x for points in curves for x, _ in points))
    frame = charts.Frame(
        x_label="epoch",
        y_label=quantity.axis,
        x_range=(1, last),
        y_range=_around(values),
        x_ticks=[(x, scales.text(x)) for x in scales.ticks(1, last) if x == int(x)],
        height=240,
    )
    lines = [
        frame.path(points, stroke=_colour(k), stroke_width=2, stroke_dasharray=_dashes(k) or None)
        for k, points in enumerate(curves)
    ]
    ends = "; ".join(
        f"{name} ends at {points[-1][1]:.3f}"
        for name, points in zip(names, curves, strict=True)
        if points
    )
    alt = f"{quantity.title} by epoch: {ends}"
    return charts.figure(frame.draw(lines, alt=alt), title=quantity.title)


def _around(values: Sequence[float]) -> tuple[float, float]:
    """Return the axis of values: not from zero, since it is their differences that count."""
    low, high = min(values), max(values)
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
    return max(0.0, low - margin), high + margin


def _points(rows: Sequence[history.Row], columns: Sequence[str]) -> Points:
    """Return (epoch, value) of the first of the columns that a run has."""
    for column in columns:
        points = [
            (row.get("epoch", number), row[column])
            for number, row in enumerate(rows, start=1)
            if column in row
        ]
        if points:
            return points
    return []


def _colour(k: int) -> str:
    return colours.SERIES[k % 6]


def _dashes(k: int) -> str:
    return _DASHES[k % len(_DASHES)]
