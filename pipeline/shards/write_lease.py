"""Which attempt at a build may write: workers can outlive their driver, and an engine goes on with
a job given up.

A note in the staging folder names the attempt; workers look now and then, and stop when it is gone
or names another. To cancel the engine's job instead does not suffice: a killed driver cannot, and
Beam's job server for Flink does not.
"""

import contextlib
import uuid
from collections.abc import Iterator

from pipeline.files import storage

NOTE = "attempt"


class Abandoned(Exception):
    """This attempt was given up, or another has taken its place."""


@contextlib.contextmanager
def opened(staging: storage.AnyPath) -> Iterator[str]:
    """Let the workers of a new attempt write, and no others; afterwards none. Gives its name."""
    attempt, note = uuid.uuid4().hex, staging / NOTE
    note.write_text(attempt, encoding="utf-8")
    try:
        yield attempt
    finally:
        note.unlink(missing_ok=True)


def check(staging: storage.AnyPath, attempt: str) -> None:
    """Stop a worker that nobody waits for.

    Raises:
      Abandoned: if this is one.
    """
    try:
        current = (staging / NOTE).read_text(encoding="utf-8")
    except FileNotFoundError:
        current = "none"
    if current != attempt:
        raise Abandoned(f"attempt {attempt} may not write into {staging}: {current} may")
