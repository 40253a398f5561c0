"""Measurement of a command from outside: seconds, and memory of its processes together."""

import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

POLL_SECONDS = 1.0
"""Seconds between two readings of the memory of all processes; one takes 0.01 s of a core."""


class Measured(NamedTuple):
    """Measurements of one run."""

    seconds: float
    peak_bytes: int  # of all processes: proportional set size, so that shared pages count once
    output: str


def run(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Measured:
    """Run a command to its end.

    Raises:
      subprocess.CalledProcessError: if it fails; its output goes to stderr.
    """
    peaks = [0]
    ended = threading.Event()
    start = time.monotonic()
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **(environment or {})},
        text=True,
    ) as process:
        watcher = threading.Thread(target=_watch, args=(process.pid, peaks, ended), daemon=True)
        watcher.start()
        output, _ = process.communicate()
        seconds = time.monotonic() - start
        ended.set()
        watcher.join()
    if process.returncode:
        print(output, file=sys.stderr)
        raise subprocess.CalledProcessError(process.returncode, command)
    return Measured(seconds, max(peaks), output)


def _watch(pid: int, peaks: list[int], ended: threading.Event) -> None:
    while not ended.wait(POLL_SECONDS):
        peaks.append(_tree_bytes(pid))


def _tree_bytes(pid: int) -> int:
    total = 0
    try:
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            total += _proportional_bytes(process.pid)
    except psutil.NoSuchProcess:
        pass
    return total


def _proportional_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    except OSError:  # The process has ended meanwhile.
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def machine() -> str:
    """Describe the machine: processor, cores, memory, Python."""
    cores = len(os.sched_getaffinity(0))
    memory = psutil.virtual_memory().total / 2**30
    return f"{_processor()}, {cores} cores, {memory:.0f} GiB, Python {platform.python_version()}"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - one line of a file that is no file
            names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return next(iter(names), platform.machine())
