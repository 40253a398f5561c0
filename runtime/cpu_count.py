"""How many cores this process may use: Linux may give it fewer than the machine has, and macOS does
not tell."""

import os


def count() -> int:
    """Return the number."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
