"""Figures: confusion matrix and learning curves, drawn by Matplotlib and saved as PNG or SVG.

Owns how both are drawn, for the files and for the page. Figures are built as objects, which Agg
renders; pyplot was rejected because it keeps global state and may look for a display.
"""

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib import axes, figure, ticker

from trainer.evaluation import metrics
from webpage import numbers

DPI = 130

History = Sequence[Mapping[str, float]]
"""A mapping an epoch, with any of epoch, loss, accuracy, and these with a prefix of SERIES."""

QUANTITIES = ("loss", "accuracy")

SERIES = {
    "train": ("", "#D55E00", "--", "o"),
    "validation": ("val_", "#0072B2", "-", "s"),
    "held out": ("holdout_", "#0072B2", "-", "s"),
}
"""Name: prefix in the history, colour, line, marker. A run has one of the latter two. Two colours
that colour-blind people tell apart (Okabe and Ito's palette), with different lines and markers."""


def confusion_figure(classification: metrics.ClassificationMetrics, *, split: str) -> figure.Figure:
    """Draw the confusion matrix: a row a true class, coloured by share, percent over count."""
    counts = np.asarray(classification.confusion)
    support = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, support, out=np.full(counts.shape, math.nan), where=support > 0)
    side = 2.6 + 0.72 * len(counts)
    drawing = figure.Figure(figsize=(side + 0.8, side), layout="constrained", dpi=DPI)
    ax = drawing.add_subplot()
    colours = matplotlib.colormaps["Blues"].with_extremes(bad="#e8e8e8")
    image = ax.imshow(shares, cmap=colours, vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        _cell(ax, row=row, column=column, share=float(share), count=int(counts[row, column]))
    _name_classes(ax, names=classification.class_names, support=support[:, 0].tolist())
    accuracy = f"{classification.accuracy:.1%} of {classification.num_examples:,} examples"
    ax.set_title(f"{split} accuracy {accuracy}".strip())
    bar = drawing.colorbar(image, ax=ax, shrink=0.8, format=ticker.PercentFormatter(xmax=1))
    bar.set_label("share of the true class")
    return drawing


def curves_figure(history: History) -> figure.Figure:
    """Draw loss and accuracy by epoch, side by side."""
    drawing = figure.Figure(figsize=(10, 4.2), layout="constrained", dpi=DPI)
    both = drawing.subplots(1, 2, gridspec_kw={"wspace": 0.08})
    for ax, quantity in zip(both, QUANTITIES, strict=True):
        _curves(ax, history, quantity=quantity, legend_columns=2)
        ax.set_title(quantity, pad=28)
    return drawing


def curve_figure(history: History, *, quantity: str) -> figure.Figure:
    """Draw one quantity by epoch without a title, narrow enough for a phone."""
    drawing = figure.Figure(figsize=(4.1, 3.5), layout="constrained", dpi=DPI)
    _curves(drawing.add_subplot(), history, quantity=quantity, legend_columns=1)
    return drawing


def png(drawing: figure.Figure) -> bytes:
    """Return a figure as a PNG file."""
    stream = io.BytesIO()
    drawing.savefig(
        stream, format="png", bbox_inches="tight", pad_inches=0.15, metadata={"Software": None}
    )
    return stream.getvalue()


def svg(drawing: figure.Figure) -> bytes:
    """Return a figure as an SVG file without paper; the same figure gives the same bytes."""
    stream = io.BytesIO()
    # Without a salt, Matplotlib names the clip paths and markers at random.
    with matplotlib.rc_context({"svg.hashsalt": "affectnet-faces"}):
        drawing.savefig(
            stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    return stream.getvalue()


def _cell(ax: axes.Axes, *, row: int, column: int, share: float, count: int) -> None:
    if math.isnan(share):
        return
    colour = _text_colour(share=share, count=count)
    weight = "bold" if row == column else "normal"
    centred: dict[str, Any] = {"ha": "center", "va": "center", "color": colour}
    # A cell's text is inside the axes: measuring it for the layout takes longer than drawing it.
    centred["in_layout"] = False
    ax.text(column, row - 0.12, numbers.percent(share), weight=weight, **centred)
    ax.text(column, row + 0.24, f"{count:,}", size=7.5, **centred)


def _text_colour(*, share: float, count: int) -> str:
    if share > 0.55:
        return "white"
    return "black" if count else "#767676"


def _name_classes(ax: axes.Axes, *, names: Sequence[str], support: Sequence[int]) -> None:
    positions = np.arange(len(names))
    rows = [f"{name} ({count:,})" for name, count in zip(names, support, strict=True)]
    ax.set_xticks(positions, names, rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(positions, rows)
    ax.set_xlabel("predicted")
    ax.set_ylabel("truth (examples)")
    ax.set_xticks(positions[1:] - 0.5, minor=True)
    ax.set_yticks(positions[1:] - 0.5, minor=True)
    ax.grid(which="minor", color="white", linewidth=1.5)
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)


def _curves(ax: axes.Axes, history: History, *, quantity: str, legend_columns: int) -> None:
    """Draw the recorded series of a quantity; a value that is not finite leaves a gap."""
    epochs = [row.get("epoch", index) for index, row in enumerate(history, start=1)]
    for name, (prefix, colour, line, marker) in SERIES.items():
        values = np.array([row.get(prefix + quantity, math.nan) for row in history], np.float64)
        finite = np.isfinite(values)
        if finite.any():
            ax.plot(
                epochs,
                np.where(finite, values, math.nan),
                color=colour,
                linestyle=line,
                marker=marker,
                markersize=4,
                label=f"{name}, {values[finite][-1]:.3f} at the end",
            )
    _frame(ax, quantity=quantity, epochs=epochs)
    if ax.lines:
        # Above the axes, because inside it would cover a curve.
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=legend_columns, frameon=False)
    else:
        ax.text(0.5, 0.5, f"no {quantity} was recorded", ha="center", transform=ax.transAxes)


def _frame(ax: axes.Axes, *, quantity: str, epochs: Sequence[float]) -> None:
    ax.set_xlabel("epoch")
    ax.set_ylabel(quantity)
    ax.set_ylim(0, _top(ax, quantity=quantity))
    ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlim(min(epochs, default=1) - 0.5, max(epochs, default=1) + 0.5)
    ax.grid(color="#dddddd", linewidth=0.8)
    ax.spines[["top", "right"]].set_visible(False)


def _top(ax: axes.Axes, *, quantity: str) -> float:
    """Return the upper limit of the y axis."""
    if quantity == "accuracy" or not ax.lines:
        return 1.02
    return 1.1 * ax.dataLim.y1 or 1
