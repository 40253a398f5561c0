"""Contenders of the train benchmark, one process each: same network, data set and batch size.

python -m benchmarks.train_peers CONTENDER FLAGS… takes the trainer's own flags and prints images a
second and the fraction of time spent waiting for input, of the last epoch. `ceiling` is the
trainer's compiled step on images in the device's memory; `fit` is Keras' `Model.fit` over the same
images in memory, whose middle has been cropped already, batched and prefetched by tf.data, with
Keras' own optimizer of the same name.
"""

import csv
import dataclasses
import json
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags as absl_flags

from runtime import flags as flags_lib
from trainer.config import run_config
from trainer.run import context


def ours(settings: run_config.Config) -> tuple[float, float]:
    """Train as trainer.main does, log lines and checkpoints included."""
    from trainer.data import dataset_version
    from trainer.run import history
    from trainer.training import train

    with tempfile.TemporaryDirectory() as folder:
        run = dataclasses.replace(settings.run, model_dir=folder)
        train.run(
            dataclasses.replace(settings, run=run), data_path=dataset_version.locate(settings.data)
        )
        with (pathlib.Path(folder) / history.HISTORY).open(newline="") as file:
            *_, last = csv.DictReader(file)
    return float(last["images_per_s"]), float(last["input_wait_frac"])


def ceiling(settings: run_config.Config) -> tuple[float, float]:
    """Repeat the trainer's step on the images of one step group."""
    from runtime import machine
    from trainer.data import dataset_version, input_pipeline, sampler
    from trainer.training import setup

    ctx = context.create(
        settings, version=dataset_version.open_version(dataset_version.locate(settings.data))
    )
    split = context.read_split(ctx, split="train", for_training=True)
    train_step = setup.build_train_step(setup.model(ctx), ctx=ctx, split=split)
    plan_rows = input_pipeline.plan(split.num_examples, layout=ctx.layout, epochs=range(1))
    order = sampler.natural(split.num_examples, seed=0, epoch=0)
    groups = input_pipeline.step_groups(
        split, plan_rows=plan_rows, layout=ctx.layout, order_of=lambda epoch: order
    )
    distributed = input_pipeline.distribute(groups, strategy=ctx.strategy)
    train_step.compile(distributed.element_spec)
    group = next(distributed)
    # Not timed: the first call of a compiled function is slower.
    train_step.train(group, first_step=0)
    machine.keep_freed()  # As the trainer does after its first step.
    num_images = 0
    started = time.perf_counter()
    while num_images < split.num_examples:
        num_images += int(train_step.train(group, first_step=0)[:, 2].sum())
    return num_images / (time.perf_counter() - started), 0.0


def fit(settings: run_config.Config) -> tuple[float, float]:
    """Train with Keras' `Model.fit` on the images of train in memory."""
    import tensorflow as tf

    from trainer.data import dataset_version

    ctx = context.create(
        settings, version=dataset_version.open_version(dataset_version.locate(settings.data))
    )
    split = context.read_split(ctx, split="train", for_training=True)
    images = split.fetch(tf.range(split.num_examples, dtype=tf.int64))
    margin, side = (ctx.image_size - ctx.views.crop_px) // 2, ctx.views.crop_px
    images = images[:, margin : margin + side, margin : margin + side]
    targets: Any = split.labels
    if ctx.settings.model.has_affect:
        targets = {"logits": split.labels, "valence": split.valence, "arousal": split.arousal}
    data = (
        tf.data.Dataset.from_tensor_slices((images, targets))
        .shuffle(1000)
        .batch(settings.training.batch_size)
        .prefetch(tf.data.AUTOTUNE)
    )
    seconds = fit_seconds(keras_model(ctx), data=data, epochs=settings.training.epochs)
    return split.num_examples / seconds[-1], float("nan")


def keras_model(ctx: context.RunContext) -> Any:
    """Return the run's network, compiled for `fit`, with Keras' own layers where it has them."""
    import keras

    from trainer.models import layers, sync_batch_norm
    from trainer.training import setup

    def replaced(layer: Any) -> Any:
        if isinstance(layer, layers.Dropout):
            return keras.layers.Dropout(layer.rate)
        if isinstance(layer, layers.DropPath):
            return keras.layers.Dropout(layer.rate, noise_shape=(None, 1, 1, 1))
        if isinstance(layer, sync_batch_norm.BatchNormalization):
            return keras.layers.BatchNormalization(
                momentum=layer.momentum,
                epsilon=layer.epsilon,
                center=layer.center,
                scale=layer.scale,
                name=layer.name,
                dtype=layer.dtype_policy,
            )
        return layer.__class__.from_config(layer.get_config())

    asked = ctx.settings.optimization
    optimizers = {
        "sgd": lambda: keras.optimizers.SGD(
            asked.learning_rate, momentum=asked.momentum, nesterov=asked.nesterov
        ),
        "adam": lambda: keras.optimizers.Adam(asked.learning_rate),
        "adamw": lambda: keras.optimizers.AdamW(asked.learning_rate),
        # Keras' Muon gives the kernels of convolutions to AdamW, which is less work.
        "muon": lambda: keras.optimizers.Muon(asked.learning_rate / 10),
    }
    loss: Any = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    metrics: Any = ["accuracy"]
    if ctx.settings.model.has_affect:
        loss, metrics = {"logits": loss, "valence": "mse", "arousal": "mse"}, {"logits": metrics}
    with ctx.strategy.scope():
        network = keras.models.clone_model(setup.model(ctx), clone_function=replaced)
        network.compile(optimizer=optimizers[asked.optimizer](), loss=loss, metrics=metrics)
    return network


def fit_seconds(network: Any, *, data: Any, epochs: int) -> list[float]:
    """Train with `fit` and return the seconds of each epoch; the first one compiles."""
    import keras
    import numpy as np

    class Clock(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.seconds: list[float] = []

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self._started = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.seconds.append(time.perf_counter() - self._started)

    clock = Clock()
    network.fit(data, epochs=epochs, verbose=0, callbacks=[clock])
    assert np.isfinite(network.get_weights()[0]).all()
    return clock.seconds


def main(contender: str, flags: Sequence[str]) -> None:
    """Train with the given flags and print the speed."""
    flags_lib.define(run_config.SECTIONS)
    absl_flags.FLAGS([sys.argv[0], *flags])
    settings = run_config.resolve(flags_lib.given(run_config.SECTIONS))
    images_per_s, wait = {"ours": ours, "ceiling": ceiling, "fit": fit}[contender](settings)
    print(json.dumps({"images_per_s": images_per_s, "input_wait_frac": wait}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
