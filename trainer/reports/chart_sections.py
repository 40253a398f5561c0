"""The charts of a judgement: ROC, reliability, learning curves, valence and arousal."""

import collections
import math
from collections.abc import Mapping, Sequence

import numpy as np
from sklearn import metrics as sklearn_metrics

from trainer.evaluation import calibration, predictions
from webpage import charts, colours, markup, scales

_CELL = 0.1


def roc(made: predictions.Predictions) -> list[markup.Markup]:
    """Draw each class's one-vs-rest ROC curve with the area under it; classes without examples have
    none."""
    return [
        _roc_of(name, (made.labels == k).astype(int), made.probabilities[:, k])
        for k, name in enumerate(made.class_names)
        if 0 < (made.labels == k).sum() < len(made.labels)
    ]


def reliability(title: str, measured: calibration.Calibration) -> markup.Markup:
    """Draw accuracy by confidence: where the bars meet the diagonal, a probability is a frequency."""
    frame = charts.Frame(
        x_label="confidence (highest probability)",
        y_label="accuracy",
        x_range=(0, 1),
        y_range=(0, 1),
        height=280,
    )
    bars = [
        frame.bar(b.low + 0.004, b.high - 0.004, 0, b.accuracy, fill=colours.BLUE)
        for b in measured.bins
        if b.num_examples
    ]
    gaps = [_gap(frame, b) for b in measured.bins if b.num_examples]
    diagonal = frame.path([(0, 0), (1, 1)], class_="diagonal")
    alt = f"Reliability diagram, {title}"
    legend = charts.legend(
        [("accuracy", colours.BLUE, ""), ("mean confidence", colours.VERMILION, "")]
    )
    return charts.figure(frame.draw(bars, diagonal, gaps, alt=alt), legend, title=title)


def confidence(measured: calibration.Calibration) -> markup.Markup:
    """Draw how many examples have which confidence."""
    names = [f"{b.low:.2f}" for b in measured.bins]
    drawn = charts.columns(
        names,
        [b.num_examples for b in measured.bins],
        x_label="confidence (from)",
        y_label="examples",
        alt="Confidence",
    )
    return markup.element("div", markup.element("figcaption", "How sure the model is"), drawn)


def learning(history: Sequence[Mapping[str, float]]) -> list[markup.Markup]:
    """Draw loss and accuracy by epoch, as far as they were recorded."""
    return [
        drawn for quantity in ("loss", "accuracy") if (drawn := _learning_of(quantity, history))
    ]


def affect(name: str, truth: np.ndarray, said: np.ndarray) -> markup.Markup:
    """Draw predicted against annotated values, a dot for each cell of 0.1 by 0.1."""
    frame = charts.Frame(
        x_label=f"annotated {name}",
        y_label=f"predicted {name}",
        x_range=(-1.05, 1.05),
        y_range=(-1.05, 1.05),
        height=300,
    )
    given = ~np.isnan(truth)
    pairs = np.stack([truth[given], np.clip(said[given], -1, 1)], axis=1)
    cells = collections.Counter(map(tuple, np.floor(pairs / _CELL).astype(int).tolist()))
    most = max(cells.values(), default=1)
    dots = [
        frame.dot(
            (x + 0.5) * _CELL,
            (y + 0.5) * _CELL,
            radius=max(1.2, 6 * math.sqrt(n / most)),
            fill=colours.BLUE,
            fill_opacity=0.55,
        )
        for (x, y), n in sorted(cells.items())
    ]
    diagonal = frame.path([(-1, -1), (1, 1)], class_="diagonal")
    return charts.figure(
        frame.draw(diagonal, dots, alt=f"Predicted and annotated {name}"), title=name
    )


def _roc_of(name: str, is_class: np.ndarray, scores: np.ndarray) -> markup.Markup:
    false_rate, true_rate, _ = sklearn_metrics.roc_curve(is_class, scores)
    area = sklearn_metrics.auc(false_rate, true_rate)
    frame = charts.Frame(
        x_label="false positive rate",
        y_label="true positive rate",
        x_range=(0, 1),
        y_range=(0, 1),
        width=250,
        height=240,
    )
    curve = frame.path(_thinned(false_rate, true_rate), stroke=colours.BLUE, stroke_width=2)
    chart = frame.draw(
        frame.path([(0, 0), (1, 1)], class_="diagonal"),
        curve,
        alt=f"ROC of {name} against the rest",
    )
    return charts.figure(chart, title=f"{name}: area {area:.3f}")


def _thinned(xs: np.ndarray, ys: np.ndarray) -> list[tuple[float, float]]:
    """Drop points that would be drawn where the one before them is."""
    rounded = np.round(np.stack([xs, ys], axis=1), 3)
    kept = np.concatenate([[True], np.any(rounded[1:] != rounded[:-1], axis=1)])
    return [(float(x), float(y)) for x, y in rounded[kept]]


def _gap(frame: charts.Frame, one: calibration.Bin) -> list[markup.Markup]:
    """Mark a bin's mean confidence: the distance to the bar's top is the bin's error."""
    return frame.path(
        [(one.low + 0.004, one.confidence), (one.high - 0.004, one.confidence)],
        stroke=colours.VERMILION,
        stroke_width=3,
    )


def _learning_of(quantity: str, history: Sequence[Mapping[str, float]]) -> markup.Markup | None:
    styles = (
        ("train", "", colours.VERMILION, "6 4"),
        ("validation", "val_", colours.BLUE, ""),
        ("held out of train", "holdout_", colours.BLUE, ""),
    )
    series = []
    for name, prefix, colour, dashes in styles:
        points = [
            (row.get("epoch", i), row.get(prefix + quantity, math.nan))
            for i, row in enumerate(history, start=1)
        ]
        known = [y for _, y in points if math.isfinite(y)]
        if known:
            series.append(
                charts.Series(f"{name}, {known[-1]:.3f} at the end", points, colour, dashes)
            )
    if not series:
        return None
    epochs = [x for one in series for x, _ in one.points]
    top = max(y for one in series for _, y in one.points if math.isfinite(y))
    frame = charts.Frame(
        x_label="epoch",
        y_label="share predicted right" if quantity == "accuracy" else quantity,
        x_range=(min(epochs) - 0.5, max(epochs) + 0.5),
        y_range=(0, 1 if quantity == "accuracy" else scales.ceiling(top)),
        x_ticks=_epochs(int(min(epochs)), int(max(epochs))),
        height=260,
    )
    drawn = charts.lines(series, frame, alt=f"{quantity} by epoch", markers=len(epochs) <= 80)
    return markup.element("div", markup.element("figcaption", quantity), drawn)


def _epochs(first: int, last: int) -> list[tuple[float, str]]:
    """Return ticks at whole epochs."""
    every = max(1, math.ceil((last - first + 1) / 10))
    return [(epoch, str(epoch)) for epoch in range(first, last + 1, every)]
