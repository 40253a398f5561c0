"""Machine: the CPU cores that this process may use, and how its C library keeps freed memory.

Owns the count of cores, and three settings of glibc's malloc (number of arenas, when freed memory
is returned) for two kinds of process; each does nothing where there is no glibc.

The job: Beam's threads pass messages to each other, and glibc gives every thread an arena of its
own, in which memory that another thread freed stays. With one arena the job takes a sixth less
memory, and is not slower: its threads mostly wait.

The trainer: building an iterator over devices makes TensorFlow 2.21 set malloc so that every large
buffer is returned at once and mapped anew in the next step; on two CPU cores that cost 40 % of the
speed (210 against 350 images a second, demo recipe). Environment variables were rejected there:
TensorFlow overrides them.
"""

import ctypes
import os
import sys

_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
_ARENA_MAX = -8
"""M_TRIM_THRESHOLD, M_MMAP_THRESHOLD and M_ARENA_MAX of glibc's malloc.h."""
_LARGEST_MMAP_THRESHOLD = 32 * 2**20
"""DEFAULT_MMAP_THRESHOLD_MAX of glibc on 64 bits: larger buffers are mapped whatever is asked."""


def cpu_count() -> int:
    """Return the number of usable cores, at least 1.

    Linux may allow a process fewer than the machine has; macOS has no such limit to ask for.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def free_bytes() -> int:
    """Return the memory that no process uses; all there is, where the system does not say."""
    pages = "SC_AVPHYS_PAGES" if "SC_AVPHYS_PAGES" in os.sysconf_names else "SC_PHYS_PAGES"
    return os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE")


def total_bytes() -> int:
    """Return the memory of the machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def use_one_arena() -> None:
    """Use one arena in this process and those it starts; call it before there are threads."""
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")
    _set(_ARENA_MAX, int(os.environ["MALLOC_ARENA_MAX"]))


def give_back() -> None:
    """Return freed memory to the system; glibc keeps it otherwise."""
    if trim := getattr(_libc(), "malloc_trim", None):
        trim(0)


def keep_freed() -> bool:
    """Keep freed memory in the process, for the next step; call it after the first step.

    Returns:
      Whether the setting was made: there is a glibc.
    """
    return _set(_TRIM_THRESHOLD, 2**31 - 1) and _set(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)


def _set(parameter: int, value: int) -> bool:
    mallopt = getattr(_libc(), "mallopt", None)
    return bool(mallopt and mallopt(parameter, value))


def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if sys.platform == "linux" else None
