"""Evaluation results: every number of one model on one split, and their form in metrics.json.

Owns which numbers are computed and the keys of metrics.json; each number is its own module's.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from trainer.evaluation import (
    calibration,
    ccc,
    class_subset,
    intervals,
    metrics,
    predictions,
)
from trainer.evaluation import slices as slices_lib


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluationResults:
    """The numbers of one model on one split."""

    classification: metrics.ClassificationMetrics
    intervals: Mapping[str, intervals.Interval]
    """95 % intervals, by the names of intervals.classification, and valence_ccc and arousal_ccc."""
    calibrated: calibration.Calibration
    scaling: calibration.Scaling | None
    seven: metrics.ClassificationMetrics | None
    """The 7-class metrics of a model of more classes, contempt's examples left out; None for a
    model of 7, or without an example of them."""
    affect: Mapping[str, ccc.AffectMetrics]
    """valence and arousal, where the model has such outputs."""
    slices: Mapping[str, Sequence[slices_lib.Slice]] = dataclasses.field(default_factory=dict)
    """Accuracy on parts of the split, by what divides it."""
    ms_per_face: float | None = None
    """Milliseconds that the model takes for one face, where that was measured."""

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as plain JSON values; what is undefined is None."""
        more: dict[str, Any] = {
            "intervals_95": {name: list(each) for name, each in self.intervals.items()},
            "calibration": _calibration(self.calibrated, self.scaling),
            "seven_classes": self.seven.to_json() if self.seven else None,
            "affect": {name: dataclasses.asdict(each) for name, each in self.affect.items()},
        }
        if self.slices:
            more["slices"] = {name: list(map(_slice, each)) for name, each in self.slices.items()}
        if self.ms_per_face is not None:
            more["ms_per_face"] = self.ms_per_face
        return {**self.classification.to_json(), **metrics.plain(more)}


def evaluate(
    preds: predictions.Predictions, *, attributes: Mapping[str, slices_lib.Attribute] | None = None
) -> EvaluationResults:
    """Compute all numbers from predictions.

    Args:
      preds: of a split.
      attributes: what its examples are divided by for `slices`, by name.

    Raises:
      ValueError: see metrics.evaluate.
    """
    labels = preds.labels
    probs = preds.probabilities
    groups = preds.groups
    # First, because it checks the labels and probabilities that the others rely on.
    classification = metrics.evaluate(labels, probs, class_names=preds.class_names)
    return EvaluationResults(
        classification=classification,
        intervals=intervals.classification(labels, probs, groups=groups)
        | {
            f"{name}_ccc": intervals.concordance(*pair, groups=groups)
            for name, pair in preds.affect.items()
        },
        calibrated=calibration.measure(labels, probs),
        scaling=calibration.scale(labels, probs, groups=groups),
        seven=_seven(preds),
        affect={name: ccc.evaluate(*pair) for name, pair in preds.affect.items()},
        slices=slices_lib.of(preds, attributes=attributes or {}),
    )


def _seven(preds: predictions.Predictions) -> metrics.ClassificationMetrics | None:
    in_seven = preds.labels < class_subset.SEVEN
    if len(preds.class_names) <= class_subset.SEVEN or not in_seven.any():
        return None
    kept = preds.only(in_seven)
    probs = class_subset.restricted(kept.probabilities, num_classes=class_subset.SEVEN)
    return metrics.evaluate(kept.labels, probs, class_names=preds.class_names[: class_subset.SEVEN])


def _calibration(
    measured: calibration.Calibration, scaling: calibration.Scaling | None
) -> dict[str, Any]:
    bins = [each._asdict() for each in measured.bins]
    return {
        **dataclasses.asdict(measured),
        "num_bins": len(bins),
        "bins": bins,
        "temperature_scaling": _temperature_scaling(scaling) if scaling else None,
    }


def _slice(each: slices_lib.Slice) -> dict[str, Any]:
    return {
        "name": each.name,
        "num_examples": each.num_examples,
        "accuracy": each.accuracy,
        "interval_95": list(each.interval),
    }


def _temperature_scaling(scaling: calibration.Scaling) -> dict[str, Any]:
    return {
        "temperature": scaling.temperature,
        "fitted_on": "this whole split, by negative log-likelihood",
        "judged_on": "each half of the images, with the temperature fitted on the other half",
        "ece": scaling.after.ece,
        "nll": scaling.after.nll,
        "brier": scaling.after.brier,
    }
