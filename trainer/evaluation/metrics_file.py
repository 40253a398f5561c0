"""Metrics file: metrics.json, read again for comparisons, model cards and the demonstration page.

Owns its name and what must be in it before any of it is shown: results.py writes more than that,
and reports of earlier releases have less. Checks where each number is used were rejected: a model
card is written after minutes of conversion.
"""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from runtime import untrusted

FILE = "metrics.json"

_LARGEST = 2**63

Rules = Mapping[str, Callable[..., None]]
"""Checks of an object's values, by their names."""


def read(path: pathlib.Path) -> dict[str, Any]:
    """Return the content of a metrics.json.

    Raises:
      ValueError: with what is wrong, if it is damaged.
      OSError: if it is no regular file, or the disk does not let it be read.
    """
    content = untrusted.read_json_object(path)
    missing = [name for name in _NEEDED if name not in content]
    if missing:
        raise ValueError(f"it has no {missing[0]}")
    _check_object(content, what="it", rules={**_NEEDED, **_OPTIONAL})
    return content


def _check_object(value: Any, *, what: str, rules: Rules) -> None:
    """Check those of an object's values that are there."""
    if not isinstance(value, dict):
        raise ValueError(f"{what} must have values by name: got {_short(value)}")
    for name, check in rules.items():
        if name in value:
            check(value[name], what=name)


def _check_number(value: Any, *, what: str) -> None:
    """Check a number that may be null: it is undefined then."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value is not None and not (is_number and abs(value) < _LARGEST):
        raise ValueError(f"{what} must be a number or null: got {_short(value)}")


def _check_share(value: Any, *, what: str) -> None:
    _check_number(value, what=what)
    if value is None or not 0 <= value <= 1:
        raise ValueError(f"{what} must be a number from 0 to 1: got {_short(value)}")


def _check_count(value: Any, *, what: str) -> None:
    if type(value) is not int or not 0 <= value < _LARGEST:
        raise ValueError(f"{what} must be a whole number: got {_short(value)}")


def _check_text(value: Any, *, what: str) -> None:
    if not isinstance(value, str):
        raise ValueError(f"{what} must be text: got {_short(value)}")


def _check_protocol(value: Any, *, what: str) -> None:
    _check_object(value, what=what, rules={})
    if "split" not in value:
        raise ValueError(f"{what} has no split")
    for name, each in value.items():
        _check_text(each, what=f"{what}: {name}")


def _check_scores(value: Any, *, what: str) -> None:
    if not isinstance(value, dict) or "f1" not in value:
        raise ValueError(f"{what} must have precision, recall and f1 by name: got {_short(value)}")
    _check_object(value, what=what, rules=_SCORES)


def _check_classes(value: Any, *, what: str) -> None:
    names = ("name", *_SCORES)
    if not isinstance(value, list) or not all(
        isinstance(each, dict) and all(name in each for name in names) for each in value
    ):
        raise ValueError(f"{what} must list {', '.join(names)} of each class: got {_short(value)}")
    for each in value:
        _check_text(each["name"], what=f"{what}: name")
        _check_scores(each, what=what)


def _check_intervals(value: Any, *, what: str) -> None:
    _check_object(value, what=what, rules={})
    for name, each in value.items():
        if each is not None and not (isinstance(each, list) and len(each) == 2):
            raise ValueError(f"{what} must have two ends: got {_short(each)} for {name}")
        for end in each or ():
            _check_number(end, what=f"{what}: {name}")


def _check_calibration(value: Any, *, what: str) -> None:
    if value is not None:
        _check_object(value, what=what, rules={"ece": _check_number, "nll": _check_number})


def _check_groups(value: Any, *, what: str) -> None:
    """Check the part of the numbers by group that model cards show."""
    if not isinstance(value, dict) or not isinstance(value.get("divisions"), list):
        raise ValueError(f"{what} must have divisions: got {_short(value)}")
    _check_count(value.get("least_images"), what=f"{what}: least_images")
    for division in value["divisions"]:
        _check_object(division, what=f"{what}: a division", rules={"by": _check_text})
        groups = division.get("groups")
        if "by" not in division or not isinstance(groups, list):
            raise ValueError(f"{what}: a division must have by and groups: got {_short(division)}")
        for group in groups:
            _check_object(group, what=f"{what}: a group", rules=_GROUP)
            if "group" not in group or "num_images" not in group:
                raise ValueError(f"{what}: a group must have a name: got {_short(group)}")
        _check_gap(division.get("largest_adjusted_gap"), what=f"{what}: largest_adjusted_gap")
        _check_number(division.get("adjusted_p"), what=f"{what}: adjusted_p")


def _check_gap(value: Any, *, what: str) -> None:
    if value is None:
        return
    rules = {"best": _check_text, "worst": _check_text, "difference": _check_number}
    _check_object(value, what=what, rules=rules)
    if any(name not in value for name in rules):
        raise ValueError(f"{what} must have best, worst and difference: got {_short(value)}")
    _check_intervals({what: value.get("interval_95")}, what=what)


def _short(value: Any) -> str:
    """Return a value as a message quotes it; Python does not print a number of many digits."""
    if isinstance(value, (dict, list, int)) and not isinstance(value, bool):
        return type(value).__name__
    return f"{value!r:.60}"


_SCORES: Rules = {
    "precision": _check_number,
    "recall": _check_number,
    "f1": _check_number,
    "support": _check_count,
}
_GROUP: Rules = {
    "group": _check_text,
    "num_images": _check_count,
    "accuracy": _check_number,
    "adjusted_accuracy": _check_number,
    "macro": _check_scores,
    "intervals_95": _check_intervals,
}
_NEEDED: Rules = {
    "protocol": _check_protocol,
    "num_examples": _check_count,
    "accuracy": _check_share,
    "balanced_accuracy": _check_number,
    "macro": _check_scores,
    "m_measure": _check_number,
    "per_class": _check_classes,
}
"""Values that every release writes, with their checks."""
_OPTIONAL: Rules = {
    "top2_accuracy": _check_number,
    "intervals_95": _check_intervals,
    "calibration": _check_calibration,
    "ms_per_face": _check_number,
    "groups": _check_groups,
}
