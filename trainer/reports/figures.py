"""Figures: confusion matrix and learning curves, drawn by Matplotlib's Agg backend without pyplot."""

import io
import math
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib import axes, figure, ticker

from trainer.evaluation import metrics
from trainer.reports import tables

DPI = 130


SERIES = {
    "train": ("", "#D55E00", "--", "o"),
    "validation": ("val_", "#0072B2", "-", "s"),
    "held out": ("holdout_", "#0072B2", "-", "s"),
}
"""Name: prefix in the history, colour, line, marker. A run has one of the latter two. Two colours
that the colour-blind tell apart (Okabe and Ito's palette), with line and marker different as well.
"""


def confusion_figure(judgement: metrics.ClassificationMetrics, *, split: str) -> figure.Figure:
    """Draw the confusion matrix: a row a true class, coloured by share of the row, percent over
    count."""
    counts = np.asarray(judgement.confusion)
    support = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, support, out=np.full(counts.shape, math.nan), where=support > 0)
    side = 2.6 + 0.72 * len(counts)
    drawing = figure.Figure(figsize=(side + 0.8, side), layout="constrained", dpi=DPI)
    ax = drawing.add_subplot()
    colours = matplotlib.colormaps["Blues"].with_extremes(bad="#e8e8e8")
    image = ax.imshow(shares, cmap=colours, vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        _cell(ax, row=row, column=column, share=float(share), count=int(counts[row, column]))
    _name_classes(ax, names=judgement.class_names, support=support[:, 0].tolist())
    ax.set_title(
        f"{split} accuracy {judgement.accuracy:.1%} of {judgement.num_examples:,} examples".strip()
    )
    bar = drawing.colorbar(image, ax=ax, shrink=0.8, format=ticker.PercentFormatter(xmax=1))
    bar.set_label("share of the true class")
    return drawing


def curves_figure(history: Sequence[Mapping[str, float]]) -> figure.Figure:
    """Draw loss and accuracy by epoch, training and validation; what was not recorded is said, not
    drawn."""
    drawing = figure.Figure(figsize=(10, 4.2), layout="constrained", dpi=DPI)
    epochs = [row.get("epoch", index) for index, row in enumerate(history, start=1)]
    for ax, quantity in zip(
        drawing.subplots(1, 2, gridspec_kw={"wspace": 0.08}), ("loss", "accuracy"), strict=True
    ):
        for name, (prefix, colour, line, marker) in SERIES.items():
            values = np.array(
                [row.get(prefix + quantity, math.nan) for row in history], dtype=np.float64
            )
            values[~np.isfinite(values)] = math.nan
            if not np.isnan(values).all():
                label = f"{name}, {values[~np.isnan(values)][-1]:.3f} at the end"
                ax.plot(
                    epochs,
                    values,
                    color=colour,
                    linestyle=line,
                    marker=marker,
                    markersize=4,
                    label=label,
                )
        _frame(ax, quantity=quantity, epochs=epochs)
    return drawing


def _cell(ax: axes.Axes, *, row: int, column: int, share: float, count: int) -> None:
    if math.isnan(share):
        return
    colour = "white" if share > 0.55 else "#767676" if count == 0 else "black"
    weight = "bold" if row == column else "normal"
    ax.text(
        column,
        row - 0.12,
        tables.percent(share),
        ha="center",
        va="center",
        color=colour,
        weight=weight,
    )
    ax.text(column, row + 0.24, f"{count:,}", ha="center", va="center", color=colour, size=7.5)


def _name_classes(ax: axes.Axes, *, names: Sequence[str], support: Sequence[int]) -> None:
    places = np.arange(len(names))
    ax.set_xticks(places, names, rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(
        places, [f"{name} ({count:,})" for name, count in zip(names, support, strict=True)]
    )
    ax.set_xlabel("predicted")
    ax.set_ylabel("truth (examples)")
    ax.set_xticks(places[1:] - 0.5, minor=True)
    ax.set_yticks(places[1:] - 0.5, minor=True)
    ax.grid(which="minor", color="white", linewidth=1.5)
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)


def _frame(ax: axes.Axes, *, quantity: str, epochs: Sequence[float]) -> None:
    ax.set_title(quantity, pad=28)
    ax.set_xlabel("epoch")
    ax.set_ylabel("loss" if quantity == "loss" else "share predicted right")
    ax.set_ylim(0, 1.02 if quantity == "accuracy" or not ax.lines else 1.1 * ax.dataLim.y1 or 1)
    ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlim(min(epochs, default=1) - 0.5, max(epochs, default=1) + 0.5)
    ax.grid(color="#dddddd", linewidth=0.8)
    ax.spines[["top", "right"]].set_visible(False)
    if ax.lines:
        ax.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False
        )  # off the curves
    else:
        ax.text(0.5, 0.5, f"no {quantity} was recorded", ha="center", transform=ax.transAxes)


def png(drawing: figure.Figure) -> bytes:
    """Return a drawing as a PNG file."""
    stream = io.BytesIO()
    drawing.savefig(
        stream, format="png", bbox_inches="tight", pad_inches=0.15, metadata={"Software": None}
    )
    return stream.getvalue()
