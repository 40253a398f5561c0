"""Optuna study of a sweep: opened or continued, trials trained one after another and pruned.

Owns the order of a trial (suggest, train, report each epoch, prune) and how an interrupted trial
continues. Trials share this process, one strategy and the data read; a process a trial was rejected
because each would read the data and start TensorFlow again.
"""

import contextlib
import dataclasses
import gc
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import optuna
import sqlalchemy.exc

from runtime import atomic_file, errors, json_log, terminal, untrusted
from trainer.config import run_config
from trainer.data import dataset_version
from trainer.training import pretrained
from trainer.tuning import options, search_space

if TYPE_CHECKING:
    from trainer.data import examples
    from trainer.run import context
    from trainer.training import trainer as trainer_lib

DATABASE = "sweep.db"
"""Optuna's SQLite file of a sweep, in its folder."""
LOG = "log.txt"
"""What a trial prints, in its folder."""

DATA = "data"
"""User attribute of the study: name and fingerprint of its data."""

_SETTINGS = "settings"
_FOLDER = "folder"
_VARY = "vary"
_REPEATS = "repeats"
"""Names of user attributes: of the study its settings, of a trial its folder, what it varies, and
the number of the trial that had its settings before."""

_MAX_SUGGESTIONS = 100
"""In a row, of settings that were trained already, after which there are thought no others."""

_STARTUP_TRIALS = 5
_STARTUP_EPOCHS = 1
"""No trial is pruned before there are this many others, nor in its first epoch."""

STORAGE_ERRORS = (optuna.exceptions.StorageInternalError, sqlalchemy.exc.SQLAlchemyError)
"""What a database raises that is damaged, locked or on a failing disk."""

_State = optuna.trial.TrialState


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """The end of a trial: its state, its score if it has one, and a remark for its line."""

    state: optuna.trial.TrialState
    score: float | None
    remark: str


class SplitReader:
    """The splits of a sweep, read once for each image size."""

    def __init__(self, ctx: "context.RunContext") -> None:
        self.ctx = ctx
        self._by_size: dict[int, tuple[examples.Split, examples.Split]] = {}

    def splits(self, ctx: "context.RunContext") -> "tuple[examples.Split, examples.Split]":
        """Return the splits that a trial trains on and selects its best epoch on."""
        if ctx.image_size not in self._by_size:
            self._by_size[ctx.image_size] = _read_splits(ctx)
        return self._by_size[ctx.image_size]


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


def run(study: optuna.Study, *, asked: options.Sweep, ctx: "context.RunContext") -> None:
    """Run the trials that are left, and print a line after each."""
    counted = study.get_trials(deepcopy=False, states=(_State.COMPLETE, _State.PRUNED))
    left = max(asked.trials - len(counted), 0)
    print(
        f"sweep         {asked.sweep_dir}: {left} of {asked.trials} trials left, "
        f"over {', '.join(asked.vary)}"
    )
    if not ctx.settings.selection.holdout_frac:
        print(
            "warning       the sweep chooses on validation itself; --holdout_frac=0.1 would leave "
            "it untouched"
        )
    if ctx.version.is_drawn:
        print(f"              {dataset_version.DRAWN_WARNING}")
    reader = SplitReader(ctx)
    for _ in range(left):
        trial = _new_trial(study, vary=asked.vary)
        if trial is None:
            trained, varied = len(_trained_before(study)), ", ".join(asked.vary)
            print(f"sweep         ends: {trained} trials, and no other settings of {varied} found")
            return
        # The folder is stored before training, so that an interrupted trial is found again.
        trial.set_user_attr(_FOLDER, trial.user_attrs.get(_FOLDER) or f"trial-{trial.number:04d}")
        trial.set_user_attr(_VARY, asked.vary)
        folder = pathlib.Path(asked.sweep_dir)
        _print_start(trial, log=folder / trial.user_attrs[_FOLDER] / LOG)
        chosen = search_space.choose(trial, names=asked.vary)
        outcome = _train(trial, chosen=chosen, reader=reader, folder=folder)
        study.tell(trial, outcome.score, state=outcome.state)
        json_log.write(
            "trial_end",
            trial=trial.number,
            state=outcome.state.name.lower(),
            score=outcome.score,
            remark=outcome.remark,
            settings=chosen,
        )
        print(_line(study, number=trial.number, outcome=outcome, chosen=chosen), flush=True)


