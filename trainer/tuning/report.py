"""Sweep report: the best trials, the command that trains the best, trials.csv, plots and a page.

Owns the layout of table and command; the data frame and the plots are Optuna's. Importances are its
fANOVA (Hutter, Hoos and Leyton-Brown 2014): the share of the scores' variance that a hyperparameter
explains. Optuna's Plotly charts were rejected because they need another dependency.
"""

import pathlib
import shlex
import warnings
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import optuna
from matplotlib import pyplot as plt
from optuna.visualization import matplotlib as optuna_plots

from runtime import atomic_file, errors
from trainer.config import run_config
from trainer.reports import figures
from trainer.tuning import page, search_space
from trainer.tuning import study as study_lib

TABLE = "trials.csv"
HISTORY_PLOT = "optimization_history.png"
SLICES_PLOT = "slices.png"
IMPORTANCES_PLOT = "what_mattered.png"

_MAX_ROWS = 10
_MIN_TRIALS = 4
"""With fewer finished trials, importances would be noise."""

Trials = Sequence[optuna.trial.FrozenTrial]


def write(study: optuna.Study, *, sweep_dir: pathlib.Path, settings: run_config.Config) -> None:
    """Print the best trials and the command of the best, and write table, plots and page.

    Raises:
      errors.UserError: if no trial has finished.
    """
    finished = ranked(study)
    if not finished:
        raise errors.UserError(
            f"no trial has finished: {sweep_dir}/*/log.txt say why; where the settings are the "
            "reason, give other ones and a folder of their own (--sweep_dir)"
        )
    contents = {
        TABLE: as_csv(study).encode(),
        **plots(study),
        page.FILE: page.render(_sweep(study, settings=settings)).encode("utf-8", errors="replace"),
    }
    paths = [
        atomic_file.replace(sweep_dir / name, content=content) for name, content in contents.items()
    ]
    best = finished[0]
    select_by = settings.selection.select_by.replace("_", " ")
    print(table(finished[:_MAX_ROWS]))
    # Of a loss the score is its negative.
    print(f"best          trial {best.number}: {abs(float(best.value or 0)):.4f} by {select_by}")
    print(f"train it      {command(best, settings=settings)}")
    print(f"report        {'  '.join(map(str, paths))}", flush=True)


def ranked(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the finished trials, best first."""
    finished = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    return sorted(finished, key=lambda trial: -float(trial.value or 0.0))


def importances(study: optuna.Study) -> dict[str, float]:
    """Return each hyperparameter's importance, the highest first; empty for too few trials."""
    finished = ranked(study)
    if len(finished) < _MIN_TRIALS or len({trial.value for trial in finished}) < 2:
        return {}
    return dict(optuna.importance.get_param_importances(study, evaluator=_evaluator()))


def table(trials: Trials) -> str:
    """Return trials as text, a row each and a column a hyperparameter."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    rows = [["trial", "score", *names]]
    for trial in trials:
        cells = [search_space.text(trial.params.get(name, "")) for name in names]
        rows.append([str(trial.number), f"{trial.value:.4f}", *cells])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
        for row in rows
    )


def as_csv(study: optuna.Study) -> str:
    """Return all trials as CSV, pruned and failed ones too."""
    trials = study_lib.trials(study)
    frame = study.trials_dataframe(attrs=("number", "state", "value", "params"))
    frame = frame[frame["number"].isin([trial.number for trial in trials])]
    # Where a trial lacks a parameter, pandas has made floats of the others' integers.
    frame = frame.convert_dtypes()
    frame["state"] = frame["state"].str.lower()
    frame.insert(3, "epochs", [len(trial.intermediate_values) for trial in trials])
    frame = frame.rename(columns={"number": "trial", "value": "score"})
    frame = frame.rename(columns=lambda name: name.removeprefix("params_"))
    text: str = frame.to_csv(index=False, lineterminator="\r\n")
    return text


def command(trial: optuna.trial.FrozenTrial, *, settings: run_config.Config) -> str:
    """Return the command that trains a trial's network again, in a folder of its own."""
    values = run_config.flat(settings) | dict(study_lib.settings_of(trial))
    defaults = run_config.flat(run_config.make({}))
    flags = [
        f"--{name}={_exact(value)}"
        for name, value in values.items()
        if value != defaults[name] and name not in ("recipe", "model_dir")
    ]
    return shlex.join(["python", "-m", "trainer.main", *flags, "--model_dir=runs/best"])


def _sweep(study: optuna.Study, *, settings: run_config.Config) -> page.Sweep:
    """Return what the page shows."""
    finished = ranked(study)
    return page.Sweep(
        trials=study_lib.trials(study),
        data=study.user_attrs.get(study_lib.DATA, {}).get("name", ""),
        ranked=finished,
        settings=settings,
        best_settings=study_lib.settings_of(finished[0]),
        command=command(finished[0], settings=settings),
        importances=importances(study),
    )


def plots(study: optuna.Study) -> dict[str, bytes]:
    """Return Optuna's plots as PNG files by name.

    Importances, and slices of the three highest, only where `importances` has them.
    """
    drawn = {HISTORY_PLOT: _png(optuna_plots.plot_optimization_history, study)}
    leading = list(importances(study))[:3]
    if leading:
        drawn[SLICES_PLOT] = _png(optuna_plots.plot_slice, study, params=leading)
        drawn[IMPORTANCES_PLOT] = _png(
            optuna_plots.plot_param_importances, study, evaluator=_evaluator()
        )
    return drawn


def _png(plot: Any, study: optuna.Study, **arguments: Any) -> bytes:
    """Return one of Optuna's plots as a PNG file."""
    plt.switch_backend("Agg")  # Otherwise pyplot may look for a display.
    # Optuna sets a style for the whole process, and marks its plots as experimental.
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        drawing = np.ravel(plot(study, target_name="score", **arguments))[0].figure
        drawing.set_dpi(figures.DPI)
        content = figures.png(drawing)
    plt.close(drawing)
    return content


def _evaluator() -> optuna.importance.FanovaImportanceEvaluator:
    return optuna.importance.FanovaImportanceEvaluator(seed=0)


def _exact(value: Any) -> str:
    """Return a value as a flag takes it, with all its digits, so that the network is the same."""
    if isinstance(value, (tuple, list)):
        return ",".join(map(_exact, value))
    return repr(value) if isinstance(value, float) else search_space.text(value)
