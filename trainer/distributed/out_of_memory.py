"""Out of memory: TensorFlow's error about full memory of a device, as one sentence.

Owns which errors mean that. Catching tf.errors.ResourceExhaustedError alone was rejected: a full
disk raises it too, while cuDNN and CUDA report full memory as other errors.
"""

import contextlib
import re
from collections.abc import Iterator

import tensorflow as tf

from runtime import errors

_SIGNS = re.compile(
    r"\bOOM\b|out of memory|OUT_OF_MEMORY|ALLOC_FAILED|failed to allocate", re.IGNORECASE
)

_MACHINE = "this machine"


@contextlib.contextmanager
def as_sentence(advice: str) -> Iterator[None]:
    """Raise what a block raises because memory is full as a UserError that ends with advice.

    Args:
      advice: what did not fit, and what to change.

    Raises:
      errors.UserError: instead of TensorFlow's error.
    """
    try:
        yield
    except tf.errors.OpError as error:
        if not _SIGNS.search(error.message):
            raise
        device = _device(error.message)
        others = "" if device == _MACHINE else "; nvidia-smi shows what else holds it"
        raise errors.UserError(f"the memory of {device} is full: {advice}{others}") from None


def _device(message: str) -> str:
    """Return the device that a message names; its allocator is named after it as well."""
    gpu = re.search(r"\bGPU:(\d+)|GPU_(\d+)_bfc", message)
    if gpu:
        return f"GPU {gpu[1] or gpu[2]}"
    return _MACHINE if re.search(r"device:CPU|allocator cpu|mklcpu", message) else "the device"
