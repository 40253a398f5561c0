"""Logs of Beam and its local workers, held back until it is known whether they tell of a defect.

Owns what a person sees of them: nothing where the sentence of a refusal says it all. Raising the
log level was rejected: it would hide what belongs to a defect of ours.
"""

import collections
import contextlib
import functools
import logging
import threading
from collections.abc import Callable, Iterator

import grpc

from runtime import errors, program

MOST_RECORDS = 1_000
"""Records that are held back; the last ones, which belong to the end."""

_BEAM = "apache_beam"


@contextlib.contextmanager
def held_back(*, live: bool) -> Iterator[None]:
    """Hold back what Beam logs in this context; print it at the end, unless a refusal ends it.

    Args:
      live: whether to print it at once, except for tracebacks that are raised, too: an engine tells
        how it is doing.
    """
    held: collections.deque[Callable[[], object]] = collections.deque(maxlen=MOST_RECORDS)
    handlers = list(logging.getLogger().handlers)
    filters = [_filter(handler, held, live=live) for handler in handlers]
    before = threading.excepthook
    if not live:
        threading.excepthook = functools.partial(_hold_exception, held, before)
    for handler, keep in zip(handlers, filters, strict=True):
        handler.addFilter(keep)
    refused = False
    try:
        yield
    except BaseException as error:
        refused = not isinstance(error, Exception) or program.refusal_for(error) is not None
        raise
    finally:
        threading.excepthook = before
        for handler, keep in zip(handlers, filters, strict=True):
            handler.removeFilter(keep)
        while held and not refused:
            held.popleft()()


def _filter(
    handler: logging.Handler, held: collections.deque[Callable[[], object]], *, live: bool
) -> Callable[[logging.LogRecord], bool]:
    """Return a filter that keeps Beam's records from a handler, for later."""

    def keep(record: logging.LogRecord) -> bool:
        if not record.name.startswith(_BEAM):
            return True
        if live:
            return is_not_raised(record)
        if is_not_raised(record):
            held.append(functools.partial(handler.handle, record))
        return False

    return keep


def _hold_exception(
    held: collections.deque[Callable[[], object]],
    print_it: Callable[[threading.ExceptHookArgs], object],
    raised: threading.ExceptHookArgs,
) -> None:
    """Keep what a thread raised, for later, unless it only read from a worker that is dead."""
    if not issubclass(raised.exc_type, grpc.RpcError):
        held.append(functools.partial(print_it, raised))


def is_not_raised(record: logging.LogRecord) -> bool:
    """Return whether a log entry is no copy of a traceback that is raised in this process, too."""
    text = record.getMessage()
    return "Error processing instruction" not in text and errors.system_error_in(text) is None
