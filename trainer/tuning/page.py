"""Sweep page: report.html in a sweep's folder, with the best trial, all trials and their scores.

Owns sections and texts; command and importances are report's, charts sweep_charts'. Links lead to
the trials' logs beside it.
"""

import dataclasses
import shlex
from collections.abc import Mapping, Sequence

import optuna

import webpage.page
from trainer.config import run_config
from trainer.data import dataset_version
from trainer.tuning import search_space, sweep_charts
from webpage import colours, markup

FILE = "report.html"

MOST_ROWS = 200
"""Trials of the table; trials.csv has all."""

_STATES = {
    optuna.trial.TrialState.COMPLETE: "finished",
    optuna.trial.TrialState.PRUNED: "pruned",
    optuna.trial.TrialState.FAIL: "failed",
    optuna.trial.TrialState.RUNNING: "running",
    optuna.trial.TrialState.WAITING: "waiting",
}
_VALIDATION_WARNING = (
    "The trials were compared on validation itself: an evaluation of the best one on validation is "
    "optimistic. --holdout_frac=0.1 compares them on a part of train instead."
)
_PRUNED_NOTE = (
    "A trial is pruned when its best epoch so far is below the median of the others at that epoch; "
    "its score is then that of its last epoch. "
)
_FAILED_NOTE = "A failed trial could not be built or diverged: its log says why. "
_IMPORTANCE_NOTE = (
    "Importance: the share of the scores' variance that a hyperparameter explains (fANOVA; Hutter, "
    "Hoos and Leyton-Brown 2014). It is about the ranges that were searched."
)
_SCORES_NOTE = (
    "A dot is a finished trial. Pruned trials are left out: their scores are of fewer epochs."
)

Trials = Sequence[optuna.trial.FrozenTrial]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sweep:
    """What the page shows.

    Attributes:
      trials: all, in the order of their start.
      data: name of the version; "" where a sweep of an earlier release did not store it.
      ranked: the finished ones, the best first; at least one.
      settings: those that all trials share.
      best_settings: those of the best trial that its hyperparameters decide, by flag.
      command: trains the best trial's network again.
      importances: of hyperparameters, the highest first; empty for too few trials.
    """

    trials: Trials
    data: str
    ranked: Trials
    settings: run_config.Config
    best_settings: Mapping[str, object]
    command: str
    importances: Mapping[str, float]


def render(sweep: Sweep) -> str:
    """Return the page's HTML."""
    section = webpage.page.Section
    sections = [
        section("best", "The best trial", _best(sweep)),
        section("trials", "Trials", _trials(sweep)),
    ]
    if sweep.importances:
        sections.append(section("importances", "What mattered", _importances(sweep.importances)))
    sections.append(section("scores", "Scores", _scores(sweep)))
    return webpage.page.page(
        f"Sweep of {len(sweep.trials):,} trials", lead=_lead(sweep), sections=sections
    )


def _lead(sweep: Sweep) -> list[markup.Content]:
    selection = sweep.settings.selection
    is_held_out = bool(selection.holdout_frac)
    compared_on = (
        f"{selection.holdout_frac:.0%} of train, held out" if is_held_out else "validation itself"
    )
    best = sweep.ranked[0]
    config_name = sweep.settings.data.config_name
    is_drawn = dataset_version.is_drawn(sweep.data)
    counts = {
        word: sum(trial.state == state for trial in sweep.trials) for state, word in _STATES.items()
    }
    tiles = [
        (f"best {_metric(sweep)}", _score(best), f"trial {best.number}"),
        *((word, f"{count:,}", "trials") for word, count in counts.items() if count),
    ]
    varied = dict.fromkeys(name for trial in sweep.trials for name in trial.params)
    return [
        markup.element("p", dataset_version.DRAWN_NOTE, class_="warning") if is_drawn else None,
        None if is_held_out else markup.element("p", _VALIDATION_WARNING, class_="warning"),
        webpage.page.tiles(tiles),
        webpage.page.facts(
            {
                "data": sweep.data or config_name or "the data set's own config",
                "compared by": f"{_metric(sweep)} of the best epoch, on {compared_on}",
                "epochs": str(sweep.settings.training.epochs),
                "varied": ", ".join(varied),
            }
        ),
    ]


