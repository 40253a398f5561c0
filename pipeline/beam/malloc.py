"""How glibc keeps memory: one heap for all threads of a process.

Beam's threads hand messages to each other, and glibc gives every thread a heap of its own, where
what another thread freed stays. With one heap the job takes a sixth less memory, and it is not
slower: its threads mostly wait.
"""

import ctypes
import os

_M_ARENA_MAX = -8  # in malloc.h


def give_back() -> None:
    """Return to the system what this process has freed; glibc keeps it otherwise."""
    if trim := getattr(_libc(), "malloc_trim", None):
        trim(0)


def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if os.name == "posix" else None


def keep_one() -> None:
    """Keep one heap in this process, where glibc is, and in those that it starts; call it before
    there are threads."""
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")
    if mallopt := getattr(_libc(), "mallopt", None):
        mallopt(_M_ARENA_MAX, int(os.environ["MALLOC_ARENA_MAX"]))
