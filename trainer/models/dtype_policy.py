"""Dtype policy: number format in which layers compute, float32, bfloat16 or float16."""

import contextlib
from collections.abc import Iterator

import keras

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
