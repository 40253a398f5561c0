"""Training loop: runs epochs, evaluates after each, saves checkpoints.

Owns the order of a run. Everything between two checkpoints is a function of (configuration, data,
epoch, step), so an interrupted run ends in the same weights. Keras callbacks were rejected: they
keep state of their own, which resuming forgets.
"""

import contextlib
import pathlib
import sys
import time
from collections.abc import Generator, Iterator

import keras
import numpy as np

from runtime import errors, json_log, machine
from trainer.data import examples, input_pipeline
from trainer.distributed import watchdog
from trainer.evaluation import predictor
from trainer.monitoring import run_logger, throughput
from trainer.optim import lr_schedule, norms
from trainer.run import best_weights, context, model_folder
from trainer.training import (
    checkpointing,
    epoch_selection,
    setup,
    signals,
    soft_targets,
    train_input,
)


class Trainer:
    """Model, data and training state of one run, and the loop over its epochs."""

    def __init__(
        self,
        ctx: context.RunContext,
        *,
        network: keras.Model,
        train: examples.Split,
        selection: examples.Split,
        model_dir: pathlib.Path,
        logger: run_logger.RunLogger | None = None,
    ) -> None:
        self._ctx = ctx
        self._network = network
        self._train_split = train
        self._model_dir = model_dir
        self._steps_per_epoch = ctx.layout.num_steps(train.num_examples)
        self._train_step = setup.build_train_step(network, ctx=ctx, split=train)
        self._selector = _make_selector(ctx, network=network, selection=selection)
        self._logger = logger or run_logger.RunLogger(
            ctx, model_dir=model_dir, num_examples=train.num_examples
        )
        self._state = checkpointing.restore(
            train_step=self._train_step,
            model_dir=model_dir,
            data=soft_targets.fingerprint(train, data=ctx.version.fingerprint),
            what=soft_targets.what(train),
            connection=ctx.connection,
        )
        if ctx.is_chief:
            checkpointing.mend_best(
                self._state,
                model_dir=model_dir,
                facts=self._best_facts(epoch=self._state.best_epoch),
            )
        self._saved_at_s = time.monotonic()
        self._saved_at_step = self._state.step
        self._is_compiled = False
        self._watchdog = watchdog.Watchdog(limit_s=_stall_limit_s(ctx), model_dir=str(model_dir))
        self._interrupt = signals.InterruptHandler(model_dir=model_dir)

    def train(self) -> list[dict[str, float]]:
        """Train the remaining epochs and return the history, one row per epoch."""
        for _ in self.epochs():
            pass
        return self._state.history

    def epochs(self) -> Generator[dict[str, float], None, None]:
        """Train one epoch at a time and yield its history row; close it to end the run."""
        state = self._state
        self._logger.start(state)
        groups = train_input.step_groups(
            self._ctx, split=self._train_split, first_epoch=state.epoch, first_step=state.step
        )
        self._train_step.compile(groups.element_spec)
        with contextlib.ExitStack() as stack:
            # Here: it defers Ctrl-C to the end of a step, and outside of the loop there is none.
            stack.enter_context(self._interrupt)
            stack.enter_context(self._watchdog)
            stack.callback(lambda: self._logger.end(state, stalled=self._has_stalled()))
            while state.epoch < self._ctx.settings.training.epochs and not self._has_stalled():
                timer = throughput.EpochTimer()
                while state.step < self._steps_per_epoch:
                    self._train_group(groups, timer=timer)
                self._end_epoch(timer)
                # Several hosts stop after the next step, together.
                if self._interrupt.name and self._ctx.connection.num_hosts == 1:
                    self._stop()
                yield state.history[-1]

    def scores(self) -> Generator[float, None, None]:
        """Yield the selection score of each epoch, those of earlier starts first.

        Training continues when the next score is requested.
        """
        yield from map(self._selector.score, list(self._state.history))
        with contextlib.closing(self.epochs()) as epochs:
            yield from map(self._selector.score, epochs)

    @property
    def best_score(self) -> float:
        """Score of the best epoch."""
        return self._state.best_score

    def _has_stalled(self) -> bool:
        return self._state.has_stalled(patience=self._ctx.settings.selection.patience)

    def _train_group(
        self, groups: Iterator[input_pipeline.StepGroup], *, timer: throughput.EpochTimer
    ) -> None:
        self._watchdog.hear()
        state = self._state
        budget = self._logger.time_budget
        with budget.spent(throughput.INPUT if self._is_compiled else throughput.START_UP):
            group = timer.waiting(groups)
        if not state.has_begun:
            self._logger.first_batch(self._train_step.first_microbatches(group))
        with budget.spent(throughput.STEPS if self._is_compiled else throughput.START_UP):
            sums = self._run_steps(group)
        # Before the state changes: a checkpoint must never hold a step whose loss is not finite.
        self._check_finite(sums)
        state.add(sums[:, :3], norms=sums[:, 4:])
        timer.images += int(sums[:, 2].sum())
        self._logger.progress(state, timer=timer)
        if not self._is_compiled:
            self._end_warm_up(timer)
        self._save_or_stop(is_stopping=self._is_asked_to_stop(sums))

    def _save_or_stop(self, *, is_stopping: bool) -> None:
        # At the end of an epoch the checkpoint is saved after the evaluation.
        is_within_epoch = self._state.step < self._steps_per_epoch
        if is_stopping or (is_within_epoch and self._is_time_to_save()):
            self._save()
        if is_stopping:
            self._stop()

    def _is_asked_to_stop(self, sums: np.ndarray) -> bool:
        """Return whether a host was asked to stop.

        Several hosts must stop after the same step, so they go by the sum over all of them.
        """
        if self._ctx.connection.num_hosts == 1:
            return self._interrupt.name is not None
        return bool(sums[-1, 3] > 0)

    def _run_steps(self, group: input_pipeline.StepGroup) -> np.ndarray:
        steps_left = self._steps_per_epoch - self._state.step
        first = self._state.epoch * self._steps_per_epoch + self._state.step
        last = first + min(self._ctx.layout.steps_per_execution, steps_left)
        self._logger.profiler.before(first_step=first + 1, last_step=last)
        stop = self._interrupt.name is not None
        sums = self._train_step.train(
            group, first_step=first, stop=stop, rate_factor=self._rate_factor()
        )
        self._logger.profiler.after(last)
        return sums

    def _end_warm_up(self, timer: throughput.EpochTimer) -> None:
        """Leave the first step group, which was mostly compilation, out of the speed."""
        self._is_compiled = True
        # After the first step group: TensorFlow changes malloc while it builds the iterator.
        machine.keep_freed()
        # Unless the epoch is over: its speed would then be that of no step at all.
        if self._state.step < self._steps_per_epoch:
            timer.restart()

    def _end_epoch(self, timer: throughput.EpochTimer) -> None:
        self._watchdog.hear()
        state = self._state
        budget = self._logger.time_budget
        # Read before the evaluation, whose time is not training's.
        speed = {"images_per_s": timer.images_per_s, "input_wait_frac": timer.input_wait_frac}
        with budget.spent(throughput.EVALUATION), self._train_step.evaluation_weights():
            evaluation = self._selector.evaluate()
            row = {
                **self._train_metrics(),
                **evaluation.numbers,
                "learning_rate": self._last_learning_rate(),
                **speed,
                "epoch_s": timer.total_s,
                **dict(zip(norms.NAMES, state.mean_norms, strict=True)),
            }
            state.end_epoch(row, score=self._selector.score(row))
            # Before the checkpoint: a run killed between the two repeats the epoch and writes the
            # best weights again; the other way round they would be missing.
            if self._ctx.is_chief:
                model_folder.check_there(self._model_dir)
            if self._ctx.is_chief and state.best_epoch == state.epoch:
                best_weights.save_best(
                    self._network,
                    model_dir=self._model_dir,
                    facts=self._best_facts(epoch=state.epoch),
                )
        self._logger.epoch(
            state.history, prefix=self._selector.prefix, metrics=evaluation.classification
        )
        with budget.spent(throughput.CHECKPOINTS):
            self._save()

    def _train_metrics(self) -> dict[str, float]:
        losses, correct, count = self._state.sums
        return {
            "epoch": self._state.epoch + 1,
            "step": (self._state.epoch + 1) * self._steps_per_epoch,
            "loss": losses / count,
            "accuracy": correct / count,
        }

    def _last_learning_rate(self) -> float:
        """Return the learning rate of the current epoch's last step."""
        step = (self._state.epoch + 1) * self._steps_per_epoch - 1
        return self._train_step.learning_rate(step) * self._rate_factor()

    def _rate_factor(self) -> float:
        """Return the factor of the schedule's learning rate that the epochs so far lead to."""
        scores = [self._selector.score(row) for row in self._state.history]
        return lr_schedule.plateau_factor(scores, settings=self._ctx.settings.optimization)

    def _best_facts(self, *, epoch: int) -> dict[str, object]:
        return {"epoch": epoch, "chosen_by": self._selector.describe()}

    def _check_finite(self, sums: np.ndarray) -> None:
        """Refuse a loss, or weights after a step, that are no numbers; see `TrainStep.train`."""
        kinds = {
            "the loss is no longer a finite number": sums[:, 0],
            "the weights are no longer finite numbers": sums[:, -1],  # With a loss that still is.
        }
        for what, values in kinds.items():
            is_finite = np.isfinite(values)
            if not is_finite.all():
                step = self._state.step + int(np.argmin(is_finite)) + 1
                raise errors.UserError(
                    f"{what} in epoch {self._state.epoch + 1}, step {step}; the last good "
                    f"checkpoint stays in {self._model_dir}; a lower --learning_rate or "
                    "--clip_norm=1 usually helps"
                )

    def _is_time_to_save(self) -> bool:
        run = self._ctx.settings.run
        steps = self._state.step - self._saved_at_step
        by_step = run.checkpoint_steps is not None and steps >= run.checkpoint_steps
        return by_step or time.monotonic() - self._saved_at_s >= 60 * run.checkpoint_minutes

    def _stop(self) -> None:
        everywhere = "" if self._ctx.connection.num_hosts == 1 else " on every host"
        cause = self._interrupt.name or "a signal to another host"
        # Wait for the chief to have saved: launchers kill it, too, once another host has ended.
        self._ctx.connection.from_chief(b"")
        json_log.write("stopped", level="warning", cause=cause, model_dir=str(self._model_dir))
        print(
            f"\nstopped by {cause}: the same command{everywhere} continues {self._model_dir}",
            file=sys.stderr,
        )
        sys.exit(self._interrupt.exit_code)

    def _save(self) -> None:
        if self._ctx.is_chief:
            model_folder.check_there(self._model_dir)
            checkpointing.save(
                self._state,
                train_step=self._train_step,
                model_dir=self._model_dir,
                steps_per_epoch=self._steps_per_epoch,
            )
        self._saved_at_s = time.monotonic()
        self._saved_at_step = self._state.step


def _make_selector(
    ctx: context.RunContext, *, network: keras.Model, selection: examples.Split
) -> epoch_selection.EpochSelector:
    settings = ctx.settings
    return epoch_selection.EpochSelector(
        selection,
        predictor=predictor.Predictor(network, strategy=ctx.strategy, views=ctx.views.of_epochs),
        batch_size=settings.training.batch_size,
        class_names=ctx.version.class_names,
        settings=settings.selection,
    )


def _stall_limit_s(ctx: context.RunContext) -> float:
    """Return the limit of the watchdog, which a single host does not need."""
    if ctx.connection.num_hosts == 1:
        return 0.0
    return 60 * ctx.settings.devices.host_stall_minutes
