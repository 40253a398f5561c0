"""Processes of a cluster on this machine: which run, and how all of them are stopped.

A process is known by a variable of its environment, which names the cluster's folder and which its
children inherit. A file of process ids was rejected: it lacks the children, and a number may have
gone to another program since.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

STOP_SECONDS = 20

_COMMANDS = "commands.json"
"""File in the cluster's folder: the command and the variables of each process."""

_VARIABLE = "AFFECTNET_FACES_CLUSTER"
"""Holds <folder>:<name of the process>, also in the environment of all that it starts."""


def start(
    folder: Path, name: str, command: Sequence[str], environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a process that outlives this one; its output goes into the folder's logs/.

    Args:
      folder: the cluster's.
      name: of the process, in the cluster.
      command: program and arguments.
      environment: variables, besides those of this process.
    """
    known = _known(folder)
    known[name] = {"command": list(command), "environment": dict(environment)}
    (folder / _COMMANDS).write_text(json.dumps(known), encoding="utf-8")
    return start_again(folder, name)


def start_again(folder: Path, name: str) -> subprocess.Popen[bytes]:
    """Start a process of the cluster that has ended, as it was started."""
    known = _known(folder)[name]
    environment = {**os.environ, **known["environment"], _VARIABLE: f"{folder}:{name}"}
    environment.pop("JAVA_HOME", None)  # Spark's workers would take another Java from there.
    with (folder / "logs" / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            known["command"], env=environment,
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip


def _known(folder: Path) -> dict[str, Any]:
    """Return how each process was started, by name."""
    with contextlib.suppress(FileNotFoundError):
        return dict(json.loads((folder / _COMMANDS).read_text(encoding="utf-8")))
    return {}


def running(folder: Path) -> dict[str, int]:
    """Return the programs of the cluster that are alive, by name, without what they started."""
    return {name: pid for pid, name in _processes(folder) if _is_leader(pid)}


def _is_leader(pid: int) -> bool:
    """Return whether `start` started a process: it made a session for each."""
    with contextlib.suppress(ProcessLookupError):
        return os.getsid(pid) == pid
    return False


def _processes(folder: Path) -> Iterator[tuple[int, str]]:
    """Yield all processes of the cluster, with the name of the program that started each."""
    mark = f"{_VARIABLE}={folder}:".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # Another user's, or ended just now.
            for entry in path.read_bytes().split(b"\0"):
                if entry.startswith(mark):
                    yield int(path.parent.name), entry.removeprefix(mark).decode()


def stop(folder: Path) -> bool:
    """Stop all processes; return whether there were any.

    Those of the engine's workers first, so that they stop Beam's.
    """
    was_any = any(_processes(folder))
    alive = running(folder)
    for name in sorted(alive, reverse=True):
        _kill(alive[name], signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while any(_processes(folder)) and time.monotonic() < deadline:
        time.sleep(0.2)
    while left := list(_processes(folder)):
        for pid, _ in left:
            _kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    (folder / _COMMANDS).unlink(missing_ok=True)
    return was_any


def _kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
