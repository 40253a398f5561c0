"""Host failure: ends a run with one sentence and exit code 75 when a host is lost.

Owns the sentence and the exit code. A lost host shows as an error of the control channel, or as one
of a dozen of TensorFlow's from inside a collective operation: at once where a connection broke,
else when its coordination service has missed ten seconds of heartbeats. Continuing with fewer hosts
was rejected: it would change the batch, and so the result.
"""

import contextlib
import re
import sys
from collections.abc import Iterator
from typing import NoReturn

from runtime import errors, json_log, signals
from trainer.distributed import host_channel, tf_config

EXIT_CODE = errors.HOST_LOST

_SIGNS = (
    "Collective ops is aborted",
    "CoordinationService",
    "coordination service",
    "tensorflow.WorkerService",
)
_TASK = re.compile(r"/job:(\w+)(?:/replica:\d+)?/task:(\d+)")


@contextlib.contextmanager
def ending(hosts: tf_config.Cluster, *, model_dir: str) -> Iterator[None]:
    """End the process with one sentence when a host is lost inside the block."""
    try:
        yield
    except Exception as error:
        reason = explain(error, hosts=hosts)
        if reason is None:
            raise
        end(reason, model_dir=model_dir)


def end(reason: str, *, model_dir: str) -> NoReturn:
    """End the process with one sentence.

    At once, without Python's clean-up: TensorFlow's threads may still wait for the host, and what
    was saved is on disk.
    """
    json_log.write("error", level="error", message=reason)
    sys.stdout.flush()  # Nothing else does.
    signals.exit_saying(
        EXIT_CODE,
        f"\nerror: {reason}; all hosts stop, and the same command on every host continues "
        f"{model_dir} from its last checkpoint",
    )


def explain(error: Exception, *, hosts: tf_config.Cluster) -> str | None:
    """Return a sentence on the lost host, or None where the error has another cause."""
    if isinstance(error, host_channel.LostHost):
        return str(error)
    text = str(error)
    if "tensorflow" not in type(error).__module__ or not any(sign in text for sign in _SIGNS):
        return None
    named = [hosts.tasks.index(task) for task in _TASK.findall(text) if task in hosts.tasks]
    others = [index for index in named if index != hosts.index]
    name = hosts.name(others[0]) if others else "a host"
    return f"{name} was lost: it ended, or cannot be reached"
