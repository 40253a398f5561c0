"""Signal handling: Ctrl-C and the cluster's SIGTERM stop a run between two calls into the graph.

Owns what a first and a second signal mean to a run. Letting KeyboardInterrupt fly was rejected: it
would lose the steps since the last checkpoint, and end in a traceback.
"""

import pathlib
import signal
import sys

from runtime import signals


class InterruptHandler:
    """Context that remembers the first signal to stop; a second one ends the program at once.

    In a notebook the second one raises KeyboardInterrupt, as it does without us.
    """

    def __init__(self, *, model_dir: pathlib.Path) -> None:
        self._received: int | None = None
        self._model_dir = model_dir

    def __enter__(self) -> "InterruptHandler":
        """Hear signals until the block ends."""
        self._listener = signals.Listener(self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        """Restore the handlers that were installed before."""
        self._listener.close()

    @property
    def name(self) -> str | None:
        """Name of the signal received, if any."""
        return signals.name(self._received) if self._received else None

    @property
    def exit_code(self) -> int:
        """Exit code of a program that a signal ended: 128 + its number, as shells count.

        That of SIGTERM where the signal went to another host.
        """
        return 128 + (self._received or signal.SIGTERM)

    def _hear(self, number: int) -> None:
        name = signals.name(number)
        if self._received and not signals.is_program:
            return
        if self._received:
            signals.end(
                number,
                f"stopped at once by {name}: the same command continues {self._model_dir} from its "
                "last checkpoint",
            )
        self._received = number
        print(
            f"\n{name}: stopping after this call, which can take minutes where it compiles; a "
            "second one ends at once",
            file=sys.stderr,
            flush=True,
        )
