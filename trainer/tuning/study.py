"""Optuna study of a sweep: the database in its folder, opened new or as an earlier start left it.

Owns what is stored of a sweep and of its trials, and what is refused: other settings, other data, a
folder of something else, a damaged or locked database. What a trial does is `trials`'.
"""

import contextlib
import pathlib
from collections.abc import Iterator, Sequence

import optuna
import sqlalchemy.exc

from runtime import atomic_file, errors, untrusted
from trainer.config import run_config
from trainer.data import dataset_version
from trainer.tuning import options, search_space

DATABASE = "sweep.db"
"""Optuna's SQLite file of a sweep, in its folder."""
DATA = "data"
"""User attribute of the study: name and fingerprint of its data."""
_SETTINGS = "settings"
"""User attribute of the study: its settings."""
FOLDER = "folder"
VARY = "vary"
REPEATS = "repeats"
"""User attributes of a trial: its folder, what it varies, and the number of the trial that had its
settings before."""

_STARTUP_TRIALS = 5
_STARTUP_EPOCHS = 1
"""No trial is pruned before there are this many others, nor in its first epoch."""

STORAGE_ERRORS = (optuna.exceptions.StorageInternalError, sqlalchemy.exc.SQLAlchemyError)
"""What a database raises that is damaged, locked or on a failing disk."""

_State = optuna.trial.TrialState


def open_study(
    asked: options.Sweep, *, settings: run_config.Config, data_path: pathlib.Path
) -> optuna.Study:
    """Return the study in the sweep's folder, new or as an earlier start left it.

    Raises:
      errors.UserError: if the sweep there has other settings or other data, its file is damaged or
        locked, or the folder is of something else.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder = pathlib.Path(asked.sweep_dir)
    folder.mkdir(parents=True, exist_ok=True)
    atomic_file.check_writable(folder)  # SQLite would not say which folder, nor why.
    path = folder / DATABASE
    if path.exists():
        untrusted.check(path, at_most=untrusted.LIST_BYTES)
    else:
        _check_folder(folder)
    # Optuna and SQLAlchemy raise errors of many kinds for content that is not theirs, down to
    # LookupError and ValueError: within this block all of them come from the file.
    with database_errors(folder, kinds=(Exception,)):
        study = optuna.create_study(
            storage=f"sqlite:///{path}",
            study_name="sweep",
            direction="maximize",
            load_if_exists=True,
            pruner=pruner(asked),
        )
        # The number of trials is in the seed because a start after an interruption must not suggest
        # again what was suggested before it.
        study.sampler = optuna.samplers.TPESampler(seed=settings.training.seed + len(study.trials))
        _check_same(study, settings=settings, folder=folder)
        _check_data(study, data_path=data_path, folder=folder)
        _requeue_interrupted(study, vary=asked.vary)
    return study


@contextlib.contextmanager
def database_errors(
    folder: pathlib.Path, *, kinds: tuple[type[Exception], ...] = STORAGE_ERRORS
) -> Iterator[None]:
    """Raise what the block raises for a damaged or locked database as a sentence.

    Raises:
      errors.UserError: instead of an error of these kinds.
    """
    try:
        yield
    except (errors.UserError, OSError):
        raise
    except kinds as error:
        reason = _reason(error)
        way_out = (
            "end the program that has it open, and give the same command again"
            if "locked" in reason
            else "restore it from a backup, or begin the sweep anew in a folder of its own "
            "(--sweep_dir)"
        )
        raise errors.UserError(
            f"cannot use {folder / DATABASE} as a sweep ({reason}): {way_out}"
        ) from None


def _reason(error: BaseException) -> str:
    """Return what SQLite said, where it is the cause of an error; else the error's first line."""
    while (cause := getattr(error, "orig", None) or error.__cause__) is not None:
        error = cause
    lines = str(error).splitlines() or [type(error).__name__]
    return f"{lines[0]:.300}"


def pruner(asked: options.Sweep) -> optuna.pruners.BasePruner:
    """Return the pruner: the median of the other trials at the same epoch, or none."""
    if not asked.prune:
        return optuna.pruners.NopPruner()
    return optuna.pruners.MedianPruner(
        n_startup_trials=_STARTUP_TRIALS, n_warmup_steps=_STARTUP_EPOCHS + 1
    )


