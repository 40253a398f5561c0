"""Trials of a sweep: suggested, trained one after another in this process, and pruned.

Owns the order of a trial (suggest, train, report each epoch, prune) and how an interrupted one
continues. Trials share this process, one strategy and the data read; a process a trial was rejected
because each would read the data and start TensorFlow again.
"""

import contextlib
import dataclasses
import gc
import pathlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import optuna

from runtime import errors, json_log, terminal
from trainer.config import run_config
from trainer.data import dataset_version
from trainer.training import pretrained
from trainer.tuning import options, search_space
from trainer.tuning import study as study_lib

if TYPE_CHECKING:
    from trainer.data import examples
    from trainer.run import context
    from trainer.training import trainer as trainer_lib

LOG = "log.txt"
"""What a trial prints, in its folder."""

_MAX_SUGGESTIONS = 100
"""In a row, of settings that were trained already, after which there are thought no others."""

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
    shared = run_config.flat(ctx.settings)
    failed: dict[search_space.Key, int] = {}
    for _ in range(left):
        trial = _new_trial(study, vary=asked.vary, shared=shared, failed=failed)
        if trial is None:
            trained, varied = len(_trained_before(study, shared=shared)), ", ".join(asked.vary)
            print(
                f"sweep         ends: {trained} trials, and no other settings of {varied} found; "
                "the same command looks again"
            )
            return
        # The folder is stored before training, so that an interrupted trial is found again.
        name = trial.user_attrs.get(study_lib.FOLDER) or f"trial-{trial.number:04d}"
        trial.set_user_attr(study_lib.FOLDER, name)
        trial.set_user_attr(study_lib.VARY, asked.vary)
        folder = pathlib.Path(asked.sweep_dir)
        _print_start(trial, log=folder / name / LOG)
        chosen = search_space.choose(trial, names=asked.vary)
        outcome = _train(trial, chosen=chosen, reader=reader, folder=folder)
        study.tell(trial, outcome.score, state=outcome.state)
        if outcome.state == _State.FAIL:  # Not at the next start: its cause may have passed.
            failed[search_space.key(shared | chosen)] = trial.number
        json_log.write(
            "trial_end",
            trial=trial.number,
            state=outcome.state.name.lower(),
            score=outcome.score,
            remark=outcome.remark,
            settings=chosen,
        )
        print(_line(study, number=trial.number, outcome=outcome, chosen=chosen), flush=True)


def _trained_before(
    study: optuna.Study, *, shared: search_space.Settings
) -> dict[search_space.Key, int]:
    """Return the numbers of the trained trials by their settings, of which some are shared."""
    trained = study.get_trials(deepcopy=False, states=(_State.COMPLETE, _State.PRUNED))
    return {
        search_space.key(shared | study_lib.settings_of(trial)): trial.number
        for trial in reversed(trained)
    }


def _new_trial(
    study: optuna.Study,
    *,
    vary: Sequence[str],
    shared: search_space.Settings,
    failed: Mapping[search_space.Key, int],
) -> optuna.Trial | None:
    """Return a trial whose settings none was trained with, or None if none is found.

    Trials are repeatable: the same settings would have the same score. After a first repetition
    they are suggested at random, since the sampler may well suggest its favourite again.
    """
    before = {**failed, **_trained_before(study, shared=shared)}
    sampler = study.sampler
    try:
        for _ in range(_MAX_SUGGESTIONS):
            trial = study.ask()
            if set(trial.user_attrs.get(study_lib.VARY, vary)) != set(vary):
                # Interrupted, and not begun again before another command varied something else.
                study_lib.print_given_up(trial)
                study.tell(trial, state=_State.FAIL)
                continue
            chosen = search_space.choose(trial, names=vary)
            number = before.get(search_space.key(shared | chosen))
            if number is None:
                return trial
            trial.set_user_attr(study_lib.REPEATS, number)
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
    from trainer.data import holdout  # Inside: `study.open_study` must not wait for TensorFlow.
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
    import keras  # Inside: `study.open_study` must not wait for TensorFlow.

    model_dir = folder / trial.user_attrs[study_lib.FOLDER]
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
    # Inside: `study.open_study` must not wait for TensorFlow.
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
