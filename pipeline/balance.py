"""How many examples of each class the training split gets.

Exact counts rather than sampling with weights: the same rows in every build, and a number that can be checked. Which
rows are kept is decided in plan.py.
"""

import statistics
from collections.abc import Mapping

Counts = Mapping[int, int]


def targets(counts: Counts, policy: str) -> dict[int, int]:
    """Return the number of examples of each label.

    Args:
      counts: rows of each label in train; labels without rows are left out of everything.
      policy: none, median (of the class counts; the lower of two middle ones), or a number.
    """
    present = {label: count for label, count in counts.items() if count}
    if policy == "none" or not present:
        return present
    target = statistics.median_low(present.values()) if policy == "median" else int(policy)
    return dict.fromkeys(present, target)