def trials(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return all trials, one that was interrupted as what continued it.

    Those that were suggested with the settings of an earlier one, and not trained, are left out.
    """
    own = [t for t in study.get_trials(deepcopy=False) if REPEATS not in t.user_attrs]
    # Of the trials in a folder the last one: the others were interrupted.
    last = {trial.user_attrs.get(FOLDER, trial.number): trial for trial in own}
    return sorted(last.values(), key=lambda trial: trial.number)


def settings_of(trial: optuna.trial.FrozenTrial) -> search_space.Settings:
    """Return the settings of a finished trial's hyperparameters."""
    chooser = optuna.trial.FixedTrial(trial.params)
    settings: search_space.Settings = {}
    for name in search_space.CHOICES:
        try:
            settings |= search_space.choose(chooser, names=[name])
        except ValueError:  # FixedTrial raises it for a parameter that was not varied.
            continue
    return settings


def _check_same(study: optuna.Study, *, settings: run_config.Config, folder: pathlib.Path) -> None:
    """Store the settings of a new study; refuse others for one that exists."""
    if _SETTINGS not in study.user_attrs:
        study.set_user_attr(_SETTINGS, run_config.flat(settings))
        return
    stored = run_config.make(study.user_attrs[_SETTINGS])
    changed = run_config.difference(stored, new=settings)
    if changed:
        old, new = (
            " ".join(f"--{name}={search_space.text(pair[i])}" for name, pair in changed.items())
            for i in (0, 1)
        )
        raise errors.UserError(
            f"{folder} holds a sweep with {old}, and this one has {new}: scores would not compare; "
            "give this sweep a folder of its own (--sweep_dir)"
        )


def _check_data(study: optuna.Study, *, data_path: pathlib.Path, folder: pathlib.Path) -> None:
    """Store the data of a new study, or of one that has none stored; refuse others."""
    here = dataset_version.fingerprint(data_path)
    if DATA not in study.user_attrs:
        name = dataset_version.name_of(data_path)
        study.set_user_attr(DATA, {"name": name, "fingerprint": here})
        return
    there = study.user_attrs[DATA]
    if there["fingerprint"] != here:
        raise errors.UserError(
            f"{folder} holds a sweep on {there['name']} with fingerprint "
            f"{there['fingerprint'][:12]}, and {data_path} has {here[:12]}: scores would not "
            "compare; give this sweep a folder of its own (--sweep_dir), or name the folder that "
            "has its data with --data_dir"
        )


def _check_folder(folder: pathlib.Path) -> None:
    """Refuse a folder that holds something else than a sweep; hidden files are a lock, or no harm.

    Raises:
      errors.UserError: naming a file in it.
    """
    held = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    if held:
        raise errors.UserError(
            f"{folder} is not the folder of a sweep, which would hold {DATABASE}: it holds "
            f"{untrusted.readable(held[0])}; give the sweep a folder of its own (--sweep_dir)"
        )


def _requeue_interrupted(study: optuna.Study, *, vary: Sequence[str]) -> None:
    """Enqueue interrupted trials again, with the folders that have their checkpoints.

    One that varied something else is given up: its settings cannot be chosen again.
    """
    for trial in study.get_trials(deepcopy=False, states=(_State.RUNNING,)):
        varied = trial.user_attrs.get(VARY, vary)
        begun = FOLDER in trial.user_attrs
        if begun and set(varied) == set(vary):
            again = {FOLDER: trial.user_attrs[FOLDER], VARY: varied}
            study.enqueue_trial(trial.params, user_attrs=again)
        elif begun:
            print_given_up(trial)
        study.tell(trial.number, state=_State.FAIL)


def print_given_up(trial: optuna.Trial | optuna.trial.FrozenTrial) -> None:
    """Print that an interrupted trial is not continued, because it varied something else."""
    varied = ", ".join(trial.user_attrs.get(VARY, ()))
    print(f"given up      trial {trial.number}, which was interrupted and varied {varied}")
