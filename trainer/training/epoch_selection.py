"""What is looked at after each epoch, and by which number the best one is chosen.

Owns the judgement of an epoch and the sentence about it. It is apart from the judgement at the end,
because the split that weights are chosen on need not be the one they are judged on.
"""

import dataclasses

import numpy as np

from trainer.config import training_config
from trainer.data import examples, holdout
from trainer.evaluation import metrics
from trainer.evaluation import predictor as predictor_lib

PREFIXES = {holdout.NAME: "holdout_"}
"""Split to what its numbers are called by in a history; `val_` for any other."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class EpochEvaluation:
    """A judgement, and its numbers under the names that a history gives them."""

    judgement: metrics.ClassificationMetrics
    numbers: dict[str, float]


class EpochSelector:
    """Judge the weights of every epoch on one split."""

    def __init__(
        self,
        split: examples.Split,
        *,
        predictor: predictor_lib.Predictor,
        batch_size: int,
        class_names: tuple[str, ...],
        settings: training_config.Selection,
    ) -> None:
        self._split, self._predictor, self._batch_size = split, predictor, batch_size
        self._class_names, self._settings = class_names, settings
        self.prefix = PREFIXES.get(split.name, "val_")

    def judge(self) -> EpochEvaluation:
        """Judge the network's weights."""
        labels = self._split.labels
        probs = self._predictor.probabilities(self._split, batch_size=self._batch_size)
        found = metrics.evaluate(labels, probs, class_names=self._class_names)
        of_truth = np.maximum(probs[np.arange(len(labels)), labels], np.finfo(np.float32).tiny)
        numbers = {
            "loss": float(-np.log(of_truth).mean()),
            "accuracy": found.accuracy,
            "balanced_accuracy": found.balanced_accuracy,
            "macro_f1": found.macro.f1,
        }
        return EpochEvaluation(
            judgement=found, numbers={self.prefix + name: value for name, value in numbers.items()}
        )

    def score(self, row: dict[str, float]) -> float:
        """Return the number of a history row by which epochs are chosen."""
        return row[self.prefix + self._settings.select_by]

    def describe(self) -> str:
        """Say by what, and on what, an epoch is chosen."""
        by = self._settings.select_by.replace("_", " ")
        if self._split.name != holdout.NAME:
            return f"{by} on {self._split.name} itself"
        frac = self._settings.holdout_frac
        held = f"{self._split.num_examples:,} pictures held out of train by --holdout_frac={frac:g}"
        return f"{by} on {held}"
