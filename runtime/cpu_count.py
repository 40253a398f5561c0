"""Number of CPU cores that this process may use.

Linux may allow a process fewer cores than the machine has; macOS has no such limit to ask for.
"""

import os


def count() -> int:
    """Return the number of usable cores, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
