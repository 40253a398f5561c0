"""Optuna study of a sweep: opened or continued, pruned, one training a trial."""

import contextlib
import dataclasses
import gc
import io
import pathlib
from typing import TYPE_CHECKING, Any

from runtime import errors
from trainer.config import run_config
from trainer.training import pretrained
from trainer.tuning import options, search_space

if TYPE_CHECKING:
    import optuna

    from trainer.data import examples
    from trainer.run import context

OF_ONE_RUN = ("model_dir", "overwrite", "dry_run", "find_lr", "profile_steps")


_SETTINGS, _FOLDER = "settings", "folder"


_STARTUP_TRIALS, _STARTUP_EPOCHS = 5, 1
"""No trial is given up before there are this many others, nor in its first epoch."""


def open_study(asked: options.Sweep, *, settings: run_config.Config) -> "optuna.Study":
    """Return the sweep of the folder, new or as it was left.

    Raises:
      errors.UserError: without Optuna, or if the sweep there has other settings.
    """
    try:
        import optuna  # Inside: an extra that only sweeps need.
    except ImportError:
        raise errors.UserError(
            "a sweep needs Optuna: pip install 'affectnet-faces[sweep]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder = pathlib.Path(asked.sweep_dir)
    folder.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=f"sqlite:///{folder / 'sweep.db'}",
        study_name="sweep",
        direction="maximize",
        load_if_exists=True,
        pruner=pruner(asked),
    )
    # A fresh start after an interruption must not propose again what was proposed before it.
    study.sampler = optuna.samplers.TPESampler(seed=settings.training.seed + len(study.trials))
    _check_same(study, settings=settings, folder=folder)
    _take_up(study)
    return study


def pruner(asked: options.Sweep) -> "optuna.pruners.BasePruner":
    """Return what decides when a trial is given up."""
    from optuna import pruners

    if not asked.prune:
        return pruners.NopPruner()
    return pruners.MedianPruner(
        n_startup_trials=_STARTUP_TRIALS, n_warmup_steps=_STARTUP_EPOCHS + 1
    )


def run(study: "optuna.Study", *, asked: options.Sweep, ctx: "context.RunContext") -> None:
    """Run the trials that are left."""
    from optuna import trial as trials

    left = asked.trials - len(
        study.get_trials(states=(trials.TrialState.COMPLETE, trials.TrialState.PRUNED))
    )
    print(
        f"sweep         {asked.sweep_dir}: {max(left, 0)} of {asked.trials} trials left, over {', '.join(asked.vary)}"
    )
    if not ctx.settings.selection.holdout_frac:
        print(
            "warning       the sweep chooses on validation itself; --holdout_frac=0.1 would leave it untouched"
        )
    reader = Reader(ctx)
    for _ in range(left):
        trial = study.ask()
        trial.set_user_attr(_FOLDER, trial.user_attrs.get(_FOLDER) or f"trial-{trial.number:04d}")
        chosen = search_space.choose(trial, names=asked.vary)
        outcome = _train(trial, chosen=chosen, reader=reader, folder=pathlib.Path(asked.sweep_dir))
        study.tell(trial, outcome.score, state=outcome.state)
        print(_line(study, number=trial.number, outcome=outcome, chosen=chosen), flush=True)


