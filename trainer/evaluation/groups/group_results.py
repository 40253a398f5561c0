"""Group results: every number of one model by attribute and intersection, gaps and tests.

Owns which groups are compared, and the entry of metrics.json. Groups below a least number of images
are shown without numbers, and nothing is ranked or tested with them. Each number's 95 % interval is
that of the whole split (evaluation.intervals), gaps are bootstrapped (gaps), and p-values are
adjusted for all attributes and intersections together (Holm).
"""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from trainer.evaluation import metrics, predictions, results, significance
from trainer.evaluation.groups import attributes, gaps, permutation

LEVEL = 0.01
"""Adjusted p-value below which groups are said to differ: an evaluation is repeated often, and at
0.05 every twentieth of a fair model would be called unfair."""

JOINED = " & "
"""Between the attributes of an intersection, and between their groups."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Group:
    """One group: what it is called, and its numbers, if it has enough images."""

    name: str
    num_images: int
    evaluated: results.EvaluationResults | None = None
    adjusted_accuracy: float | None = None
    """Accuracy if its classes were those of all groups together (gaps.Gaps); None where fewer than
    two groups have enough images."""

    def to_json(self) -> dict[str, Any]:
        """Return the group as plain JSON values."""
        found: dict[str, Any] = {"group": self.name, "num_images": self.num_images}
        if self.evaluated is None:
            return found
        numbers = self.evaluated.to_json()
        kept = {name: numbers[name] for name in _KEPT}
        kept["calibration"] = {name: numbers["calibration"][name] for name in _CALIBRATION}
        if self.adjusted_accuracy is not None:
            found["adjusted_accuracy"] = self.adjusted_accuracy
        return {**found, **kept, "affect": numbers["affect"]}


_KEPT = (
    "num_examples",
    "accuracy",
    "top2_accuracy",
    "balanced_accuracy",
    "macro",
    "m_measure",
    "per_class",
    "intervals_95",
)
_CALIBRATION = ("ece", "nll", "brier")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Division:
    """Groups by one attribute, or by the intersection of two.

    Attributes:
      name: of the attribute, or of both.
      groups: those with any image.
      unknown: images whose attribute is not known.
      measured: gaps between the groups with enough images, which are numbered by `compared`; None
        for fewer than two.
      compared: indices of these groups in `groups`.
      p: p-value of the permutation test; None as above.
      adjusted_p: adjusted for all divisions.
    """

    name: str
    groups: tuple[Group, ...]
    unknown: int
    measured: gaps.Gaps | None = None
    compared: tuple[int, ...] = ()
    p: float | None = None
    adjusted_p: float | None = None

    @property
    def differs(self) -> bool:
        """Return whether the groups are said to differ."""
        return self.adjusted_p is not None and self.adjusted_p < LEVEL

    def gap_groups(self, gap: gaps.Gap) -> tuple[Group, Group]:
        """Return the best and the worst group of a gap."""
        best, worst = (self.groups[self.compared[at]] for at in (gap.best, gap.worst))
        return best, worst

    def to_json(self) -> dict[str, Any]:
        """Return the division as plain JSON values."""
        return {
            "by": self.name,
            "groups": [group.to_json() for group in self.groups],
            "images_without_attribute": self.unknown,
            "largest_gap": self._gap(self.measured.accuracy) if self.measured else None,
            "largest_adjusted_gap": self._gap(self.measured.of_adjusted) if self.measured else None,
            "p": self.p,
            "adjusted_p": self.adjusted_p,
            "differs": self.differs,
        }

    def _gap(self, gap: gaps.Gap) -> dict[str, Any]:
        best, worst = self.gap_groups(gap)
        return {
            "best": best.name,
            "worst": worst.name,
            "difference": gap.difference,
            "interval_95": list(gap.interval),
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class GroupResults:
    """All divisions of an evaluation."""

    divisions: tuple[Division, ...]
    least_images: int

    def to_json(self) -> dict[str, Any]:
        """Return the entry of metrics.json; what is undefined is None."""
        found: dict[str, Any] = metrics.plain(
            {
                "least_images": self.least_images,
                "level": LEVEL,
                "divisions": [division.to_json() for division in self.divisions],
            }
        )
        return found


def evaluate(
    preds: predictions.Predictions,
    given: Sequence[attributes.Attribute],
    *,
    least_images: int = attributes.LEAST_IMAGES,
) -> GroupResults:
    """Compute all numbers by each attribute, and by each intersection of two.

    Args:
      preds: N examples.
      given: attributes of these examples.
      least_images: groups of fewer have no numbers.
    """
    compared = compare(preds, given, least_images=least_images)
    divided = zip(compared.divisions, _with_intersections(given), strict=True)
    divisions = [
        _with_numbers(each, preds, by=by, least_images=least_images) for each, by in divided
    ]
    return dataclasses.replace(compared, divisions=tuple(divisions))


def compare(
    preds: predictions.Predictions,
    given: Sequence[attributes.Attribute],
    *,
    least_images: int = attributes.LEAST_IMAGES,
) -> GroupResults:
    """Return gaps and tests as `evaluate` does, without the numbers of each group."""
    by = _with_intersections(given)
    divisions = [_division(preds, each, least=least_images) for each in by]
    tested = [at for at, each in enumerate(divisions) if each.p is not None]
    adjusted = significance.holm([each.p for each in divisions if each.p is not None])
    for at, p in zip(tested, adjusted, strict=True):
        divisions[at] = dataclasses.replace(divisions[at], adjusted_p=p)
    return GroupResults(divisions=tuple(divisions), least_images=least_images)


def _with_intersections(given: Sequence[attributes.Attribute]) -> list[attributes.Attribute]:
    return [*given, *(_intersection(*pair) for pair in itertools.combinations(given, 2))]


def _with_numbers(
    division: Division,
    preds: predictions.Predictions,
    *,
    by: attributes.Attribute,
    least_images: int,
) -> Division:
    """Return a division with the numbers of each group of enough images."""
    codes = np.unique(_images(preds, by)[0])  # Not by name: intersections may have the same.
    groups = [
        dataclasses.replace(group, evaluated=results.evaluate(preds.only(by.codes == code)))
        if group.num_images >= least_images
        else group
        for code, group in zip(codes[codes >= 0], division.groups, strict=True)
    ]
    return dataclasses.replace(division, groups=tuple(groups))


def _intersection(
    first: attributes.Attribute, second: attributes.Attribute
) -> attributes.Attribute:
    """Return the intersections of the groups of two attributes."""
    groups = itertools.product(first.groups, second.groups)
    is_known = (first.codes >= 0) & (second.codes >= 0)
    return attributes.Attribute(
        name=JOINED.join((first.name, second.name)),
        groups=tuple(map(JOINED.join, groups)),
        codes=np.where(is_known, first.codes * len(second.groups) + second.codes, -1),
    )


def _division(preds: predictions.Predictions, by: attributes.Attribute, *, least: int) -> Division:
    group_of, label, first_correct, correct = _images(preds, by)
    sizes = np.bincount(group_of[group_of >= 0], minlength=len(by.groups))
    there = [code for code in range(len(by.groups)) if sizes[code]]
    compared = [code for code in there if sizes[code] >= least]
    found = Division(
        name=by.name,
        groups=tuple(Group(name=by.groups[at], num_images=int(sizes[at])) for at in there),
        unknown=int((group_of < 0).sum()),
    )
    if len(compared) < 2:
        return found
    number = np.full(len(by.groups) + 1, -1)  # The last is that of unknown images, -1.
    number[compared] = np.arange(len(compared))
    group = number[group_of]
    kept = group >= 0
    images = gaps.Images(group=group[kept], label=label[kept], correct=correct[kept])
    measured = gaps.measure(images)
    groups = list(found.groups)
    for at, value in zip(compared, measured.adjusted.tolist(), strict=True):
        place = there.index(at)
        groups[place] = dataclasses.replace(groups[place], adjusted_accuracy=value)
    tables = _tables(images.group, images.label, first_correct[kept])
    return dataclasses.replace(
        found,
        groups=tuple(groups),
        measured=measured,
        compared=tuple(map(there.index, compared)),
        p=permutation.p_value(*tables),
    )


def _images(
    preds: predictions.Predictions, by: attributes.Attribute
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return group, label, whether the first copy is correct, and the share of copies that are.

    int64[M], int64[M], bool[M] and float64[M] of M images.
    """
    image = preds.groups
    correct = preds.predicted == preds.labels
    first = np.unique(image, return_index=True)[1]
    share = np.bincount(image, weights=correct) / np.bincount(image)
    return by.codes[first], preds.labels[first], correct[first], share


def _tables(
    group: np.ndarray, label: np.ndarray, correct: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of images and of correct ones by group and class, int64[G, C] each."""
    shape = (int(group.max()) + 1, int(label.max()) + 1)
    cell = group * shape[1] + label
    size = shape[0] * shape[1]
    images = np.bincount(cell, minlength=size).reshape(shape)
    hits = np.bincount(cell[correct], minlength=size).reshape(shape)
    return images, hits