def _best(sweep: Sweep) -> list[markup.Content]:
    best = sweep.ranked[0]
    settings = {
        f"--{name}": search_space.text(value) for name, value in sweep.best_settings.items()
    }
    return [
        markup.element("p", f"Trial {best.number}, {_metric(sweep)} {_score(best)}. Its settings:"),
        webpage.page.facts(settings),
        markup.element("p", "This command trains its network again, in a folder of its own:"),
        markup.element("pre", _on_lines(sweep.command)),
    ]


def _on_lines(command: str) -> str:
    """Return a command with a flag a line, as a shell takes it."""
    program, *flags = map(shlex.quote, shlex.split(command))
    first = next((i for i, word in enumerate(flags) if word.startswith("--")), len(flags))
    return " \\\n  ".join([shlex.join([program, *flags[:first]]), *flags[first:]])


def _trials(sweep: Sweep) -> list[markup.Content]:
    ranks = {trial.number: rank for rank, trial in enumerate(sweep.ranked)}
    ordered = sorted(
        sweep.trials, key=lambda trial: (ranks.get(trial.number, len(ranks)), trial.number)
    )
    names = list(dict.fromkeys(name for trial in ordered for name in trial.params))
    heads = ["trial", "state", "epochs", _metric(sweep), *names]
    shown = ordered[:MOST_ROWS]
    more = f"The table has {len(shown)} of {len(ordered):,} trials. " * (len(shown) < len(ordered))
    states = {trial.state for trial in ordered}
    note = (
        _PRUNED_NOTE * (optuna.trial.TrialState.PRUNED in states)
        + _FAILED_NOTE * (optuna.trial.TrialState.FAIL in states)
        + f"{more}trials.csv has all of them."
    )
    rows = [_row(trial, names) for trial in shown]
    return [webpage.page.table(heads, rows, texts=2), webpage.page.note(note)]


def _row(trial: optuna.trial.FrozenTrial, names: Sequence[str]) -> list[markup.Content]:
    folder = trial.user_attrs.get("folder")
    number = str(trial.number)
    return [
        markup.element("a", number, href=f"{folder}/log.txt") if folder else number,
        _STATES[trial.state],
        str(len(trial.intermediate_values)),
        _score(trial),
        *(search_space.text(trial.params[name]) if name in trial.params else "" for name in names),
    ]


def _importances(importances: Mapping[str, float]) -> list[markup.Content]:
    longest = max(importances.values()) or 1
    rows = [
        (name, [webpage.page.Bar(value / longest, f"{value:.2f}", colours.BLUE)])
        for name, value in importances.items()
    ]
    bars = markup.element("div", webpage.page.bars(rows), class_="wide")
    return [bars, webpage.page.note(_IMPORTANCE_NOTE)]


def _scores(sweep: Sweep) -> list[markup.Content]:
    metric = _metric(sweep)
    names = list(sweep.importances) or list(sweep.ranked[0].params)
    slices = [sweep_charts.by_value(sweep.ranked, name=name, metric=metric) for name in names]
    history = sweep_charts.history(sweep.ranked, metric=metric)
    return [webpage.page.grid([history, *slices]), webpage.page.note(_SCORES_NOTE)]


def _metric(sweep: Sweep) -> str:
    return sweep.settings.selection.select_by.replace("_", " ")


def _score(trial: optuna.trial.FrozenTrial) -> str:
    """Return a trial's score; of a loss it is the negative."""
    return "" if trial.value is None else f"{abs(trial.value):.4f}"
