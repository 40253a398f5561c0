"""Dtype policy: the number format that layers compute in, float32, bfloat16 or float16."""

import contextlib
from collections.abc import Iterator

import keras

FORMATS = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
"""--precision to Keras' name of the policy."""


@contextlib.contextmanager
def building(precision: str) -> Iterator[None]:
    """Let the layers made in the block compute in a format."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(FORMATS[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
