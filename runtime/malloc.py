"""How the C library hands freed memory back.

Owns one setting. Building an iterator over devices makes TensorFlow 2.21 set malloc so that every
large buffer is returned at once and mapped anew in the next step; on two CPU cores that cost 40 %
of the speed (210 against 350 pictures a second, demo recipe). Environment variables were rejected:
TensorFlow overrides them.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's malloc.h."""
_LARGEST_MMAP_THRESHOLD = 32 * 2**20
"""DEFAULT_MMAP_THRESHOLD_MAX of glibc on 64 bits: larger buffers are mapped whatever is asked."""


def keep_freed() -> bool:
    """Let the process keep what it frees, for the next step; call it after the first one.

    Returns:
      Whether there was a glibc to tell.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(
        mallopt(_TRIM_THRESHOLD, 2**31 - 1) and mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
    )
