"""One run: epochs, what is looked at after each, when state is saved.

Everything between two checkpoints is a function of (configuration, data, epoch, step), so a run that was cut off ends
in the same weights. Callbacks were rejected as the way to hang things on a run: their own state is what resuming
forgets.
"""

import functools
import pathlib
import sys
import time
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from trainer import (
    assembly,
    input,
    interrupt,
    logs,
    memory,
    metrics,
    order,
    pictures,
    prediction,
    progress,
    refusal,
    standing,
    watch,
)


class Session:
    """The parts of a run, and where it stands."""

    def __init__(
        self,
        at: assembly.Site,
        *,
        network: keras.Model,
        train: pictures.Split,
        validation: pictures.Split,
        model_dir: pathlib.Path,
    ) -> None:
        self._at, self._network, self._model_dir = at, network, model_dir
        self._train, self._validation = train, validation
        self._steps = at.shape.num_steps(train.num_examples)
        self._program = assembly.program(network, at=at, split=train)
        self._predictor = prediction.Predictor(network, strategy=at.strategy)
        self._tensorboard = logs.TensorBoard(model_dir)
        self._standing = standing.restore(program=self._program, model_dir=model_dir, data=at.version.fingerprint)
        self._saved_at_s, self._saved_at_step = time.monotonic(), self._standing.step
        self._is_compiled = False
        self._interrupt = interrupt.Interrupt()

    def train(self) -> list[dict[str, float]]:
        """Train the epochs that are left and return the history, one row an epoch."""
        at, epochs = self._standing, self._at.settings.training.epochs
        if at.has_begun:
            where = "its end" if at.epoch >= epochs else f"epoch {at.epoch + 1}, step {at.step}"
            print(f"continuing    {self._model_dir} at {where}: the result will be that of an unbroken run", flush=True)
        calls = self._calls(first_epoch=at.epoch, first_step=at.step)
        self._program.compile(calls.element_spec)
        while at.epoch < epochs:
            clock = watch.Watch()
            while at.step < self._steps:
                self._take_call(calls, clock=clock)
            self._end_epoch(clock)
        return at.history

    def _calls(self, *, first_epoch: int, first_step: int) -> tf.distribute.DistributedIterator:
        training, shape, num_examples = self._at.settings.training, self._at.shape, self._train.num_examples
        left = range(first_epoch, training.epochs)
        lines = input.plan(num_examples, shape=shape, epochs=left, first_step=first_step)
        order_of = self._order()
        calls = input.calls(self._train, lines=lines, shape=shape, order_of=lambda epoch: order_of(epoch=epoch))
        return input.distribute(calls, strategy=self._at.strategy)

    def _order(self) -> Callable[..., np.ndarray]:
        seed = self._at.settings.training.seed
        if self._at.settings.imbalance.sampling == "natural":
            return functools.partial(order.natural, self._train.num_examples, seed=seed)
        targets = assembly.targets(self._at, split=self._train)
        return functools.partial(order.drawn, self._train.labels, targets=targets, seed=seed)

    def _take_call(self, calls: Iterator[input.Call], *, clock: watch.Watch) -> None:
        at = self._standing
        call = clock.waiting(calls)
        sums = self._program.train(call, first_step=at.epoch * self._steps + at.step)
        self._check_finite(sums[:, 0])
        at.add(sums)
        clock.images += int(sums[:, 2].sum())
        progress.show(self._line(clock), final=at.step == self._steps)
        if not self._is_compiled:
            self._warm_up(clock)
        if at.step < self._steps and (self._is_time_to_save() or self._interrupt.name):
            self._save()
        if self._interrupt.name:
            self._stop()

    def _warm_up(self, clock: watch.Watch) -> None:
        """Leave the first call, which was mostly compilation, out of the speed."""
        self._is_compiled = True
        memory.keep_freed()
        if self._standing.step < self._steps:
            clock.restart()

    def _end_epoch(self, clock: watch.Watch) -> None:
        at = self._standing
        with self._program.judged():
            row = self._row(clock)
            at.end_epoch(row)
            if at.best_epoch == at.epoch:
                standing.save_best(self._network, model_dir=self._model_dir, facts={"epoch": at.epoch})
        print(f"              val_loss {row['val_loss']:.3f}  val_acc {row['val_accuracy']:.3f}", flush=True)
        logs.write_csv(at.history, path=self._model_dir / logs.HISTORY)
        self._tensorboard.write(row)
        self._save()

    def _row(self, clock: watch.Watch) -> dict[str, float]:
        at, speed = self._standing, (clock.images_per_s, clock.input_wait_frac)
        last_step = (at.epoch + 1) * self._steps
        return {
            "epoch": at.epoch + 1,
            "step": last_step,
            "loss": at.sums[0] / at.sums[2],
            "accuracy": at.sums[1] / at.sums[2],
            **self._validate(),
            "learning_rate": self._program.rate(last_step - 1),
            "images_per_s": speed[0],
            "input_wait_frac": speed[1],
        }

    def _validate(self) -> dict[str, float]:
        labels, batch_size = self._validation.labels, self._at.settings.training.batch_size
        chances = self._predictor.probabilities(self._validation, batch_size=batch_size)
        judgement = metrics.judge(labels, chances, class_names=self._at.version.class_names)
        of_truth = np.maximum(chances[np.arange(len(labels)), labels], np.finfo(np.float32).tiny)
        return {
            "val_loss": float(-np.log(of_truth).mean()),
            "val_accuracy": judgement.accuracy,
            "val_macro_f1": judgement.macro.f1,
        }

    def _line(self, clock: watch.Watch) -> str:
        at, training = self._standing, self._at.settings.training
        left = (training.epochs - at.epoch) * self._train.num_examples - at.sums[2]
        reading = progress.Reading(
            epoch=at.epoch + 1,
            epochs=training.epochs,
            step=at.step,
            steps=self._steps,
            loss=at.sums[0] / at.sums[2],
            accuracy=at.sums[1] / at.sums[2],
            images_per_s=clock.images_per_s,
            input_wait_frac=clock.input_wait_frac,
            left_s=left / clock.images_per_s,
        )
        return progress.line(reading, num_replicas=self._at.shape.num_replicas)

    def _check_finite(self, losses: np.ndarray) -> None:
        if np.isfinite(losses).all():
            return
        step = self._standing.step + int(np.argmin(np.isfinite(losses))) + 1
        raise refusal.Refusal(
            f"the loss is no longer a finite number in epoch {self._standing.epoch + 1}, step {step}. The last good "
            f"checkpoint stays in {self._model_dir}; a lower --learning_rate or --clip_norm=1 usually helps"
        )

    def _is_time_to_save(self) -> bool:
        often = self._at.settings.run
        steps = self._standing.step - self._saved_at_step
        by_step = often.checkpoint_steps is not None and steps >= often.checkpoint_steps
        return by_step or time.monotonic() - self._saved_at_s >= 60 * often.checkpoint_minutes

    def _stop(self) -> None:
        print(f"\nstopped by {self._interrupt.name}: the same command continues {self._model_dir}", file=sys.stderr)
        sys.exit(self._interrupt.exit_code)

    def _save(self) -> None:
        standing.save(self._standing, program=self._program, model_dir=self._model_dir, steps_per_epoch=self._steps)
        self._saved_at_s, self._saved_at_step = time.monotonic(), self._standing.step
