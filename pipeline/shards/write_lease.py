"""Write lease: lets the workers of one attempt at a build write shards, and no others.

Workers can outlive their driver, and an engine continues a job that was given up. A lease file in
the staging folder names the attempt; workers read it from time to time, and stop when it is gone or
names another attempt. Cancelling the engine's job was rejected as the only means: a killed driver
cannot, and Beam's job server for Flink does not.
"""

import contextlib
import uuid
from collections.abc import Iterator

from pipeline.files import storage

LEASE_FILE = "attempt"
"""Name of the lease file in the staging folder; it holds the attempt's name."""


class Abandoned(Exception):
    """The attempt was given up, or another has taken its place."""


@contextlib.contextmanager
def opened(staging: storage.AnyPath) -> Iterator[str]:
    """Give the lease to a new attempt, whose name is yielded; afterwards nobody has it."""
    attempt = uuid.uuid4().hex
    lease = staging / LEASE_FILE
    lease.write_text(attempt, encoding="utf-8")
    try:
        yield attempt
    finally:
        lease.unlink(missing_ok=True)


def check(staging: storage.AnyPath, attempt: str) -> None:
    """Check that an attempt still has the lease.

    Raises:
      Abandoned: if another has it, or none.
    """
    try:
        current = storage.content(staging / LEASE_FILE).decode(errors="replace")
    except FileNotFoundError:
        current = "none"
    if current != attempt:
        raise Abandoned(f"attempt {attempt} may not write into {staging}: {current} may")
