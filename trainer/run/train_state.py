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

    @property
    def has_begun(self) -> bool:
        """Whether any step has been trained."""
        return self.epoch > 0 or self.step > 0

    def add(self, sums: np.ndarray) -> None:
        """Add the sums of k steps, float32[k, 3]; see `TrainStep.train`."""
        self.step += len(sums)
        added = sums.sum(axis=0, dtype=np.float64).tolist()
        self.sums = [before + more for before, more in zip(self.sums, added, strict=True)]

    def end_epoch(self, row: dict[str, float], *, score: float) -> None:
        """Add an epoch's history row and score, and go on to the next epoch.

        The first of equally good epochs stays the best.
        """
        self.history.append(row)
        self.epoch += 1
        self.step = 0
        self.sums = [0.0, 0.0, 0.0]
        if score > self.best_score:
            self.best_epoch = self.epoch
            self.best_score = score

    def has_stalled(self, *, patience: int | None) -> bool:
        """Return whether none of the last `patience` epochs was better than the best before."""
        return patience is not None and self.epoch - self.best_epoch >= patience
