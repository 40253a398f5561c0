"""Search for a better CNN: python -m trainer.sweep --sweep_dir=runs/sweep --trials=40.

Owns the search: Optuna proposes, `session` trains in this process on one strategy, and a trial that falls behind is
given up. A process a trial was rejected: it would read the data and start TensorFlow anew each time. A sweep that was
cut off continues, in the very step of the trial that was under way.
"""

import contextlib
import dataclasses
import gc
import io
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runtime import errors, fields
from runtime import flags as flags_lib
from trainer import config, dataset, devices, quiet, space, weights

if TYPE_CHECKING:
    import optuna

    from trainer import assembly, pictures

ABOUT = """Search over the CNN family: every trial trains a network, and one that falls behind is given up early.

  python -m trainer.sweep --sweep_dir=runs/sweep --trials=40 --epochs=8 --holdout_frac=0.1
  python -m trainer.sweep --sweep_dir=runs/sweep --trials=60 --epochs=8 --holdout_frac=0.1     twenty more

What is not varied is set as for trainer.main."""

_OF_ONE_RUN = ("model_dir", "overwrite", "dry_run", "find_lr", "profile_steps")
_SETTINGS, _FOLDER = "settings", "folder"
_STARTUP_TRIALS, _STARTUP_EPOCHS = 5, 1
"""No trial is given up before there are this many others, nor in its first epoch."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sweep(fields.Checked):
    """The search."""

    sweep_dir: str = fields.field("runs/sweep", "folder of the sweep; one that was cut off continues")
    trials: int = fields.field(30, "trials in all, those of earlier starts counted", at_least=1)
    vary: tuple[str, ...] = fields.field(space.USUAL, "what is chosen", choices=tuple(space.CHOICES))
    prune: bool = fields.field(
        True, "give a trial up when its best epoch is below the median of the others at that time"
    )


SECTIONS: dict[str, type] = {"Sweep": Sweep, **config.SECTIONS}


def main() -> None:
    """Search as the flags say."""
    asked = Sweep(**flags_lib.given({"Sweep": Sweep}))
    given = flags_lib.given(config.SECTIONS)
    settings = settings_of(given)
    devices.refuse_early(settings.devices)
    path = dataset.locate(settings.data)
    study = open_study(asked, settings=settings)
    with quiet.chatter_off():
        from trainer import assembly, sweep_report  # Inside: the refusals above must not wait for TensorFlow.
    at = assembly.site(settings, version=dataset.open_version(path))
    run(study, asked=asked, at=at)
    sweep_report.write(study, sweep_dir=pathlib.Path(asked.sweep_dir), settings=settings)


def settings_of(given: Mapping[str, Any]) -> config.Config:
    """Return what all trials share.

    Raises:
      errors.UserError: for a flag that makes sense for a single run only, or a bad value.
    """
    for name in _OF_ONE_RUN:
        if name in given:
            raise errors.UserError(f"--{name} is for one run of trainer.main; a sweep has its --sweep_dir")
    return config.resolve(given)


def open_study(asked: Sweep, *, settings: config.Config) -> "optuna.Study":
    """Return the sweep of the folder, new or as it was left.

    Raises:
      errors.UserError: without Optuna, or if the sweep there has other settings.
    """
    try:
        import optuna  # Inside: an extra that only sweeps need.
    except ImportError:
        raise errors.UserError("a sweep needs Optuna: pip install 'affectnet-faces[sweep]'") from None
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


def pruner(asked: Sweep) -> "optuna.pruners.BasePruner":
    """Return what decides when a trial is given up."""
    from optuna import pruners

    if not asked.prune:
        return pruners.NopPruner()
    return pruners.MedianPruner(n_startup_trials=_STARTUP_TRIALS, n_warmup_steps=_STARTUP_EPOCHS + 1)


def run(study: "optuna.Study", *, asked: Sweep, at: "assembly.Site") -> None:
    """Run the trials that are left."""
    from optuna import trial as trials

    left = asked.trials - len(study.get_trials(states=(trials.TrialState.COMPLETE, trials.TrialState.PRUNED)))
    print(
        f"sweep         {asked.sweep_dir}: {max(left, 0)} of {asked.trials} trials left, over {', '.join(asked.vary)}"
    )
    if not at.settings.selection.holdout_frac:
        print("warning       the sweep chooses on validation itself; --holdout_frac=0.1 would leave it untouched")
    reader = Reader(at)
    for _ in range(left):
        trial = study.ask()
        trial.set_user_attr(_FOLDER, trial.user_attrs.get(_FOLDER) or f"trial-{trial.number:04d}")
        chosen = space.choose(trial, names=asked.vary)
        outcome = _train(trial, chosen=chosen, reader=reader, folder=pathlib.Path(asked.sweep_dir))
        study.tell(trial, outcome.score, state=outcome.state)
        print(_line(study, number=trial.number, outcome=outcome, chosen=chosen), flush=True)


class Reader:
    """The splits of a sweep, read once for each size of picture."""

    def __init__(self, at: "assembly.Site") -> None:
        self.at = at
        self._read: dict[int, tuple[pictures.Split, pictures.Split]] = {}

    def splits(self, at: "assembly.Site") -> "tuple[pictures.Split, pictures.Split]":
        """Return what a trial trains on, and what its epochs are chosen on."""
        from trainer import assembly, holdout

        if at.image_size not in self._read:
            train = assembly.read(at, split="train")
            frac = at.settings.selection.holdout_frac
            pair = holdout.divide(train, frac=frac) if frac else (train, assembly.read(at, split="validation"))
            self._read[at.image_size] = pair
        return self._read[at.image_size]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a trial ended."""

    state: "optuna.trial.TrialState"
    score: float | None
    remark: str


