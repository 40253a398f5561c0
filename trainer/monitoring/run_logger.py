"""Run logger: progress line, history.csv, TensorBoard, trackers, events and profile of a run.

Owns what is shown and written when; nothing here changes the run. Of several hosts the chief alone
writes files. It is apart from the training loop so that the order of training can be read without
it.
"""

import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from runtime import json_log, terminal
from trainer.augment import prepared_batch
from trainer.evaluation import metrics as metrics_lib
from trainer.monitoring import (
    batch_preview,
    experiment_trackers,
    memory_usage,
    profiler,
    progress_line,
    tensorboard,
    throughput,
)
from trainer.reports import figures
from trainer.run import context, train_state
from trainer.run import history as history_lib

CONFUSION_MATRIX_EVERY_S = 30
"""Shortest time between two confusion matrices in TensorBoard.

Drawing one takes longer than an epoch of a small data set.
"""


class RunLogger:
    """Log one run."""

    def __init__(
        self,
        ctx: context.RunContext,
        *,
        model_dir: pathlib.Path,
        num_examples: int,
        trackers: experiment_trackers.Trackers | None = None,
        on_progress: Callable[[Sequence[terminal.Part]], None] = lambda parts: None,
    ) -> None:
        """Log to files in `model_dir` and to standard output.

        Args:
          ctx: of the run.
          model_dir: folder of the run.
          num_examples: of an epoch.
          trackers: started ones.
          on_progress: also gets the parts of the progress line after each step group.
        """
        self._ctx = ctx
        self._line = terminal.ProgressLine()
        self._trackers = trackers or experiment_trackers.Trackers()
        self._on_progress = on_progress
        self._model_dir = model_dir
        self._num_examples = num_examples
        self._steps_per_epoch = ctx.layout.num_steps(num_examples)
        self._tensorboard = tensorboard.TensorBoard(model_dir) if ctx.is_chief else None
        profile_steps = ctx.settings.run.profile_steps if ctx.is_chief else ()
        self.profiler = profiler.Profiler(profile_steps, model_dir=model_dir)
        self.time_budget = throughput.TimeBudget()
        self._confusion_due_s = time.monotonic()

    def start(self, state: train_state.TrainState) -> None:
        """Print where a run continues, and write its history again, which may be damaged."""
        self._write_start(state)
        if not state.has_begun:
            return
        where = f"epoch {state.epoch + 1}, step {state.step}"
        if state.epoch >= self._ctx.settings.training.epochs:
            where = "its end"
        print(
            f"continuing    {self._model_dir} at {where}: the result will be that of an unbroken "
            "run",
            flush=True,
        )
        if self._ctx.is_chief and state.history:
            self._write_history(state.history)

    def first_batch(self, parts: list[prepared_batch.Microbatch]) -> None:
        """Write the first batch as the network gets it to TensorBoard."""
        if self._tensorboard is None:
            return
        png = batch_preview.draw(parts, class_names=self._ctx.version.class_names)
        self._tensorboard.write_image("batch", png=png, step=0)

    def progress(self, state: train_state.TrainState, *, timer: throughput.EpochTimer) -> None:
        """Show the progress of the epoch after a step group."""
        is_final = state.step == self._steps_per_epoch
        parts = self._parts(state, timer=timer)
        self._line.show(parts, final=is_final)
        self._on_progress(parts)

    def epoch(
        self,
        history: list[dict[str, float]],
        *,
        prefix: str,
        metrics: metrics_lib.ClassificationMetrics,
    ) -> None:
        """Print and write the metrics of an epoch."""
        if self._tensorboard is None:
            return
        row = history[-1]
        split = prefix.removesuffix("_")
        loss = f"{split}_loss {row[prefix + 'loss']:.3f}"
        print(f"              {loss}  {split}_acc {row[prefix + 'accuracy']:.3f}", flush=True)
        self._write_history(history)
        self._tensorboard.write(row, prefix=prefix)
        self._trackers.log(row, step=int(row["step"]))
        numbers: dict[str, Any] = dict(row)
        json_log.write("epoch", model_dir=str(self._model_dir), **numbers)
        is_last = row["epoch"] == self._ctx.settings.training.epochs
        if is_last or time.monotonic() >= self._confusion_due_s:
            confusion = figures.png(figures.confusion_figure(metrics, split=split))
            self._tensorboard.write_image("confusion_matrix", png=confusion, step=int(row["step"]))
            self._confusion_due_s = time.monotonic() + CONFUSION_MATRIX_EVERY_S

    def end(self, state: train_state.TrainState, *, stalled: bool) -> None:
        """Print why training ended, and what limited its speed."""
        self._line.close()
        self.profiler.stop()
        if self._ctx.is_chief:
            json_log.write(
                "training_end",
                model_dir=str(self._model_dir),
                epochs=state.epoch,
                best_epoch=state.best_epoch,
                stopped_early=stalled,
            )
        if stalled:
            patience = self._ctx.settings.selection.patience
            print(
                f"stopped       {patience} epochs without a better one than epoch "
                f"{state.best_epoch} (--patience)"
            )
        if any(self.time_budget.seconds.values()):
            print(f"speed         {self.time_budget.summary()}", flush=True)

    def _write_history(self, history: list[dict[str, float]]) -> None:
        history_lib.write_csv(history, path=self._model_dir / history_lib.HISTORY)

    def _write_start(self, state: train_state.TrainState) -> None:
        """Write the settings of the run to TensorBoard, and the event of its start."""
        if self._tensorboard is None:
            return
        settings = self._ctx.settings
        self._tensorboard.write_hparams(experiment_trackers.decisive(settings))
        json_log.write(
            "training_start",
            model_dir=str(self._model_dir),
            data=self._ctx.version.name,
            fingerprint=self._ctx.version.fingerprint,
            devices=self._ctx.device_line,
            model=settings.model.model,
            epochs=settings.training.epochs,
            steps_per_epoch=self._steps_per_epoch,
            batch_size=settings.training.batch_size,
            continues_at={"epoch": state.epoch + 1, "step": state.step}
            if state.has_begun
            else None,
        )

    def _parts(
        self, state: train_state.TrainState, *, timer: throughput.EpochTimer
    ) -> list[terminal.Part]:
        epochs = self._ctx.settings.training.epochs
        losses, correct, count = state.sums
        examples_left = (epochs - state.epoch) * self._num_examples - count
        progress = progress_line.Progress(
            epoch=state.epoch + 1,
            epochs=epochs,
            step=state.step,
            steps=self._steps_per_epoch,
            loss=losses / count,
            accuracy=correct / count,
            images_per_s=timer.images_per_s,
            input_wait_frac=timer.input_wait_frac,
            memory_bytes=memory_usage.bytes_in_use(),
            left_s=examples_left / timer.images_per_s,
        )
        return progress_line.parts(progress, num_replicas=self._ctx.layout.num_replicas)
