"""Training state: epoch, step, history and best epoch."""

import dataclasses

import numpy as np


@dataclasses.dataclass(kw_only=True)
class TrainState:
    """Say how far a run has come: the next epoch and step (from 0), and what has been seen until
    there."""

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
        """Whether there is something to continue."""
        return self.epoch > 0 or self.step > 0

    def add(self, sums: np.ndarray) -> None:
        """Take in the sums of k steps, float32[k, 3]; see `loop.Loop.train`."""
        self.step += len(sums)
        self.sums = [
            a + b
            for a, b in zip(self.sums, sums.sum(axis=0, dtype=np.float64).tolist(), strict=True)
        ]

    def end_epoch(self, row: dict[str, float], *, score: float) -> None:
        """Take in an epoch's row and score and go to the next; the first of equally good epochs
        stays the best."""
        self.history.append(row)
        self.epoch, self.step, self.sums = self.epoch + 1, 0, [0.0, 0.0, 0.0]
        if score > self.best_score:
            self.best_epoch, self.best_score = self.epoch, score

    def has_stalled(self, *, patience: int | None) -> bool:
        """Return whether the last `patience` epochs brought none better."""
        return patience is not None and self.epoch - self.best_epoch >= patience
