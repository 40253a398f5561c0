"""How many examples of each class the training split gets.

Exact counts rather than sampling with weights: the same rows in every build, and a number that can
be checked. Which rows are kept is decided in plan.py.
"""

import statistics
from collections.abc import Callable, Iterable, Mapping

Counts = Mapping[int, int]

_TARGET: Mapping[str, Callable[[Iterable[int]], int]] = {
    "median": statistics.median_low,
    "min": min,
    "max": max,
}


def targets(counts: Counts, policy: str, *, max_copies: int = 0) -> dict[int, int]:
    """Return the number of examples of each label.

    Args: counts: rows of each label in train; labels without rows are left out of everything.
      policy: none, median (of the class counts; the lower of two middle ones), min (the smallest
      class: only samples
        down), max (the largest: only repeats), or a number.
      max_copies: how often a row may be written, 0 for any number; a class that would need more
        stays smaller.
    """
    present = {label: count for label, count in counts.items() if count}
    if policy == "none" or not present:
        return present
    target = _TARGET[policy](present.values()) if policy in _TARGET else int(policy)
    return {
        label: min(target, count * max_copies) if max_copies else target
        for label, count in present.items()
    }
