"""Charts of the evaluation page: ROC, reliability, confidence, learning curves, affect.

Owns what each shows. Drawn as inline SVG by webpage.charts, except the learning curves, which
reports.figures draws for the page and for curves.png alike.
"""

import collections

import numpy as np
from sklearn import metrics as sklearn_metrics

from trainer.evaluation import calibration, predictions
from trainer.reports import figures
from webpage import charts, colours, markup

_CELL = 0.1
"""Side of a cell of the valence and arousal charts."""

_BAR_MARGIN = 0.004
"""Space between a bin's edge and its bar, in units of confidence."""


def roc(preds: predictions.Predictions) -> list[markup.Markup]:
    """Draw the one-vs-rest ROC curve of each class that has examples and is not the only one."""
    drawn = []
    for k, name in enumerate(preds.class_names):
        is_class = preds.labels == k
        if is_class.any() and not is_class.all():
            drawn.append(_roc_curve(name, is_class.astype(int), preds.probabilities[:, k]))
    return drawn


def reliability(title: str, measured: calibration.Calibration) -> markup.Markup:
    """Draw accuracy by confidence; bars on the diagonal are calibrated."""
    frame = charts.Frame(
        x_label="confidence (highest probability)",
        y_label="accuracy",
        x_range=(0, 1),
        y_range=(0, 1),
        height=280,
    )
    filled = [each for each in measured.bins if each.num_examples]
    bars = [
        frame.bar(
            each.low + _BAR_MARGIN, each.high - _BAR_MARGIN, 0, each.accuracy, fill=colours.BLUE
        )
        for each in filled
    ]
    confidences = [_mean_confidence(frame, each) for each in filled]
    diagonal = frame.path([(0, 0), (1, 1)], class_="diagonal")
    chart = frame.draw(bars, diagonal, confidences, alt=f"Reliability diagram, {title}")
    legend = charts.legend(
        [("accuracy", colours.BLUE, ""), ("mean confidence", colours.VERMILION, "")]
    )
    return charts.figure(chart, legend, title=title)


def confidence(measured: calibration.Calibration) -> markup.Markup:
    """Draw the number of examples by confidence."""
    drawn = charts.columns(
        [f"{each.low:.2f}" for each in measured.bins],
        [each.num_examples for each in measured.bins],
        x_label="confidence (from)",
        y_label="examples",
        alt="Confidence",
    )
    return markup.element("div", markup.element("figcaption", "Examples by confidence"), drawn)


def learning_curves(history: figures.History) -> list[markup.Markup]:
    """Draw the recorded ones of loss and accuracy by epoch."""
    drawn = []
    for quantity in figures.QUANTITIES:
        drawing = figures.curve_figure(history, quantity=quantity)
        lines = [str(line.get_label()) for line in drawing.axes[0].lines]
        if lines:
            alt = f"{quantity} by epoch: {'; '.join(lines)}"
            image = markup.image(figures.svg(drawing), alt=alt, kind="svg+xml", class_="plot")
            drawn.append(charts.figure(image, title=quantity))
    return drawn


def affect(name: str, truth: np.ndarray, predicted: np.ndarray) -> markup.Markup:
    """Draw predicted against annotated values, a dot for each cell of 0.1 by 0.1."""
    frame = charts.Frame(
        x_label=f"annotated {name}",
        y_label=f"predicted {name}",
        x_range=(-1.05, 1.05),
        y_range=(-1.05, 1.05),
        height=300,
    )
    annotated = ~np.isnan(truth)
    pairs = np.stack([truth[annotated], np.clip(predicted[annotated], -1, 1)], axis=1)
    cells = collections.Counter(map(tuple, np.floor(pairs / _CELL).astype(int).tolist()))
    centres = {
        ((x + 0.5) * _CELL, (y + 0.5) * _CELL): count for (x, y), count in sorted(cells.items())
    }
    diagonal = frame.path([(-1, -1), (1, 1)], class_="diagonal")
    chart = frame.draw(diagonal, frame.counts(centres), alt=f"Predicted and annotated {name}")
    return charts.figure(chart, title=name)


def _roc_curve(name: str, is_class: np.ndarray, scores: np.ndarray) -> markup.Markup:
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
    diagonal = frame.path([(0, 0), (1, 1)], class_="diagonal")
    curve = frame.path(_thinned(false_rate, true_rate), stroke=colours.BLUE, stroke_width=2)
    chart = frame.draw(diagonal, curve, alt=f"ROC of {name} against the rest")
    return charts.figure(chart, title=f"{name}: area {area:.3f}")


def _thinned(xs: np.ndarray, ys: np.ndarray) -> list[tuple[float, float]]:
    """Return points without those that would be drawn over the one before them."""
    rounded = np.round(np.stack([xs, ys], axis=1), 3)
    moves = np.any(rounded[1:] != rounded[:-1], axis=1)
    kept = np.concatenate([[True], moves])
    return [(float(x), float(y)) for x, y in rounded[kept]]


def _mean_confidence(frame: charts.Frame, each: calibration.Bin) -> list[markup.Markup]:
    """Mark a bin's mean confidence: its distance from the bar's top is the bin's error."""
    ends = (each.low + _BAR_MARGIN, each.high - _BAR_MARGIN)
    points = [(x, each.confidence) for x in ends]
    return frame.path(points, stroke=colours.VERMILION, stroke_width=3)
