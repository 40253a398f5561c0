"""Measurement of a command from outside: seconds, and memory, files and disk of its processes."""

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

ROLES = {
    "StandaloneSessionClusterEntrypoint": "JobManager",
    "TaskManagerRunner": "TaskManager",
    "FlinkJobServerDriver": "job server",
    "pipeline.worker": "worker",
    "from pipeline import worker": "worker",  # without an engine
}
"""Part of a command line → what the process is for; any other belongs to the command itself."""


class Process(NamedTuple):
    """What one process took at most."""

    role: str
    peak_bytes: int  # proportional set size
    open_files: int
    core_seconds: float  # as far as the last reading saw them


class Measured(NamedTuple):
    """Measurements of one run."""

    seconds: float
    peak_bytes: int  # of all processes: proportional set size, so that shared pages count once
    output: str
    processes: tuple[Process, ...] = ()
    folder_bytes: int = 0  # the most that the watched folder held
    bytes_written: int = 0  # to disks, as far as the last reading saw them


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    servers: Sequence[int] = (),
    folder: Path | None = None,
) -> Measured:
    """Run a command to its end.

    Args:
      command: the command.
      environment: variables besides those of this process.
      servers: processes that work for the command, whose children do too.
      folder: whose size is watched.

    Raises:
      subprocess.CalledProcessError: if it fails; its output goes to stderr.
    """
    ended = threading.Event()
    start = time.monotonic()
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **(environment or {})},
        text=True,
    ) as process:
        watch = _Watch([process.pid, *servers], folder)
        watcher = threading.Thread(target=watch.run, args=(ended,), daemon=True)
        watcher.start()
        try:
            output, _ = process.communicate()
        except BaseException:  # Ctrl-C or SIGTERM: the command is not to go on by itself.
            process.terminate()
            raise
        seconds = time.monotonic() - start
        ended.set()
        watcher.join()
    if process.returncode:
        print(output, file=sys.stderr)
        raise subprocess.CalledProcessError(process.returncode, command)
    found = tuple(watch.processes.values())
    return Measured(
        seconds, watch.peak_bytes, output, found, watch.folder_bytes, watch.bytes_written
    )


class _Watch:
    """Readings of the processes below some, and of a folder."""

    def __init__(self, roots: Sequence[int], folder: Path | None) -> None:
        self.roots = roots
        self.folder = folder
        self.peak_bytes = 0
        self.folder_bytes = 0
        self.bytes_written = 0
        self.processes: dict[int, Process] = {}

    def run(self, ended: threading.Event) -> None:
        while not ended.wait(POLL_SECONDS):
            trees = [process for root in self.roots for process in _tree(root)]
            self.peak_bytes = max(self.peak_bytes, sum(map(self._read, trees)))
            # Of those that live: what an ended one has written Linux adds to its parent's.
            self.bytes_written = max(self.bytes_written, sum(map(_bytes_written, trees)))
            if self.folder:
                self.folder_bytes = max(self.folder_bytes, bytes_below(self.folder))

    def _read(self, process: psutil.Process) -> int:
        """Take a reading of a process; return its memory in bytes."""
        memory = _proportional_bytes(process.pid)
        before = self.processes.get(process.pid)
        try:
            command = process.cmdline()  # Anew: a shell may become what it starts.
            if not command:  # It ends.
                return memory
            files = process.num_fds()
            cpu = process.cpu_times()
        except psutil.Error:  # The process has ended meanwhile.
            return memory
        if before:
            memory_peak = max(memory, before.peak_bytes)
            files = max(files, before.open_files)
        else:
            memory_peak = memory
        core_seconds = cpu.user + cpu.system
        self.processes[process.pid] = Process(role_of(command), memory_peak, files, core_seconds)
        return memory


def _bytes_written(process: psutil.Process) -> int:
    """Return what a process and its children that have ended have written to disks."""
    try:
        return int(process.io_counters().write_bytes)
    except psutil.Error:  # The process has ended meanwhile.
        return 0


def role_of(command: Sequence[str]) -> str:
    """Return what a process is for, given its command line."""
    text = " ".join(command)
    return next((role for part, role in ROLES.items() if part in text), "driver")


def of_roles(processes: Sequence[Process]) -> str:
    """Describe the processes of each role: how many, the most that one took, and their time."""
    described = []
    for role in sorted({process.role for process in processes}):
        of_role = [process for process in processes if process.role == role]
        peak = max(process.peak_bytes for process in of_role) / 1e6
        seconds = sum(process.core_seconds for process in of_role)
        described.append(f"{len(of_role)} {role} {peak:,.0f} MB {seconds:,.0f} core·s")
    return ", ".join(described)


def _tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def bytes_below(folder: Path) -> int:
    """Return the size of all files below a folder, some of which may go meanwhile."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(f"{parent}/{name}").st_size
            except FileNotFoundError:
                continue
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