def trials(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return all trials, one that was interrupted as what continued it.

    Those that were suggested with the settings of an earlier one, and not trained, are left out.
    """
    own = [t for t in study.get_trials(deepcopy=False) if _REPEATS not in t.user_attrs]
    # Of the trials in a folder the last one: the others were interrupted.
    last = {trial.user_attrs.get(_FOLDER, trial.number): trial for trial in own}
    return sorted(last.values(), key=lambda trial: trial.number)


def _trained_before(study: optuna.Study) -> dict[search_space.Parameters, int]:
    """Return the numbers of the trained trials by their parameters."""
    trained = study.get_trials(deepcopy=False, states=(_State.COMPLETE, _State.PRUNED))
    return {search_space.parameters(trial.params): trial.number for trial in reversed(trained)}


def _new_trial(study: optuna.Study, *, vary: Sequence[str]) -> optuna.Trial | None:
    """Return a trial whose settings none was trained with, or None if none is found.

    Trials are repeatable: the same settings would have the same score. After a first repetition
    they are suggested at random, since the sampler may well suggest its favourite again.
    """
    before = _trained_before(study)
    sampler = study.sampler
    try:
        for _ in range(_MAX_SUGGESTIONS):
            trial = study.ask()
            search_space.choose(trial, names=vary)
            number = before.get(search_space.parameters(trial.params))
            if number is None:
                return trial
            trial.set_user_attr(_REPEATS, number)
            study.tell(trial, state=_State.FAIL)
            study.sampler = optuna.samplers.RandomSampler(seed=trial.number)
    finally:
        study.sampler = sampler
    return None


def _print_start(trial: optuna.Trial, *, log: pathlib.Path) -> None:
    """Write the event of a trial's start; where no progress line is shown, print where it is."""
    json_log.write("trial_start", trial=trial.number, folder=str(log.parent))
    if not terminal.rewrites(sys.stdout):
        print(f"{_label(trial)}started: {log}", flush=True)


def _label(trial: optuna.Trial) -> str:
    return f"trial {trial.number:>3}     "


def _read_splits(ctx: "context.RunContext") -> "tuple[examples.Split, examples.Split]":
    from trainer.data import holdout  # Inside: `open_study` must not wait for TensorFlow.
    from trainer.run import context
    from trainer.training import label_weights, soft_targets

    train = soft_targets.attached(
        context.read_split(ctx, split="train"), settings=ctx.settings.targets, version=ctx.version
    )
    train = label_weights.attached(train, settings=ctx.settings.targets, version=ctx.version)
    frac = ctx.settings.selection.holdout_frac
    if frac:
        return holdout.divide(train, frac=frac)
    return train, context.read_split(ctx, split="validation")


def _train(
    trial: optuna.Trial,
    *,
    chosen: search_space.Settings,
    reader: SplitReader,
    folder: pathlib.Path,
) -> Outcome:
    """Train a trial in its own folder; one that cannot be built or diverges fails, uncounted."""
    import keras  # Inside: `open_study` must not wait for TensorFlow.

    model_dir = folder / trial.user_attrs[_FOLDER]
    model_dir.mkdir(exist_ok=True)
    line = terminal.ProgressLine(to=sys.stdout)  # What is printed goes to the trial's log.

    def on_progress(parts: Sequence[terminal.Part]) -> None:
        line.show([terminal.Part(_label(trial)), *parts], final=False)

    try:
        with (
            (model_dir / LOG).open("a", encoding="utf-8", buffering=1) as log,
            contextlib.redirect_stdout(log),
        ):
            return _score(
                trial, chosen=chosen, reader=reader, model_dir=model_dir, on_progress=on_progress
            )
    except errors.UserError as error:
        with (model_dir / LOG).open("a", encoding="utf-8") as log:
            print(f"error: {error}", file=log)
        return Outcome(state=_State.FAIL, score=None, remark=str(error))
    finally:
        line.clear()
        # Otherwise the networks of all trials would stay in memory.
        keras.backend.clear_session()
        gc.collect()


def _score(
    trial: optuna.Trial,
    *,
    chosen: search_space.Settings,
    reader: SplitReader,
    model_dir: pathlib.Path,
    on_progress: Callable[[Sequence[terminal.Part]], None],
) -> Outcome:
    """Set up the training of a trial, or its continuation, and train."""
    # Inside: `open_study` must not wait for TensorFlow.
    from trainer.monitoring import experiment_trackers, run_logger
    from trainer.run import model_folder
    from trainer.training import setup, trainer

    settings = run_config.flat(reader.ctx.settings) | chosen | {"model_dir": str(model_dir)}
    ctx = dataclasses.replace(reader.ctx, settings=run_config.make(settings))
    model_folder.check(ctx.settings)  # And again when it is locked, after the data were read.
    train, selection = reader.splits(ctx)
    network = setup.model(ctx)
    pretrained.load(network, model=ctx.settings.model, image_size=ctx.views.crop_px)
    with contextlib.ExitStack() as stack:
        stack.enter_context(model_folder.locked(ctx.settings, connection=ctx.connection))
        model_folder.claim(ctx.settings)
        trackers = stack.enter_context(experiment_trackers.start(ctx.settings, model_dir=model_dir))
        running = trainer.Trainer(
            ctx,
            network=network,
            train=train,
            selection=selection,
            model_dir=model_dir,
            logger=run_logger.RunLogger(
                ctx,
                model_dir=model_dir,
                num_examples=train.num_examples,
                trackers=trackers,
                on_progress=on_progress,
            ),
        )
        return _trained(trial, running=running)


def _trained(trial: optuna.Trial, *, running: "trainer_lib.Trainer") -> Outcome:
    """Train the epochs that are left, report each, and return the best one's score."""
    epoch = 0
    with contextlib.closing(running.scores()) as scores:
        for epoch, score in enumerate(scores, start=1):
            trial.report(score, step=epoch)
            if trial.should_prune():
                remark = f"pruned after epoch {epoch}"
                return Outcome(state=_State.PRUNED, score=None, remark=remark)
    remark = f"best of {epoch} epochs"
    return Outcome(state=_State.COMPLETE, score=running.best_score, remark=remark)


def _line(
    study: optuna.Study, *, number: int, outcome: Outcome, chosen: search_space.Settings
) -> str:
    """Return the line that is printed after a trial."""
    parts = [f"trial {number:>3}   "]
    if outcome.score is not None:
        parts.append(f"{outcome.score:.4f}")
    parts.append(outcome.remark)
    finished = study.get_trials(deepcopy=False, states=(_State.COMPLETE,))
    if finished:
        parts.append(f"best {max(trial.value or 0.0 for trial in finished):.4f}")
    parts += [f"{name}={search_space.text(value)}" for name, value in chosen.items()]
    return "  ".join(parts)


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
        varied = trial.user_attrs.get(_VARY, vary)
        if _FOLDER in trial.user_attrs and list(varied) == list(vary):
            study.enqueue_trial(trial.params, user_attrs={_FOLDER: trial.user_attrs[_FOLDER]})
        study.tell(trial.number, state=_State.FAIL)