class Reader:
    """The splits of a sweep, read once for each size of picture."""

    def __init__(self, ctx: "context.RunContext") -> None:
        self.at = ctx
        self._read: dict[int, tuple[examples.Split, examples.Split]] = {}

    def splits(self, ctx: "context.RunContext") -> "tuple[examples.Split, examples.Split]":
        """Return what a trial trains on, and what its epochs are chosen on."""
        from trainer.data import holdout
        from trainer.run import context

        if ctx.image_size not in self._read:
            train = context.read_split(ctx, split="train")
            frac = ctx.settings.selection.holdout_frac
            pair = (
                holdout.divide(train, frac=frac)
                if frac
                else (train, context.read_split(ctx, split="validation"))
            )
            self._read[ctx.image_size] = pair
        return self._read[ctx.image_size]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a trial ended."""

    state: "optuna.trial.TrialState"
    score: float | None
    remark: str


def _train(
    trial: "optuna.Trial", *, chosen: search_space.Settings, reader: Reader, folder: pathlib.Path
) -> Outcome:
    """Train a trial in its own folder; a network that cannot be built, or diverges, is given up and
    not counted."""
    import keras
    from optuna import trial as trials

    model_dir = folder / trial.user_attrs[_FOLDER]
    model_dir.mkdir(exist_ok=True)
    told = io.StringIO()
    try:
        with contextlib.redirect_stdout(told):
            outcome = _score(trial, chosen=chosen, reader=reader, model_dir=model_dir)
    except errors.UserError as no:
        outcome = Outcome(state=trials.TrialState.FAIL, score=None, remark=str(no))
    finally:
        with (model_dir / "log.txt").open("a", encoding="utf-8") as log:
            log.write(told.getvalue())
        keras.backend.clear_session()
        gc.collect()
    return outcome


def _score(
    trial: "optuna.Trial", *, chosen: search_space.Settings, reader: Reader, model_dir: pathlib.Path
) -> Outcome:
    """Train the epochs of a trial that are left, telling the study of each, and return the best
    one's score."""
    from optuna import trial as trials

    from trainer.run import model_folder
    from trainer.training import setup, trainer

    flat: dict[str, Any] = (
        run_config.flat(reader.at.settings) | chosen | {"model_dir": str(model_dir)}
    )
    at = dataclasses.replace(reader.at, settings=run_config.make(flat))
    model_folder.check(at.settings)
    train, selection = reader.splits(at)
    network = setup.model(at)
    pretrained.load(network, model=at.settings.model, image_size=at.image_size)
    running = trainer.Trainer(
        at,
        network=network,
        train=train,
        selection=selection,
        model_dir=model_folder.claim(at.settings),
    )
    with contextlib.closing(running), contextlib.closing(running.scores()) as scores:
        for epoch, score in enumerate(scores, start=1):
            trial.report(score, step=epoch)
            if trial.should_prune():
                return Outcome(
                    state=trials.TrialState.PRUNED,
                    score=None,
                    remark=f"given up after epoch {epoch}",
                )
    return Outcome(
        state=trials.TrialState.COMPLETE, score=running.best_score, remark=f"best of {epoch} epochs"
    )


def _line(
    study: "optuna.Study", *, number: int, outcome: Outcome, chosen: search_space.Settings
) -> str:
    from optuna import trial as trials

    done = study.get_trials(deepcopy=False, states=(trials.TrialState.COMPLETE,))
    best = f"best {max(t.value or 0.0 for t in done):.4f}  " if done else ""
    score = "" if outcome.score is None else f"{outcome.score:.4f}  "
    flags = "  ".join(f"{name}={_text(value)}" for name, value in chosen.items())
    return f"trial {number:>3}     {score}{outcome.remark}  {best}{flags}"


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _check_same(
    study: "optuna.Study", *, settings: run_config.Config, folder: pathlib.Path
) -> None:
    if _SETTINGS not in study.user_attrs:
        study.set_user_attr(_SETTINGS, run_config.flat(settings))
        return
    changed = run_config.difference(run_config.make(study.user_attrs[_SETTINGS]), new=settings)
    if changed:
        was, now = (
            " ".join(f"--{name}={_text(pair[i])}" for name, pair in changed.items()) for i in (0, 1)
        )
        raise errors.UserError(
            f"{folder} holds a sweep with {was}, and this one has {now}: scores would not compare. Give this sweep a "
            f"folder of its own (--sweep_dir)"
        )


def _take_up(study: "optuna.Study") -> None:
    """Let the trials that were under way be the next ones, in their own folders, where their
    checkpoints are."""
    from optuna import trial as trials

    for trial in study.get_trials(deepcopy=False, states=(trials.TrialState.RUNNING,)):
        if _FOLDER in trial.user_attrs:
            study.enqueue_trial(trial.params, user_attrs={_FOLDER: trial.user_attrs[_FOLDER]})
        study.tell(trial.number, state=trials.TrialState.FAIL)
