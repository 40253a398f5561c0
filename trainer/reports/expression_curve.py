"""Expression curve: the probabilities of a person's expressions over the time of a video.

Owns the picture and the CSV. A person has a panel of their own; beyond SHOWN, only those who are
seen longest have one, and the CSV has all.
"""

import csv
import io
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import axes, figure

from trainer.reports import figures
from webpage import colours

SHOWN = 6
"""Persons that the picture shows."""

_LINES = ("-", "--", "-.", ":")
"""Besides the colours, so that lines are told apart without them."""


class Moment(NamedTuple):
    """A person in a frame."""

    time_s: float
    person: int
    probabilities: Sequence[float]


def picture(
    moments: Sequence[Moment], *, names: Sequence[str], title: str, gap_s: float
) -> figure.Figure:
    """Draw the probability of each expression by time, a panel for each person.

    Args:
      moments: in the order of their times.
      names: of the classes.
      title: of the picture.
      gap_s: time between two frames of a person over which no line is drawn.
    """
    by_person: dict[int, list[Moment]] = {}
    for moment in moments:
        by_person.setdefault(moment.person, []).append(moment)
    shown = sorted(sorted(by_person, key=lambda person: -len(by_person[person]))[:SHOWN])
    drawing = figure.Figure(
        figsize=(9, 1.6 + 2.1 * max(len(shown), 1)), layout="constrained", dpi=figures.DPI
    )
    panels = drawing.subplots(max(len(shown), 1), 1, sharex=True, squeeze=False)[:, 0]
    for ax, person in zip(panels, shown, strict=False):
        _panel(ax, by_person[person], names=names, gap_s=gap_s)
        ax.set_title(f"person {person}", loc="left", size=10)
    if not shown:
        panels[0].text(0.5, 0.5, "no face was found", ha="center", transform=panels[0].transAxes)
    left_out = len(by_person) - len(shown)
    more = f" ({left_out} more in the CSV)" if left_out else ""
    drawing.suptitle(f"{title}{more}", size=11)
    panels[-1].set_xlabel("time in the video, s")
    handles, labels = panels[0].get_legend_handles_labels()
    if handles:
        drawing.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return drawing


def table(moments: Sequence[Moment], *, names: Sequence[str]) -> str:
    """Return the CSV: a row for each person and frame, with a column for each expression."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["time_s", "person", *names])
    for moment in moments:
        probs = [round(float(prob), 6) for prob in moment.probabilities]
        writer.writerow([moment.time_s, moment.person, *probs])
    return text.getvalue()


def _panel(ax: axes.Axes, moments: Sequence[Moment], *, names: Sequence[str], gap_s: float) -> None:
    times, values = _with_gaps(moments, gap_s=gap_s)
    for index, name in enumerate(names):
        colour = colours.SERIES[index % len(colours.SERIES)]
        ax.plot(
            times,
            values[:, index],
            color="#B59F00" if colour == colours.YELLOW else colour,  # Darker: on white.
            linestyle=_LINES[index % len(_LINES)],
            marker="." if len(moments) == 1 else None,
            label=name,
        )
    ax.set_ylim(-0.02, 1.02)
    ax.set_ylabel("probability")
    ax.grid(color="#dddddd", linewidth=0.8)
    ax.spines[["top", "right"]].set_visible(False)


def _with_gaps(moments: Sequence[Moment], *, gap_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Return times, float64[N], and probabilities, float64[N, C], NaN where a person is away."""
    times: list[float] = []
    values: list[Sequence[float]] = []
    for moment in moments:
        if times and moment.time_s - times[-1] > gap_s:
            times.append(moment.time_s)
            values.append([math.nan] * len(moment.probabilities))
        times.append(moment.time_s)
        values.append(moment.probabilities)
    return np.array(times), np.array(values, np.float64)
