"""How much memory a run takes.

Owns the one number that the progress line shows: on GPUs the most that any of them held, else what
the process holds.
"""

import os
import pathlib
import resource
import sys

import tensorflow as tf


def bytes_in_use() -> int:
    """Return the peak of the fullest GPU, or the memory of this process where there is no GPU."""
    gpus = tf.config.list_logical_devices("GPU")
    if gpus:
        return max(
            tf.config.experimental.get_memory_info(gpu.name.removeprefix("/device:"))["peak"]
            for gpu in gpus
        )
    if sys.platform == "linux":
        pages = (
            pathlib.Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        )  # proc(5): resident.
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    unit = (
        1 if sys.platform == "darwin" else 1024
    )  # getrusage(2): bytes there, kilobytes elsewhere.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
