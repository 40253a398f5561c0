"""Training state: epoch, step, history and best epoch of a run.

Owns how it advances; `training.checkpointing` saves and restores it.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(kw_only=True)
class TrainState:
    """Progress of a run; the fields are the facts of a checkpoint.

    `epoch` and `step` (within the epoch) are the next ones, from 0; `sums` are those of the current
    epoch so far: losses, correct predictions, examples.
    """

    epoch: int = 0
    step: int = 0
    sums: list[float] = dataclasses.field(default_factory=lambda: [0.0, 0.0, 0.0])
    history: list[dict[str, float]] = dataclasses.field(default_factory=list)
    best_epoch: int = 0
    best_score: float = -1.0
    data: str = ""
    """Fingerprint of the data."""
    norms: list[float] = dataclasses.field(default_factory=lambda: [0.0, 0.0, 0.0, 0.0])
    """Of the current epoch so far: the sums of the norms of gradients and of updates, the number of
    steps in them, and the norm of the weights after the last of these steps."""

    @property
    def has_begun(self) -> bool:
        """Whether any step has been trained."""
        return self.epoch > 0 or self.step > 0

    def add(self, sums: np.ndarray, *, norms: np.ndarray) -> None:
        """Add the sums and the norms of k steps, float32[k, 3] each; see `TrainStep.train`."""
        self.step += len(sums)
        added = sums.sum(axis=0, dtype=np.float64).tolist()
        self.sums = [before + more for before, more in zip(self.sums, added, strict=True)]
        # Without the steps that float16 skips, whose gradient is not finite.
        taken = norms[np.isfinite(norms).all(axis=1)]
        if len(taken):
            gradient, update, _ = taken.sum(axis=0, dtype=np.float64).tolist()
            self.norms = [
                self.norms[0] + gradient,
                self.norms[1] + update,
                self.norms[2] + len(taken),
                float(taken[-1, 2]),
            ]

    @property
    def mean_norms(self) -> tuple[float, float, float]:
        """The norms of the epoch so far: the means of gradients and updates, the last weights'."""
        gradient, update, count, parameters = self.norms
        return gradient / max(count, 1.0), update / max(count, 1.0), parameters

    def end_epoch(self, row: dict[str, float], *, score: float) -> None:
        """Add an epoch's history row and score, and go on to the next epoch.

        The first of equally good epochs stays the best.
        """
        self.history.append(row)
        self.epoch += 1
        self.step = 0
        self.sums = [0.0, 0.0, 0.0]
        self.norms = [0.0, 0.0, 0.0, 0.0]
        if not self.best_epoch or score > self.best_score:
            self.best_epoch = self.epoch
            self.best_score = score

    def has_stalled(self, *, patience: int | None) -> bool:
        """Return whether none of the last `patience` epochs was better than the best before."""
        return patience is not None and self.epoch - self.best_epoch >= patience
