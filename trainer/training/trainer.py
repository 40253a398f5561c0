"""One run: epochs, what is looked at after each, when state is saved.

Everything between two checkpoints is a function of (configuration, data, epoch, step), so a run
that was cut off ends in the same weights. Callbacks were rejected as the way to hang things on a
run: their own state is what resuming forgets.
"""

import contextlib
import pathlib
import sys
import time
from collections.abc import Generator, Iterator

import keras
import numpy as np

from runtime import errors, malloc
from trainer.data import examples, input_pipeline
from trainer.distributed import watchdog
from trainer.evaluation import predictor
from trainer.monitoring import run_logger, throughput
from trainer.run import best_weights, context
from trainer.training import checkpointing, epoch_selection, setup, signals, train_input


class Trainer:
    """The parts of a run, and where it stands."""

    def __init__(
        self,
        ctx: context.RunContext,
        *,
        network: keras.Model,
        train: examples.Split,
        selection: examples.Split,
        model_dir: pathlib.Path,
    ) -> None:
        settings = ctx.settings
        self._ctx, self._network, self._model_dir, self._train = ctx, network, model_dir, train
        self._steps = ctx.shape.num_steps(train.num_examples)
        self._program = setup.build_train_step(network, ctx=ctx, split=train)
        self._selector = epoch_selection.EpochSelector(
            selection,
            predictor=predictor.Predictor(
                network, strategy=ctx.strategy, tta_flip=settings.selection.tta_flip
            ),
            batch_size=settings.training.batch_size,
            class_names=ctx.version.class_names,
            settings=settings.selection,
        )
        self._display = run_logger.RunLogger(
            ctx, model_dir=model_dir, num_examples=train.num_examples
        )
        self._standing = checkpointing.restore(
            program=self._program,
            model_dir=model_dir,
            data=ctx.version.fingerprint,
            connection=ctx.connection,
        )
        self._saved_at_s, self._saved_at_step = time.monotonic(), self._standing.step
        self._is_compiled = False
        stall_minutes = settings.devices.host_stall_minutes if ctx.connection.num_hosts > 1 else 0
        self._watchdog = watchdog.Watchdog(limit_s=60 * stall_minutes, model_dir=str(model_dir))
        self._interrupt = signals.InterruptHandler()

    def train(self) -> list[dict[str, float]]:
        """Train the epochs that are left and return the history, one row an epoch."""
        for _ in self.epochs():
            pass
        return self._standing.history

    def epochs(self) -> Iterator[dict[str, float]]:
        """Train an epoch at a time and give its history row; whoever stops asking stops the run."""
        at, patience = self._standing, self._ctx.settings.selection.patience
        self._display.begin(at)
        calls = train_input.step_groups(
            self._ctx, split=self._train, first_epoch=at.epoch, first_step=at.step
        )
        self._program.compile(calls.element_spec)
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._watchdog)
            stack.callback(lambda: self._display.end(at, stalled=at.has_stalled(patience=patience)))
            while at.epoch < self._ctx.settings.training.epochs and not at.has_stalled(
                patience=patience
            ):
                clock = throughput.EpochTimer()
                while at.step < self._steps:
                    self._take_call(calls, clock=clock)
                self._end_epoch(clock)
                yield at.history[-1]

    def scores(self) -> Generator[float, None, None]:
        """Give the score by which epochs are chosen, of those trained before as well; train on when
        asked for more."""
        yield from map(self._selector.score, list(self._standing.history))
        yield from map(self._selector.score, self.epochs())

    @property
    def best_score(self) -> float:
        """Score of the best epoch."""
        return self._standing.best_score

    def close(self) -> None:
        """Leave signals to who had them before."""
        self._interrupt.release()

    def _take_call(
        self, calls: Iterator[input_pipeline.StepGroup], *, clock: throughput.EpochTimer
    ) -> None:
        self._watchdog.hear()
        at, ledger = self._standing, self._display.ledger
        with ledger.spent("waiting for input" if self._is_compiled else "starting"):
            call = clock.waiting(calls)
        if not at.has_begun:
            self._display.batch(self._program.look(call))
        with ledger.spent("steps" if self._is_compiled else "starting"):
            sums = self._steps_of(call)
        self._check_finite(sums[:, 0])
        at.add(sums[:, :3])
        clock.images += int(sums[:, 2].sum())
        self._display.call(at, clock=clock)
        if not self._is_compiled:
            self._warm_up(clock)
        is_stopping = self._is_asked_to_stop(sums)
        if is_stopping or (at.step < self._steps and self._is_time_to_save()):
            self._save()
        if is_stopping:
            self._stop()

    def _is_asked_to_stop(self, sums: np.ndarray) -> bool:
        """Whether a host was: several hosts must agree on the step, so they go by what all of them
        have been told."""
        is_alone = self._ctx.connection.num_hosts == 1
        return self._interrupt.name is not None if is_alone else bool(sums[-1, 3] > 0)

    def _steps_of(self, call: input_pipeline.StepGroup) -> np.ndarray:
        first = self._standing.epoch * self._steps + self._standing.step
        last = first + min(self._ctx.shape.steps_per_execution, self._steps - self._standing.step)
        self._display.profiler.before(first_step=first + 1, last_step=last)
        sums = self._program.train(call, first_step=first, stop=self._interrupt.name is not None)
        self._display.profiler.after(last)
        return sums

    def _warm_up(self, clock: throughput.EpochTimer) -> None:
        """Leave the first call, which was mostly compilation, out of the speed."""
        self._is_compiled = True
        malloc.keep_freed()
        if self._standing.step < self._steps:
            clock.restart()

    def _end_epoch(self, clock: throughput.EpochTimer) -> None:
        self._watchdog.hear()
        at, ledger = self._standing, self._display.ledger
        speed = {"images_per_s": clock.images_per_s, "input_wait_frac": clock.input_wait_frac}
        with ledger.spent("judging"), self._program.evaluation_weights():
            verdict = self._selector.judge()
            row = {**self._sums(), **verdict.numbers, **self._rate(), **speed}
            at.end_epoch(row, score=self._selector.score(row))
            if self._ctx.is_chief and at.best_epoch == at.epoch:
                best_weights.save_best(
                    self._network, model_dir=self._model_dir, facts=self._facts()
                )
        self._display.epoch(at.history, prefix=self._selector.prefix, judgement=verdict.judgement)
        with ledger.spent("saving"):
            self._save()

    def _sums(self) -> dict[str, float]:
        at = self._standing
        losses, right, count = at.sums
        return {
            "epoch": at.epoch + 1,
            "step": (at.epoch + 1) * self._steps,
            "loss": losses / count,
            "accuracy": right / count,
        }

    def _rate(self) -> dict[str, float]:
        return {"learning_rate": self._program.rate((self._standing.epoch + 1) * self._steps - 1)}

    def _facts(self) -> dict[str, object]:
        return {"epoch": self._standing.epoch, "chosen_by": self._selector.describe()}

    def _check_finite(self, losses: np.ndarray) -> None:
        if np.isfinite(losses).all():
            return
        step = self._standing.step + int(np.argmin(np.isfinite(losses))) + 1
        raise errors.UserError(
            f"the loss is no longer a finite number in epoch {self._standing.epoch + 1}, step {step}. The last good "
            f"checkpoint stays in {self._model_dir}; a lower --learning_rate or --clip_norm=1 usually helps"
        )

    def _is_time_to_save(self) -> bool:
        often = self._ctx.settings.run
        steps = self._standing.step - self._saved_at_step
        by_step = often.checkpoint_steps is not None and steps >= often.checkpoint_steps
        return by_step or time.monotonic() - self._saved_at_s >= 60 * often.checkpoint_minutes

    def _stop(self) -> None:
        where = "" if self._ctx.connection.num_hosts == 1 else " on every host"
        by = self._interrupt.name or "a signal to another host"
        self._ctx.connection.from_chief(
            b""
        )  # Saved. Launchers kill the chief, too, once another host has ended.
        print(
            f"\nstopped by {by}: the same command{where} continues {self._model_dir}",
            file=sys.stderr,
        )
        sys.exit(self._interrupt.exit_code)

    def _save(self) -> None:
        if self._ctx.is_chief:
            checkpointing.save(
                self._standing,
                program=self._program,
                model_dir=self._model_dir,
                steps_per_epoch=self._steps,
            )
        self._saved_at_s, self._saved_at_step = time.monotonic(), self._standing.step
