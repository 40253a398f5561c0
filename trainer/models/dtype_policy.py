"""Dtype policy: number format in which layers compute (float32, bfloat16, float16), and TF32."""

import contextlib
import threading
from collections.abc import Iterator

import keras
import tensorflow as tf

FORMATS = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
"""Value of --precision to Keras' name of the policy."""


@contextlib.contextmanager
def building(precision: str) -> Iterator[None]:
    """Set the number format of the layers that are made in the block."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(FORMATS[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


class _WithoutTf32(contextlib.AbstractContextManager[None]):
    """Block in which float32 is computed without TF32, NVIDIA's rounding of factors to 10 bits.

    Convolutions and matrix products use TF32 by default where the GPU has it (compute capability
    8.0 and newer). Training may; what a trained network says has to be what its exports say
    elsewhere. The switch is the process's: blocks may overlap in threads, and the last restores it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._num_open = 0
        self._before = True

    def __enter__(self) -> None:
        with self._lock:
            if not self._num_open:
                self._before = tf.config.experimental.tensor_float_32_execution_enabled()
                tf.config.experimental.enable_tensor_float_32_execution(False)
            self._num_open += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._num_open -= 1
            if not self._num_open:
                tf.config.experimental.enable_tensor_float_32_execution(self._before)


WITHOUT_TF32 = _WithoutTf32()
