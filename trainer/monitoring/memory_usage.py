"""Memory usage: peak of the fullest GPU, or resident memory of the process.

Owns the one number that the progress line shows.
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
        names = [gpu.name.removeprefix("/device:") for gpu in gpus]
        return max(int(tf.config.experimental.get_memory_info(name)["peak"]) for name in names)
    if sys.platform == "linux":
        # The second field is the resident pages (proc(5)).
        pages = pathlib.Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    # Bytes on macOS, kilobytes elsewhere (getrusage(2)).
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
