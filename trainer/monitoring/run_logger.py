"""What a run shows while it goes: a line, files of numbers, TensorBoard, a profile.

Owns what is shown when; nothing here changes the run. Of several hosts the chief alone writes
files. It is apart from the session so that the order of training can be read without it.
"""

import pathlib

from trainer.augment import prepared_batch
from trainer.evaluation import metrics
from trainer.monitoring import (
    batch_preview,
    memory_usage,
    profiler,
    progress_line,
    tensorboard,
    throughput,
)
from trainer.reports import figures
from trainer.run import context, train_state
from trainer.run import history as history_lib


class RunLogger:
    """Show one run."""

    def __init__(
        self, ctx: context.RunContext, *, model_dir: pathlib.Path, num_examples: int
    ) -> None:
        self._ctx, self._model_dir, self._num_examples = ctx, model_dir, num_examples
        self._steps = ctx.shape.num_steps(num_examples)
        self._tensorboard = tensorboard.TensorBoard(model_dir) if ctx.is_chief else None
        profiled = ctx.settings.run.profile_steps if ctx.is_chief else ()
        self.profiler = profiler.Profiler(profiled, model_dir=model_dir)
        self.ledger = throughput.TimeBudget()

    def begin(self, at: train_state.TrainState) -> None:
        """Say so where a run continues."""
        if at.has_begun:
            is_over = at.epoch >= self._ctx.settings.training.epochs
            where = "its end" if is_over else f"epoch {at.epoch + 1}, step {at.step}"
            print(
                f"continuing    {self._model_dir} at {where}: the result will be that of an unbroken run",
                flush=True,
            )

    def batch(self, parts: list[prepared_batch.Microbatch]) -> None:
        """Show the first batch as the network is given it."""
        if self._tensorboard is None:
            return
        picture = batch_preview.draw(parts, class_names=self._ctx.version.class_names)
        self._tensorboard.write_picture("batch", png=picture, step=0)

    def call(self, at: train_state.TrainState, *, clock: throughput.EpochTimer) -> None:
        """Show where an epoch is after a call."""
        progress_line.show(self._line(at, clock=clock), final=at.step == self._steps)

    def epoch(
        self,
        history: list[dict[str, float]],
        *,
        prefix: str,
        judgement: metrics.ClassificationMetrics,
    ) -> None:
        """Show what an epoch came to."""
        if self._tensorboard is None:
            return
        row, name = history[-1], prefix.removesuffix("_")
        found = f"{name}_loss {row[prefix + 'loss']:.3f}  {name}_acc {row[prefix + 'accuracy']:.3f}"
        print(f"              {found}", flush=True)
        history_lib.write_csv(history, path=self._model_dir / history_lib.HISTORY)
        self._tensorboard.write(row, prefix=prefix)
        confusion = figures.png(figures.confusion_figure(judgement, split=name))
        self._tensorboard.write_picture("confusion_matrix", png=confusion, step=int(row["step"]))

    def end(self, at: train_state.TrainState, *, stalled: bool) -> None:
        """Say why training ended, and what limited its speed."""
        self.profiler.stop()
        if stalled:
            patience = self._ctx.settings.selection.patience
            print(
                f"stopped       {patience} epochs without a better one than epoch {at.best_epoch} (--patience)"
            )
        if any(self.ledger.seconds.values()):
            print(f"speed         {self.ledger.verdict()}", flush=True)

    def _line(self, at: train_state.TrainState, *, clock: throughput.EpochTimer) -> str:
        epochs = self._ctx.settings.training.epochs
        left = (epochs - at.epoch) * self._num_examples - at.sums[2]
        reading = progress_line.Progress(
            epoch=at.epoch + 1,
            epochs=epochs,
            step=at.step,
            steps=self._steps,
            loss=at.sums[0] / at.sums[2],
            accuracy=at.sums[1] / at.sums[2],
            images_per_s=clock.images_per_s,
            input_wait_frac=clock.input_wait_frac,
            memory_bytes=memory_usage.bytes_in_use(),
            left_s=left / clock.images_per_s,
        )
        return progress_line.line(reading, num_replicas=self._ctx.shape.num_replicas)
