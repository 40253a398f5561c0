"""Class balance: number of examples of each class in the training split.

Owns exact counts. Sampling with weights was rejected: with counts every build has the same rows,
and the numbers can be checked. Which rows are kept is decided by their keys (tasks.py).
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

    Args:
      counts: rows of each label in train; labels without rows are left out.
      policy: none, median (of the class counts; the lower of two middle ones), min (the smallest
        class: larger ones are sampled down), max (the largest: smaller ones are repeated), or a
        number.
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
