"""Charts of a sweep as inline SVG: scores by trial, and by the values of a hyperparameter.

Optuna's own plots are written as PNG files beside the page; shown in it they were rejected, because
their letters are too small on a phone and their paper is white in a dark theme.
"""

import math
from collections.abc import Sequence
from typing import Any

import optuna

from trainer.tuning import search_space
from webpage import charts, colours, markup, scales

Trials = Sequence[optuna.trial.FrozenTrial]


def history(trials: Trials, *, metric: str) -> markup.Markup:
    """Draw the score of each finished trial, and the best one so far."""
    ordered = sorted(trials, key=lambda trial: trial.number)
    points = [(float(trial.number), score(trial)) for trial in ordered]
    best: list[tuple[float, float]] = []
    is_loss = any((trial.value or 0) < 0 for trial in trials)
    for x, y in points:
        so_far = best[-1][1] if best else y
        # A step: the best one stays until a better one comes.
        best += [(x, so_far), (x, min(so_far, y) if is_loss else max(so_far, y))]
    last = points[-1][0]
    frame = _frame(
        trials,
        metric=metric,
        x_label="trial",
        x_range=(-0.5, last + 0.5),
        x_ticks=[(x, scales.text(x)) for x in scales.ticks(0, last or 1) if x == int(x) <= last],
    )
    line = frame.path(best, stroke=colours.VERMILION, stroke_width=2)
    drawn = frame.draw(line, _dots(frame, points), alt=f"{metric} of each trial")
    legend = charts.legend([("a trial", colours.BLUE, ""), ("best so far", colours.VERMILION, "")])
    return charts.figure(drawn, legend, title=f"{metric} by trial")


def by_value(trials: Trials, *, name: str, metric: str) -> markup.Markup:
    """Draw the scores of the trials that have a hyperparameter by its value."""
    having = [trial for trial in trials if name in trial.params]
    distribution: Any = having[0].distributions[name]
    is_log = bool(getattr(distribution, "log", False))
    if isinstance(distribution, optuna.distributions.CategoricalDistribution):
        choices = list(distribution.choices)
        places = [float(choices.index(trial.params[name])) for trial in having]
        ends = (-0.5, len(choices) - 0.5)
        ticks = [(float(k), search_space.text(choice)) for k, choice in enumerate(choices)]
    elif is_log:
        places = [math.log10(trial.params[name]) for trial in having]
        ends = _widened(math.log10(distribution.low), math.log10(distribution.high))
        ticks = _powers(ends)
    else:
        places = [float(trial.params[name]) for trial in having]
        ends = _widened(float(distribution.low), float(distribution.high))
        ticks = [(x, scales.text(x)) for x in scales.ticks(*ends, count=5)]
    x_label = f"{name} (logarithmic)" if is_log else name
    frame = _frame(having, metric=metric, x_label=x_label, x_range=ends, x_ticks=ticks)
    points = list(zip(places, map(score, having), strict=True))
    drawn = frame.draw(_dots(frame, points), alt=f"{metric} by {name}")
    return charts.figure(drawn, title=f"{metric} by {name}")


def score(trial: optuna.trial.FrozenTrial) -> float:
    """Return a trial's metric: of a loss the score is the negative."""
    return abs(float(trial.value or 0.0))


def _frame(
    trials: Trials,
    *,
    metric: str,
    x_label: str,
    x_range: tuple[float, float],
    x_ticks: Sequence[tuple[float, str]],
) -> charts.Frame:
    values = [score(trial) for trial in trials]
    return charts.Frame(
        x_label=x_label,
        y_label=metric,
        x_range=x_range,
        y_range=_widened(min(values), max(values)),
        x_ticks=x_ticks,
    )


def _widened(low: float, high: float) -> tuple[float, float]:
    """Return the ends of an axis, so that a dot at either value is whole."""
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
    return low - margin, high + margin


def _powers(ends: tuple[float, float]) -> list[tuple[float, str]]:
    """Return the powers of ten within the ends of an axis of logarithms."""
    powers = range(math.ceil(ends[0]), math.floor(ends[1]) + 1)
    return [(float(power), search_space.text(10.0**power)) for power in powers]


def _dots(frame: charts.Frame, points: Sequence[tuple[float, float]]) -> list[Any]:
    return [frame.dot(x, y, radius=4, fill=colours.BLUE, fill_opacity=0.7) for x, y in points]
