"""Epoch selection: evaluates the weights after each epoch and scores them.

Owns the metrics of an epoch and the sentence that says how the best one is chosen. It is apart from
the evaluation at the end of a run, because the split that weights are chosen on need not be the one
they are evaluated on.
"""

import dataclasses

import numpy as np

from trainer.config import training_config
from trainer.data import examples, holdout
from trainer.evaluation import metrics
from trainer.evaluation import predictor as predictor_lib

PREFIXES = {holdout.NAME: "holdout_"}
"""Prefix of a split's columns in the history; `val_` for any other split."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class EpochEvaluation:
    """Classification metrics of an epoch, and the columns they fill in the history."""

    classification: metrics.ClassificationMetrics
    numbers: dict[str, float]


class EpochSelector:
    """Evaluate the weights of every epoch on one split."""

    def __init__(
        self,
        split: examples.Split,
        *,
        predictor: predictor_lib.Predictor,
        batch_size: int,
        class_names: tuple[str, ...],
        settings: training_config.Selection,
    ) -> None:
        self._split = split
        self._predictor = predictor
        self._batch_size = batch_size
        self._class_names = class_names
        self._settings = settings
        self.prefix = PREFIXES.get(split.name, "val_")

    def evaluate(self) -> EpochEvaluation:
        """Evaluate the network's current weights."""
        labels = self._split.labels
        probs = self._predictor.probabilities(self._split, batch_size=self._batch_size)
        classification = metrics.evaluate(labels, probs, class_names=self._class_names)
        true_probs = np.maximum(probs[np.arange(len(labels)), labels], np.finfo(np.float32).tiny)
        numbers = {
            "loss": float(-np.log(true_probs).mean()),
            "accuracy": classification.accuracy,
            "balanced_accuracy": classification.balanced_accuracy,
            "macro_f1": classification.macro.f1,
            "m_measure": classification.m_measure,
        }
        return EpochEvaluation(
            classification=classification,
            numbers={self.prefix + name: value for name, value in numbers.items()},
        )

    def score(self, row: dict[str, float]) -> float:
        """Return by what epochs are chosen, of a history row: the higher the better."""
        value = row[self.prefix + self._settings.select_by]
        return -value if self._settings.select_by == "loss" else value

    def describe(self) -> str:
        """Return the metric and the split by which the best epoch is chosen."""
        metric = self._settings.select_by.replace("_", " ")
        if self._split.name != holdout.NAME:
            return f"{metric} on {self._split.name} itself"
        frac = self._settings.holdout_frac
        count = f"{self._split.num_examples:,}"
        return f"{metric} on {count} images held out of train by --holdout_frac={frac:g}"
