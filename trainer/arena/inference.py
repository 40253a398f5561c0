"""Inference with a model of others: its output for every example of a split, and its speed.

Owns the batches, and which of several outputs is taken. A model that takes a fixed number of images
is given that many, the last one again where they are not enough.
"""

import statistics
import time

import numpy as np

from runtime import errors
from trainer.arena import adapter as adapter_lib
from trainer.arena import model_input
from trainer.data import examples
from trainer.inference import model_runtime

_BATCH = 32
_WARM_UP_CALLS = 5
_TIMED_CALLS = 50
_MOST_TIMED_S = 5.0


def outputs(
    model: model_runtime.ModelFile,
    *,
    split: examples.Split,
    adapter: adapter_lib.Adapter,
    taken: model_input.Input,
) -> np.ndarray:
    """Return the output of a model for every example, float[N, C] in the split's order.

    Raises:
      errors.UserError: if it cannot be run, or has another shape than the adapter's classes.
    """
    size = taken.batch or _BATCH
    name = output_name(model, adapter=adapter)
    found = []
    for start in range(0, split.num_examples, size):
        rows = np.arange(start, min(start + size, split.num_examples))
        images = model_input.prepare(split.fetch(rows).numpy(), adapter=adapter, taken=taken)
        missing = size - len(rows) if taken.batch else 0
        padded = np.concatenate([images, np.repeat(images[-1:], missing, axis=0)])
        values = model(padded, output=name)
        if values.shape[:1] != padded.shape[:1] or values[0].size != len(adapter.classes):
            raise errors.UserError(
                f"{adapter.path} names {len(adapter.classes)} classes, and output {name} of "
                f"{model.path} has the shape {values.shape} for {len(padded)} images: name each "
                "class that it gives, null for one of no class"
            )
        found.append(values.reshape(len(padded), -1)[: len(rows)])
    return np.concatenate(found)


def milliseconds(
    model: model_runtime.ModelFile,
    *,
    split: examples.Split,
    adapter: adapter_lib.Adapter,
    taken: model_input.Input,
) -> tuple[float, str]:
    """Return the milliseconds of a warm model for one prepared face, and how they were measured."""
    name = output_name(model, adapter=adapter)
    rows = np.zeros(taken.batch or 1, np.int64)
    images = model_input.prepare(split.fetch(rows).numpy(), adapter=adapter, taken=taken)
    for _ in range(_WARM_UP_CALLS):
        model(images, output=name)
    took: list[float] = []
    while len(took) < _TIMED_CALLS and sum(took) < _MOST_TIMED_S:
        start = time.perf_counter()
        model(images, output=name)
        took.append(time.perf_counter() - start)
    how = f"batch {len(images)}, median of {len(took)} calls after {_WARM_UP_CALLS}"
    return 1000 * statistics.median(took) / len(images), how


def output_name(model: model_runtime.ModelFile, *, adapter: adapter_lib.Adapter) -> str:
    """Return the name of the output that has the classes."""
    wanted = adapter.output_name
    if wanted is None and len(model.outputs) == 1:
        return model.outputs[0]
    names = ", ".join(model.outputs)
    if wanted is None:
        raise errors.UserError(
            f"{model.path} has several outputs: {adapter.path} must say output_name, one of {names}"
        )
    if wanted not in model.outputs:
        raise errors.UserError(
            f"{adapter.path}: output_name must be one of {names:.300}: got {wanted!r:.60}"
        )
    return wanted
