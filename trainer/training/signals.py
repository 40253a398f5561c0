"""Ctrl-C and the cluster's SIGTERM, noticed between steps rather than in the middle of one.

Owns the two signal handlers. Letting KeyboardInterrupt fly was rejected: it would lose the steps
since the last checkpoint, and end in a traceback.
"""

import signal
import types

_names = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


class InterruptHandler:
    """Remember a signal that asks the program to stop; a second one stops it at once."""

    def __init__(self) -> None:
        self._received: int | None = None
        self._before = {number: signal.signal(number, self._receive) for number in _names}

    @property
    def name(self) -> str | None:
        """Name of the signal received, if any."""
        return _names[signal.Signals(self._received)] if self._received else None

    @property
    def exit_code(self) -> int:
        """Exit code of a program that a signal ended, as shells count it; SIGTERM's where another
        host received one."""
        return 128 + (self._received or signal.SIGTERM)

    def release(self) -> None:
        """Give the signals back to who had them before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: types.FrameType | None) -> None:
        self._received = number
        signal.signal(number, self._before[signal.Signals(number)])
