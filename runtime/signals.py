"""Signals that ask a program to stop: SIGINT (Ctrl-C) and SIGTERM, heard at any moment.

Owns hearing them in a thread, which Python's C handler wakes through a pipe. Python's own handlers
were rejected: they run in the main thread only, once it is back from C code, and there a training
step compiles for minutes; KeyboardInterrupt is lost, too, in destructors and in imports of C code.
"""

import contextlib
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Callable
from typing import Any, NoReturn

NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}

is_program = False
"""Whether the process is a program of ours, which may end it."""

stderr = 2
"""Descriptor of the program's stderr: another one while libraries write to 2 what nobody reads."""

before_end: list[Callable[[int], None]] = []
"""Called with the exit code before `end` ends the process."""

_DEFAULTS: dict[signal.Signals, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
}

_CLOSING_S = 1.0
"""Longest time to write out what stdout has buffered: its reader may have stopped reading."""

STARTER = "AFFECTNET_FACES_STARTER"
"""Variable with the number of the process that started this one, which ends with it."""

_LOOK_S = 0.5

_is_ending = threading.Event()


class Listener:
    """Calls a function, in a thread of its own, with the number of each signal.

    To be made and closed in the main thread. A later listener takes over until it is closed; where
    somebody else installs a handler of Python's, the function is not called. From the second signal
    on the handler that was there before is called, too, in the main thread.
    """

    def __init__(self, heard: Callable[[int], None]) -> None:
        self._heard = heard
        self._was_called = False
        self._reader, self._writer = os.pipe()
        if hasattr(os, "set_blocking"):  # Not on Windows before Python 3.12.
            os.set_blocking(self._writer, False)
        self._handlers = {number: signal.signal(number, self._in_main) for number in NAMES}
        self._wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        """Restore the handlers that were installed before."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._writer)

    def _in_main(self, number: int, frame: types.FrameType | None) -> None:
        before = self._handlers[signal.Signals(number)]
        if self._was_called and callable(before):
            before(number, frame)
        self._was_called = True

    def _listen(self) -> None:
        while numbers := os.read(self._reader, 64):
            for number in numbers:
                if number in NAMES and signal.getsignal(number) == self._in_main:
                    self._heard(number)
        os.close(self._reader)


def open_streams() -> None:
    """Open the null device in place of each of stdin, stdout and stderr that is closed.

    Before anything else is opened, such as a listener's pipe: it would have the number of one, and
    what C code prints in it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            descriptor = os.open(os.devnull, os.O_RDWR)  # The lowest number that is free.
            os.set_inheritable(descriptor, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w" if number else "r", encoding="utf-8"))  # noqa: SIM115, PTH123


def end_at_once() -> None:
    """End the process at the first signal, in a sentence; for programs, not for notebooks."""
    global is_program
    is_program = True
    open_streams()
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and not _is_ours(signal.getsignal(signal.SIGINT)):
        Listener(lambda number: end(number, f"stopped by {name(number)}"))


def raise_in_main() -> None:
    """Have SIGTERM raise SystemExit in the main thread, and Ctrl-C KeyboardInterrupt.

    For programs that have to stop what they have started, which takes longer than `end` gives them.
    """

    def stop(number: int, frame: types.FrameType | None) -> NoReturn:
        del frame
        print(f"stopped by {name(number)}", file=sys.stderr)
        raise SystemExit(128 + number)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, stop)


def end(number: int, sentence: str) -> NoReturn:
    """End the process as a signal does for shells, 128 + its number, whatever its threads do."""
    code = 128 + number
    _is_ending.set()
    closing = threading.Thread(target=_close, args=(code,), daemon=True)
    closing.start()
    closing.join(_CLOSING_S)
    exit_saying(code, sentence)


def exit_saying(code: int, sentence: str) -> NoReturn:
    """End the process at once, with a sentence on stderr."""
    with contextlib.suppress(OSError):
        os.write(stderr, f"{sentence}\n".encode(errors="backslashreplace"))
    os._exit(code)


def wait_if_ending() -> None:
    """Wait for the end that another thread has begun: what fails meanwhile is no news."""
    if _is_ending.is_set():
        time.sleep(2 * _CLOSING_S)


def end_with_parent() -> None:
    """End this worker process as soon as the process that made it has ended, however it did.

    The initializer of every pool of processes: whoever is killed cannot end its workers, and they
    would keep its output open. Ctrl-C on a terminal, which all of them get, is left to the parent.
    """
    import multiprocessing.connection  # Inside: no program has to wait for it, but a worker has it.

    def wait(sentinel: int) -> None:
        multiprocessing.connection.wait([sentinel])
        os._exit(1)

    parent = multiprocessing.parent_process()
    if parent is None:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=wait, args=(parent.sentinel,), daemon=True).start()


def end_with_starter() -> None:
    """End this process as soon as that of the variable `STARTER`, if any, is not its parent.

    A worker that is no pool's, and was being started when its program ended, would wait a minute
    for it, and keep its output open.
    """

    def wait(starter: int) -> None:
        while os.getppid() == starter:
            time.sleep(_LOOK_S)
        os._exit(1)

    if STARTER in os.environ:
        threading.Thread(target=wait, args=(int(os.environ[STARTER]),), daemon=True).start()


def name(number: int) -> str:
    """Return what people call a signal."""
    return NAMES[signal.Signals(number)]


def _close(code: int) -> None:
    for call in before_end:
        with contextlib.suppress(Exception):  # The others must be called, too.
            call(code)
    if "multiprocessing.util" in sys.modules:
        with contextlib.suppress(Exception):
            _end_workers()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()


def _end_workers() -> None:
    """End the processes of all pools, then remove semaphores whose tracker would complain."""
    import multiprocessing.util

    for worker in multiprocessing.active_children():
        worker.kill()
    multiprocessing.util._run_finalizers(0)  # type: ignore[attr-defined]


def _forget() -> None:
    """Handle signals as a new process does: a child has the pipe of its parent, but no thread."""
    signal.set_wakeup_fd(-1)
    for number, default in _DEFAULTS.items():
        if _is_ours(signal.getsignal(number)):
            signal.signal(number, default)


def _is_ours(handler: object) -> bool:
    return isinstance(getattr(handler, "__self__", None), Listener)


if hasattr(os, "register_at_fork"):  # Not on Windows, where there is no fork.
    os.register_at_fork(after_in_child=_forget)
