"""The project's programs as processes that share one import of TensorFlow.

Owns starting a program where its start is not what is tested: a fork server imports TensorFlow
once, and every program is a fork of it, a real process with its own memory and exit code. Plain
`python -m` was rejected for these: the import takes seconds of a core each time. Tests of what a
program refuses before TensorFlow is imported, and of hosts, start `python -m` itself.
"""

import contextlib
import fcntl
import multiprocessing
import os
import pathlib
import pty
import runpy
import struct
import subprocess
import sys
import tempfile
import termios
import threading

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # Read by TensorFlow's import in the server.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["trainer.training.train"])
TIMEOUT_S = 500


class Program:
    """A running program; what it prints goes to files, so that nothing has to read pipes."""

    def __init__(self, module: str, *flags: object) -> None:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="program_"))
        self.command = [module, *map(str, flags)]
        self._files = (folder / "stdout", folder / "stderr")
        self._process = _CONTEXT.Process(
            target=_work, args=(self.command, dict(os.environ), pathlib.Path.cwd(), self._files)
        )
        self._process.start()

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._process.exitcode

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process.pid
        os.kill(self._process.pid, number)

    def kill(self) -> int:
        """End it by SIGKILL; return its exit code."""
        self._process.kill()
        return self.wait().returncode

    def wait(self, timeout_s: float = TIMEOUT_S) -> subprocess.CompletedProcess[str]:
        """Return the exit code (negative: the signal that ended it) and what was printed.

        Raises:
          TimeoutError: if it runs longer; it is killed first.
        """
        self._process.join(timeout_s)
        if self._process.exitcode is None:
            self._process.kill()
            raise TimeoutError(f"{' '.join(self.command)} ran longer than {timeout_s} s")
        stdout, stderr = (file.read_text(encoding="utf-8") for file in self._files)
        return subprocess.CompletedProcess(self.command, self._process.exitcode, stdout, stderr)


def run(module: str, *flags: object) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, as `python -m module flags` does."""
    return Program(module, *flags).wait()


def run_on_terminal(module: str, *flags: object, columns: int) -> tuple[int | None, str]:
    """Run a program on a terminal of its own; return its exit code and all that it wrote to it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    terminal = pathlib.Path(os.ttyname(theirs))
    process = _CONTEXT.Process(
        target=_work,
        args=([module, *map(str, flags)], dict(os.environ), pathlib.Path.cwd(), (terminal,) * 2),
    )
    written: list[bytes] = []
    reader = threading.Thread(target=_read_terminal, args=(ours, written))
    reader.start()
    process.start()
    process.join(TIMEOUT_S)
    os.close(theirs)  # The last one that is open: the reader is at the end.
    reader.join()
    os.close(ours)
    return process.exitcode, b"".join(written).decode()


def _read_terminal(descriptor: int, written: list[bytes]) -> None:
    with contextlib.suppress(OSError):  # EIO is the end of a terminal.
        while content := os.read(descriptor, 65536):
            written.append(content)


def _work(
    command: list[str],
    environment: dict[str, str],
    folder: pathlib.Path,
    files: tuple[pathlib.Path, ...],
) -> None:
    os.environ.clear()  # The server has the environment of the first program.
    os.environ.update(environment)
    os.chdir(folder)
    for stream, file in zip((1, 2), files, strict=True):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    if os.isatty(1):  # The server's own streams take it for the file that they were opened on.
        sys.stdout, sys.stderr = (os.fdopen(stream, "w", closefd=False) for stream in (1, 2))
    sys.argv = list(command)
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)
