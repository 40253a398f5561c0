"""What a sweep found: a table, a CSV file, and a plot of what mattered.

Owns their layout. Importances are Optuna's fANOVA (Hutter, Hoos and Leyton-Brown 2014): the share
of the scores' variance that a choice explains.
"""

import csv
import io
import pathlib
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from matplotlib import axes, figure

from runtime import atomic_file
from trainer.config import run_config
from trainer.reports import figures
from trainer.tuning import search_space

TABLE, PLOT = "trials.csv", "what_mattered.png"
_SHOWN = 10
_FEWEST = 4
"""Trials below which importances would be noise drawn as bars."""

Trials = Sequence[optuna.trial.FrozenTrial]


def write(study: optuna.Study, *, sweep_dir: pathlib.Path, settings: run_config.Config) -> None:
    """Print the best trials and the command of the best, and leave table and plot in the sweep's
    folder."""
    finished = ranked(study)
    if not finished:
        print(f"nothing found: no trial of {sweep_dir} was trained to its end; */log.txt say why")
        return
    print(table(finished[:_SHOWN]))
    atomic_file.replace(sweep_dir / TABLE, content=as_csv(study.trials).encode())
    atomic_file.replace(
        sweep_dir / PLOT, content=figures.png(plot(finished, weights=importances(study)))
    )
    best = finished[0]
    print(
        f"best          trial {best.number}: {best.value:.4f} by {settings.selection.select_by.replace('_', ' ')}"
    )
    print(f"train it      {command(best, settings=settings)}")
    print(f"look at       {sweep_dir / TABLE}  {sweep_dir / PLOT}", flush=True)


def ranked(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that were trained to their end, best first."""
    done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    return sorted(done, key=lambda trial: -float(trial.value or 0.0))


def importances(study: optuna.Study) -> dict[str, float]:
    """Return what each choice explains of the scores, most first; nothing where too few trials are
    done."""
    done = ranked(study)
    if len(done) < _FEWEST or len({trial.value for trial in done}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def table(trials: Trials) -> str:
    """Lay trials out as plain text, a row each and a column a choice."""
    names = list(trials[0].params)
    rows = [["trial", "score", *names]] + [
        [str(t.number), f"{t.value:.4f}", *(_text(t.params.get(name)) for name in names)]
        for t in trials
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
        for row in rows
    )


def as_csv(trials: Trials) -> str:
    """Return all trials as CSV, given up and failed ones too."""
    names = sorted({name for trial in trials for name in trial.params})
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["trial", "state", "score", "epochs", *names])
    for t in trials:
        cells = [t.params.get(name, "") for name in names]
        writer.writerow(
            [t.number, t.state.name.lower(), t.value, len(t.intermediate_values), *cells]
        )
    return text.getvalue()


def command(trial: optuna.trial.FrozenTrial, *, settings: run_config.Config) -> str:
    """Return the command that trains a trial's network anew, in a folder of its own."""
    chosen = run_config.flat(settings) | dict(chosen_by(trial))
    usual = run_config.flat(run_config.make({}))
    flags = [
        f"--{name}={_exact(value)}"
        for name, value in chosen.items()
        if value != usual[name] and name not in ("recipe", "model_dir")
    ]
    return shlex.join(["python", "-m", "trainer.main", *flags, "--model_dir=runs/best"])


def chosen_by(trial: optuna.trial.FrozenTrial) -> Mapping[str, Any]:
    """Return the settings that a finished trial's choices stand for."""
    found: dict[str, Any] = {}
    for name in search_space.CHOICES:
        try:
            found |= search_space.choose(optuna.trial.FixedTrial(trial.params), names=[name])
        except ValueError:  # FixedTrial's way of saying that this was not varied.
            continue
    return found


def plot(trials: Trials, *, weights: Mapping[str, float]) -> figure.Figure:
    """Draw importances as bars, and the score over the choices that mattered most."""
    leading = list(weights)[:3]
    drawing = figure.Figure(
        figsize=(4.2 + 3.4 * len(leading), 3.8), layout="constrained", dpi=figures.DPI
    )
    bars, *others = np.ravel(
        drawing.subplots(
            1, 1 + len(leading), gridspec_kw={"width_ratios": [1.3] + [1] * len(leading)}
        )
    )
    if not weights:
        bars.set_axis_off()
        bars.text(
            0.5, 0.5, f"too few trials done ({len(trials)}) to say what mattered", ha="center"
        )
    else:
        names = list(weights)[::-1]
        bars.barh(names, [weights[name] for name in names], color="#0072B2")
        _frame(bars, x="share of the variance of scores", y="", title="what mattered")
    for ax, name in zip(others, leading, strict=True):
        _scatter(ax, name=name, trials=trials)
    return drawing


def _scatter(ax: axes.Axes, *, name: str, trials: Trials) -> None:
    values = [t.params[name] for t in trials]
    is_number = all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in values
    )
    shown = values if is_number else [_text(value) for value in values]
    ax.scatter(shown, [t.value or 0.0 for t in trials], color="#D55E00", s=18, alpha=0.8)
    if is_number and min(values) > 0 and max(values) / min(values) > 20:
        ax.set_xscale("log")
    if not is_number:
        ax.margins(x=0.4)
    _frame(ax, x=name, y="score", title="")


def _frame(ax: axes.Axes, *, x: str, y: str, title: str) -> None:
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.set_title(title)
    ax.grid(color="#dddddd", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def _exact(value: Any) -> str:
    """Return a value as a flag takes it, with all its digits: the network is to be the very same."""
    if isinstance(value, (tuple, list)):
        return ",".join(map(_exact, value))
    return repr(value) if isinstance(value, float) else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return ",".join(map(_text, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.3g}" if isinstance(value, float) else str(value)
