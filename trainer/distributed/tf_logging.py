"""Importing TensorFlow without its start-up chatter.

Owns the settings and the muffled import; every module that needs TensorFlow is imported inside
`chatter_off`, or after it. TF_CPP_MIN_LOG_LEVEL alone was not enough: the CUDA stub writes before
logging is configured.
"""

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator

from absl import logging


def errors_off() -> None:
    """Keep TensorFlow's own error log out of stderr: a lost host fills it with pages, and gets one
    sentence of ours."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextlib.contextmanager
def chatter_off() -> Iterator[None]:
    """Send what C++ libraries write to stderr nowhere, for as long as the block runs; exceptions
    still arrive."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.set_verbosity(logging.WARNING)
    warnings.filterwarnings("ignore", module="tensorflow|tensorflow_datasets|keras")
    sys.stderr.flush()
    with contextlib.ExitStack() as stack:
        saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        stack.callback(os.close, saved)
        stack.callback(os.close, nowhere)
        stack.callback(os.dup2, saved, 2)
        os.dup2(nowhere, 2)
        yield
