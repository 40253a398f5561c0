"""TensorFlow logging: suppresses start-up messages and, with several hosts, error logs.

Owns the settings; every module that needs TensorFlow is imported inside `chatter_off`, or after it.
TF_CPP_MIN_LOG_LEVEL alone was not enough: the CUDA stub writes before logging is configured.
"""

import contextlib
import logging as std_logging
import os
import sys
import warnings
from collections.abc import Iterator

from absl import logging

from runtime import signals


def errors_off() -> None:
    """Keep TensorFlow's error log out of stderr.

    For a lost host it prints pages, where we print one sentence.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextlib.contextmanager
def chatter_off() -> Iterator[None]:
    """Discard what libraries write to stderr while the block runs.

    Exceptions still propagate, and a signal that ends the program is still told (`signals.stderr`).
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.set_verbosity(logging.WARNING)
    std_logging.getLogger("tensorflow").setLevel(std_logging.ERROR)  # Else it tells of retracing.
    warnings.filterwarnings("ignore", module="tensorflow|tensorflow_datasets|keras")
    sys.stderr.flush()
    with contextlib.ExitStack() as stack:
        stderr = os.dup(2)
        stack.callback(os.close, stderr)
        devnull = os.open(os.devnull, os.O_WRONLY)
        stack.callback(os.close, devnull)
        stack.callback(setattr, signals, "stderr", signals.stderr)
        # Called first of the four: the copy must still be open.
        stack.callback(os.dup2, stderr, 2)
        if signals.stderr == 2:
            signals.stderr = stderr
        os.dup2(devnull, 2)
        yield
