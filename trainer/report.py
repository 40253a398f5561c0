"""The judgement for people: a table to print, and the files to keep: metrics.json, predictions.csv, pictures, the page.

Owns layout, never a number: those come from findings, and from the history that the loop recorded. The page itself is
`pages`'. Figures are built as objects, which Agg draws: pyplot would keep global state and could look for a display.
"""

import io
import itertools
import json
import math
import pathlib
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib import axes, figure, ticker

from runtime import atomic_file
from trainer import findings, metrics, predictions

DPI = 130
SERIES = {
    "train": ("", "#D55E00", "--", "o"),
    "validation": ("val_", "#0072B2", "-", "s"),
    "held out": ("holdout_", "#0072B2", "-", "s"),
}
"""Name: prefix in the history, colour, line, marker. A run has one of the latter two. Two colours that the
colour-blind tell apart (Okabe and Ito's palette), with line and marker different as well."""


def write(
    found: findings.Findings,
    *,
    made: predictions.Predictions,
    page: str,
    folder: pathlib.Path,
    history: Sequence[Mapping[str, float]],
    protocol: Mapping[str, str],
) -> Mapping[str, pathlib.Path]:
    """Write the judgement and its pictures into a folder and return their paths by file name.

    Args:
      found: the numbers.
      made: the predictions they are of.
      page: report.html, made by pages.evaluation.
      folder: made if missing; files of an earlier report are replaced.
      history: a mapping an epoch, in order, with any of loss, accuracy, val_loss, val_accuracy, and epoch
        (counted from 1 where it is missing).
      protocol: what the numbers were measured on: data set, split, what was selected on what. It goes to
        metrics.json as it is; `split` is named in the picture as well.
    """
    files = {
        "report.html": page.encode("utf-8", errors="replace"),
        "metrics.json": to_json(found, protocol=protocol).encode(),
        "predictions.csv": predictions.to_csv(made).encode("utf-8", errors="replace"),
        "confusion_matrix.png": png(confusion_figure(found.judgement, split=protocol.get("split", ""))),
        "curves.png": png(curves_figure(history)),
    }
    return {name: atomic_file.replace(folder / name, content=content) for name, content in files.items()}


def to_json(found: metrics.Judgement | findings.Findings, *, protocol: Mapping[str, str]) -> str:
    """Return the protocol and the numbers as the text of a JSON file."""
    fields = {"protocol": dict(protocol), **found.to_json()}
    return json.dumps(fields, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def table(judgement: metrics.Judgement) -> str:
    """Lay the judgement out as plain text: a row a class, the averages, then the single numbers."""
    width = max(len(name) for name in (*judgement.class_names, "balanced accuracy"))
    classes = zip(judgement.class_names, judgement.per_class, strict=True)
    averages = {"macro": judgement.macro, "weighted": judgement.weighted}
    blocks = [
        [f"{'class':<{width}}  precision  recall     F1  support"],
        [_scores_row(name, scores=scores, width=width) for name, scores in classes],
        [""],
        [_scores_row(name, scores=scores, width=width) for name, scores in averages.items()],
        [""],
        [f"{name:<{width}}  {value:>9}  {note}".rstrip() for name, value, note in _single_numbers(judgement)],
        gaps(judgement),
    ]
    return "\n".join(itertools.chain.from_iterable(blocks))


def confusion_figure(judgement: metrics.Judgement, *, split: str) -> figure.Figure:
    """Draw the confusion matrix: a row a true class, coloured by share of the row, percent over count."""
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
    ax.set_title(f"{split} accuracy {judgement.accuracy:.1%} of {judgement.num_examples:,} examples".strip())
    bar = drawing.colorbar(image, ax=ax, shrink=0.8, format=ticker.PercentFormatter(xmax=1))
    bar.set_label("share of the true class")
    return drawing


def curves_figure(history: Sequence[Mapping[str, float]]) -> figure.Figure:
    """Draw loss and accuracy by epoch, training and validation; what was not recorded is said, not drawn."""
    drawing = figure.Figure(figsize=(10, 4.2), layout="constrained", dpi=DPI)
    epochs = [row.get("epoch", index) for index, row in enumerate(history, start=1)]
    for ax, quantity in zip(drawing.subplots(1, 2, gridspec_kw={"wspace": 0.08}), ("loss", "accuracy"), strict=True):
        for name, (prefix, colour, line, marker) in SERIES.items():
            values = np.array([row.get(prefix + quantity, math.nan) for row in history], dtype=np.float64)
            values[~np.isfinite(values)] = math.nan
            if not np.isnan(values).all():
                label = f"{name}, {values[~np.isnan(values)][-1]:.3f} at the end"
                ax.plot(epochs, values, color=colour, linestyle=line, marker=marker, markersize=4, label=label)
        _frame(ax, quantity=quantity, epochs=epochs)
    return drawing


def _scores_row(name: str, *, scores: metrics.Scores, width: int) -> str:
    precision, recall, f1 = (number(value) for value in (scores.precision, scores.recall, scores.f1))
    return f"{name:<{width}}  {precision:>9}  {recall:>6}  {f1:>5}  {scores.support:>7,}"


def number(value: float) -> str:
    """Write a number with three digits after the point, and what is undefined as a dash."""
    return "-" if math.isnan(value) else f"{value:.3f}"


def _single_numbers(judgement: metrics.Judgement) -> list[tuple[str, str, str]]:
    pairs = f"{judgement.m_pairs_used} of {judgement.m_pairs_possible} class pairs"
    return [
        ("accuracy", number(judgement.accuracy), f"of {judgement.num_examples:,} examples"),
        ("top-2 accuracy", number(judgement.top2_accuracy), ""),
        ("balanced accuracy", number(judgement.balanced_accuracy), "mean recall of the classes"),
        ("M measure", number(judgement.m_measure), f"over {pairs} (Hand & Till 2001)"),
    ]


def gaps(judgement: metrics.Judgement) -> list[str]:
    """Say which classes had no example or were never predicted: lines, the first of them empty."""
    lines = []
    if judgement.absent:
        lines.append(f"without examples, so left out of the averages: {', '.join(judgement.absent)}")
    if judgement.never_predicted:
        lines.append(f"never predicted, so of precision 0: {', '.join(judgement.never_predicted)}")
    return ["", *lines] if lines else []


def _cell(ax: axes.Axes, *, row: int, column: int, share: float, count: int) -> None:
    if math.isnan(share):
        return
    colour = "white" if share > 0.55 else "#767676" if count == 0 else "black"
    weight = "bold" if row == column else "normal"
    ax.text(column, row - 0.12, percent(share), ha="center", va="center", color=colour, weight=weight)
    ax.text(column, row + 0.24, f"{count:,}", ha="center", va="center", color=colour, size=7.5)


def percent(share: float) -> str:
    """Round to whole percent, but never a few to none nor most to all."""
    if 0 < share < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= share < 1 else f"{share:.0%}"


def _name_classes(ax: axes.Axes, *, names: Sequence[str], support: Sequence[int]) -> None:
    places = np.arange(len(names))
    ax.set_xticks(places, names, rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(places, [f"{name} ({count:,})" for name, count in zip(names, support, strict=True)])
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
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)  # off the curves
    else:
        ax.text(0.5, 0.5, f"no {quantity} was recorded", ha="center", transform=ax.transAxes)


def png(drawing: figure.Figure) -> bytes:
    """Return a drawing as a PNG file."""
    stream = io.BytesIO()
    drawing.savefig(stream, format="png", bbox_inches="tight", pad_inches=0.15, metadata={"Software": None})
    return stream.getvalue()
