"""Worker processes: Python processes on this machine that import Beam before they have work.

Owns their start and what they are told. A build starts them before it reads the annotations, since
importing takes them as long as that takes the submitting process; they wait for the addresses of a
pipeline on their standard input. Forking them from a process that has imported all was rejected:
the submitting process has gRPC's threads, which a fork does not survive, and a third process would
have to watch the workers in its place.
"""

import contextlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import IO

from runtime import signals

COMMAND = (sys.executable, "-c", "from pipeline import worker; worker.work_when_told()")
"""What a worker process runs: it imports half of what Beam's own command imports."""

_LAST_BYTES = 20_000
"""Bytes of a worker's stderr that are shown where its death is a defect."""


class Process:
    """A worker process.

    Attributes:
      popen: the process, as Python knows it.
    """

    def __init__(self, command: str = shlex.join(COMMAND)) -> None:
        """Start it; it imports what it needs, and waits until it is told what to do."""
        # Without a name, so that it goes with us; Beam prints every traceback there, besides.
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # Closed by `close`.
        self.popen = subprocess.Popen(
            shlex.split(command),
            env={**os.environ, signals.STARTER: str(os.getpid())},
            stdin=subprocess.PIPE,
            stderr=self._stderr,
        )

    def tell(self, variables: Mapping[str, str]) -> None:
        """Have it begin, with the environment variables that Beam's worker reads."""
        assert self.popen.stdin
        # A process that is dead cannot be told, and who waits for its end says why.
        with contextlib.suppress(BrokenPipeError), self.popen.stdin as stdin:
            stdin.write(json.dumps(dict(variables)).encode())

    def stderr_tail(self) -> str:
        """Return the end of what it wrote to stderr."""
        size = os.fstat(self._stderr.fileno()).st_size
        content = os.pread(self._stderr.fileno(), _LAST_BYTES, max(0, size - _LAST_BYTES))
        return content.decode(errors="replace")

    def close(self) -> None:
        """Forget what it wrote; call it when the process has ended."""
        self._stderr.close()

    def discard(self) -> None:
        """End it at once, before it was told anything."""
        self.popen.kill()
        with contextlib.suppress(BrokenPipeError):
            self.popen.communicate()
        self.close()


class Ahead:
    """Processes that were started ahead of their work."""

    def __init__(self) -> None:
        """Begin with none."""
        self._waiting: list[Process] = []

    def take(self) -> Process:
        """Return one of them that lives, or a new one where none is left."""
        while self._waiting:
            process = self._waiting.pop(0)
            if process.popen.poll() is None:
                return process
            process.discard()
        return Process()

    @contextlib.contextmanager
    def started(self, count: int) -> Iterator[None]:
        """Start so many; when the context ends, end those that nobody has taken."""
        try:
            self._waiting += [Process() for _ in range(count)]
            yield
        finally:
            while self._waiting:
                self._waiting.pop().discard()
