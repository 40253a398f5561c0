"""Dtype policy: number format in which layers compute, float32, bfloat16 or float16."""

import contextlib
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


def compute_in_full() -> None:
    """Compute float32 in this process without TF32, its rounding to 10 bits on NVIDIA's GPUs.

    Convolutions and matrix products of float32 use it by default where the GPU has it (compute
    capability 8.0 and newer). Training may; what a trained network says has to be what its exports
    say elsewhere.
    """
    tf.config.experimental.enable_tensor_float_32_execution(False)
