"""Rows of the GPU benchmark for one network at one size, in a process of its own.

python -m benchmarks.gpu_rows '{"seconds": …}' FLAGS… takes the trainer's flags and prints a line of
JSON for each variant as soon as it is measured. `images_per_s` is the trainer's step fed by its
input pipeline; `alone_per_s` the same compiled step on images that are on the device already;
`fit_per_s` Keras' `Model.fit` on images in memory.
"""

import dataclasses
import gc
import json
import os
import sys
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags as absl_flags

from benchmarks import train_peers
from runtime import errors, machine
from runtime import flags as flags_lib
from trainer.config import run_config
from trainer.data import dataset_version, examples
from trainer.distributed import out_of_memory
from trainer.monitoring import memory_usage
from trainer.run import context
from trainer.training import setup, train_input, train_step

VARIANTS = {
    "bfloat16": {"precision": "bfloat16"},
    "bfloat16, XLA": {"precision": "bfloat16", "jit": True},
    "float32": {"precision": "float32"},
    "float32, XLA": {"precision": "float32", "jit": True},
}
"""Settings of each variant; what matters most is first, for time may run out."""

_FIT_IMAGES = 2048
"""Images that `fit` repeats."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Order:
    """What to measure, and for how long."""

    variants: tuple[str, ...]
    seconds: float
    """Time of each measurement."""
    budget_s: float
    """No variant is begun after so many seconds."""


def main(order: Order, settings: run_config.Config) -> None:
    """Measure each variant and print its row."""
    started = time.perf_counter()
    ctx = context.create(
        settings, version=dataset_version.open_version(dataset_version.locate(settings.data))
    )
    splits = {cache: _split(ctx, cache=cache) for cache in ("ram", "none")}
    for name in order.variants:
        if time.perf_counter() - started > order.budget_s:
            return
        row: dict[str, Any] = {"variant": name, "device": ctx.device_line}
        try:
            row |= measure(_variant(ctx, name=name), splits=splits, seconds=order.seconds)
        except errors.UserError as error:
            row["error"] = str(error)
        print(json.dumps(row), flush=True)
        _forget()


def measure(
    ctx: context.RunContext, *, splits: dict[str, examples.Split], seconds: float
) -> dict[str, float]:
    """Measure the trainer's step with its input pipeline, by itself, and beside `fit`."""
    step = setup.build_train_step(setup.model(ctx), ctx=ctx, split=splits["ram"])
    # Once: batches of both splits have the same type.
    step.compile(train_input.step_groups(ctx, split=splits["ram"]).element_spec)
    row = {}
    for cache, split in splits.items():
        suffix = "" if cache == "ram" else "_no_cache"
        rate, wait = fed(step, ctx=ctx, split=split, seconds=seconds)
        row |= {f"images_per_s{suffix}": rate, f"input_wait_frac{suffix}": wait}
    row["alone_per_s"] = alone(step, ctx=ctx, split=splits["ram"], seconds=seconds)
    row["ms_a_step"] = 1000 * ctx.settings.training.batch_size / row["images_per_s"]
    row["peak_bytes"] = memory_usage.bytes_in_use()
    if not ctx.settings.training.jit:  # Keras refuses XLA under a strategy.
        row["fit_per_s"] = fit(ctx, split=splits["ram"], rate=row["images_per_s"], seconds=seconds)
    return row


def fed(
    step: train_step.TrainStep, *, ctx: context.RunContext, split: examples.Split, seconds: float
) -> tuple[float, float]:
    """Return images a second of the step on the batches of the input pipeline, and the fraction of
    time spent waiting for them."""
    groups = train_input.step_groups(ctx, split=split)
    for _ in range(2):  # The first call compiles; the second finds batches prefetched.
        step.train(next(groups), first_step=0)
    machine.keep_freed()  # As the trainer does after its first step.
    num_images, waited = 0, 0.0
    started = now = time.perf_counter()
    while now - started < seconds:
        group = next(groups)
        waited += time.perf_counter() - now
        num_images += int(step.train(group, first_step=0)[:, 2].sum())
        now = time.perf_counter()
    return num_images / (now - started), waited / (now - started)


def alone(
    step: train_step.TrainStep, *, ctx: context.RunContext, split: examples.Split, seconds: float
) -> float:
    """Return images a second of the step on one group of batches, again and again."""
    group = next(train_input.step_groups(ctx, split=split))
    step.train(group, first_step=0)
    num_images = 0
    started = now = time.perf_counter()
    while now - started < seconds:
        num_images += int(step.train(group, first_step=0)[:, 2].sum())
        now = time.perf_counter()
    return num_images / (now - started)


def fit(ctx: context.RunContext, *, split: examples.Split, rate: float, seconds: float) -> float:
    """Return images a second of Keras' `fit` in about so many seconds."""
    import tensorflow as tf

    batch_size = ctx.settings.training.batch_size
    count = min(_FIT_IMAGES, split.num_examples)
    images = split.fetch(tf.range(count, dtype=tf.int64))
    steps = max(1, round(rate * seconds / batch_size))
    data = (
        tf.data.Dataset.from_tensor_slices((images, split.labels[:count]))
        .repeat()
        .shuffle(1000)
        .batch(batch_size, drop_remainder=True)
        .take(steps)
        .prefetch(tf.data.AUTOTUNE)
    )
    with out_of_memory.as_sentence("Keras' fit needs more"):
        taken = train_peers.fit_seconds(train_peers.keras_model(ctx), data=data, epochs=2)
    return steps * batch_size / taken[-1]


def _split(ctx: context.RunContext, *, cache: str) -> examples.Split:
    """Read train; with a cache, every image once, so that the cache is full."""
    import tensorflow as tf

    split = examples.read(
        ctx.version, split="train", size_px=ctx.image_size, for_training=True, cache=cache
    )
    if cache != "none":
        for first in range(0, split.num_examples, 256):
            split.fetch(tf.range(first, min(first + 256, split.num_examples), dtype=tf.int64))
    return split


def _variant(ctx: context.RunContext, *, name: str) -> context.RunContext:
    settings = run_config.flat(ctx.settings) | VARIANTS[name]
    return dataclasses.replace(ctx, settings=run_config.make(settings))


def _forget() -> None:
    """Free the network, and begin to count memory anew."""
    import keras
    import tensorflow as tf

    keras.backend.clear_session()
    gc.collect()
    for gpu in tf.config.list_logical_devices("GPU"):
        tf.config.experimental.reset_memory_stats(gpu.name.removeprefix("/device:"))


if __name__ == "__main__":
    flags_lib.define(run_config.SECTIONS)
    absl_flags.FLAGS([sys.argv[0], *sys.argv[2:]])
    main(
        Order(**json.loads(sys.argv[1])),
        run_config.resolve(flags_lib.given(run_config.SECTIONS)),
    )
