"""Signal handling: Ctrl-C and the cluster's SIGTERM stop a run between two steps.

Owns the two signal handlers. Letting KeyboardInterrupt fly was rejected: it would lose the steps
since the last checkpoint, and end in a traceback.
"""

import signal
import types

_NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


class InterruptHandler:
    """Remember the first signal that asks the program to stop; a second one ends it at once."""

    def __init__(self) -> None:
        self._received: int | None = None
        self._before = {number: signal.signal(number, self._receive) for number in _NAMES}

    @property
    def name(self) -> str | None:
        """Name of the signal received, if any."""
        return _NAMES[signal.Signals(self._received)] if self._received else None

    @property
    def exit_code(self) -> int:
        """Exit code of a program that a signal ended: 128 + its number, as shells count.

        That of SIGTERM where the signal went to another host.
        """
        return 128 + (self._received or signal.SIGTERM)

    def release(self) -> None:
        """Restore the handlers that were installed before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: types.FrameType | None) -> None:
        self._received = number
        signal.signal(number, self._before[signal.Signals(number)])
