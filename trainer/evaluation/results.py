"""Everything that is found out about a model from its predictions on one split.

Owns what is computed and its form in metrics.json; each number is its own module's.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from trainer.evaluation import bootstrap, calibration, ccc, class_subset, metrics, predictions


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluationResults:
    """The numbers of one model on one split."""

    judgement: metrics.ClassificationMetrics
    intervals: Mapping[str, bootstrap.Interval]
    """95 % intervals: see intervals.bootstrap."""
    calibrated: calibration.Calibration
    scaling: calibration.Scaling | None
    seven: metrics.ClassificationMetrics | None
    """The score on 7 classes of a model of more, contempt's examples left out; None where it is no
    other score."""
    affect: Mapping[str, ccc.AffectMetrics]
    """valence and arousal, where the model has such outputs."""

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as plain JSON values; what is undefined is None."""
        more = {
            "intervals_95": {name: list(each) for name, each in self.intervals.items()},
            "calibration": _calibration(self.calibrated, self.scaling),
            "seven_classes": self.seven.to_json() if self.seven else None,
            "affect": {name: dataclasses.asdict(each) for name, each in self.affect.items()},
        }
        return {**self.judgement.to_json(), **metrics.plain(more)}


def evaluate(made: predictions.Predictions) -> EvaluationResults:
    """Compute everything from predictions.

    Raises:
      ValueError: see metrics.evaluate.
    """
    labels, probs = made.labels, made.probabilities
    judgement = metrics.evaluate(labels, probs, class_names=made.class_names)
    return EvaluationResults(
        judgement=judgement,
        intervals=bootstrap.bootstrap(labels, probs, groups=made.groups),
        calibrated=calibration.measure(labels, probs),
        scaling=calibration.scale(labels, probs, groups=made.groups),
        seven=_seven(made),
        affect={name: ccc.evaluate(truth, said) for name, (truth, said) in made.affect.items()},
    )


def _seven(made: predictions.Predictions) -> metrics.ClassificationMetrics | None:
    among = made.labels < class_subset.SEVEN
    if len(made.class_names) <= class_subset.SEVEN or not among.any():
        return None
    kept = made.only(among)
    probs = class_subset.restricted(kept.probabilities, num_classes=class_subset.SEVEN)
    return metrics.evaluate(kept.labels, probs, class_names=made.class_names[: class_subset.SEVEN])


def _calibration(
    measured: calibration.Calibration, scaling: calibration.Scaling | None
) -> dict[str, Any]:
    scaled = None
    if scaling:
        numbers = {name: getattr(scaling.after, name) for name in ("ece", "nll", "brier")}
        scaled = {
            "temperature": scaling.temperature,
            "fitted_on": "this whole split, by negative log-likelihood",
            "judged_on": "each half of the pictures, with the temperature fitted on the other half",
            **numbers,
        }
    fields = dataclasses.asdict(measured)
    bins = [each._asdict() for each in measured.bins]
    return {**fields, "num_bins": len(bins), "bins": bins, "temperature_scaling": scaled}