def _train(trial: "optuna.Trial", *, chosen: space.Settings, reader: Reader, folder: pathlib.Path) -> Outcome:
    """Train a trial in its own folder; a network that cannot be built, or diverges, is given up and not counted."""
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


def _score(trial: "optuna.Trial", *, chosen: space.Settings, reader: Reader, model_dir: pathlib.Path) -> Outcome:
    """Train the epochs of a trial that are left, telling the study of each, and return the best one's score."""
    from optuna import trial as trials

    from trainer import assembly, folder, session

    flat: dict[str, Any] = config.flat(reader.at.settings) | chosen | {"model_dir": str(model_dir)}
    at = dataclasses.replace(reader.at, settings=config.make(flat))
    folder.check(at.settings)
    train, selection = reader.splits(at)
    network = assembly.model(at)
    weights.load(network, model=at.settings.model, image_size=at.image_size)
    running = session.Session(
        at, network=network, train=train, selection=selection, model_dir=folder.claim(at.settings)
    )
    with contextlib.closing(running), contextlib.closing(running.scores()) as scores:
        for epoch, score in enumerate(scores, start=1):
            trial.report(score, step=epoch)
            if trial.should_prune():
                return Outcome(state=trials.TrialState.PRUNED, score=None, remark=f"given up after epoch {epoch}")
    return Outcome(state=trials.TrialState.COMPLETE, score=running.best_score, remark=f"best of {epoch} epochs")


def _line(study: "optuna.Study", *, number: int, outcome: Outcome, chosen: space.Settings) -> str:
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


def _check_same(study: "optuna.Study", *, settings: config.Config, folder: pathlib.Path) -> None:
    if _SETTINGS not in study.user_attrs:
        study.set_user_attr(_SETTINGS, config.flat(settings))
        return
    changed = config.difference(config.make(study.user_attrs[_SETTINGS]), new=settings)
    if changed:
        was, now = (" ".join(f"--{name}={_text(pair[i])}" for name, pair in changed.items()) for i in (0, 1))
        raise errors.UserError(
            f"{folder} holds a sweep with {was}, and this one has {now}: scores would not compare. Give this sweep a "
            f"folder of its own (--sweep_dir)"
        )


def _take_up(study: "optuna.Study") -> None:
    """Let the trials that were under way be the next ones, in their own folders, where their checkpoints are."""
    from optuna import trial as trials

    for trial in study.get_trials(deepcopy=False, states=(trials.TrialState.RUNNING,)):
        if _FOLDER in trial.user_attrs:
            study.enqueue_trial(trial.params, user_attrs={_FOLDER: trial.user_attrs[_FOLDER]})
        study.tell(trial.number, state=trials.TrialState.FAIL)


if __name__ == "__main__":
    flags_lib.define(SECTIONS)
    flags_lib.run(main, sections=SECTIONS, about=ABOUT)
