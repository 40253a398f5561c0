"""Files to batches, on one screen: plan → rows of numbers → pictures → devices.

Owns what each replica is given in each step: a pure function of (seed, epoch, step) and of nothing
else, so that a run can be taken up anywhere. Rows come before pictures because they are a few bytes
and say everything; the last row of an epoch is filled up with the epoch's first examples at weight
0, so that shapes stay fixed and nothing is dropped.
"""

import dataclasses
import functools
import os
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from trainer.data import examples

StepGroup = dict[str, tf.Tensor]
"""One call into the graph for one replica: k steps of b examples.

image uint8[k, b, S, S, 3]; example_index, label, position int64[k, b] (position: place in the epoch's order);
valence, arousal float32[k, b]; weight float32[k, b], 1 or, for filling, 0; count float32[k], real
examples in the step over all replicas; epoch int64[].
"""


_MOST_STEPS = 8
_MOST_BYTES = 24 * 2**20
"""Pictures of one call on one replica. Larger buffers than 32 MiB are mapped anew by the C library
for every call (see `memory`), which halves the speed of reading from RAM."""


def steps_per_execution(batch_size: int, *, size_px: int) -> int:
    """Return how many steps of a replica's `batch_size` pictures one call into the graph should
    hold."""
    return max(1, min(_MOST_STEPS, _MOST_BYTES // (batch_size * size_px**2 * 3)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class BatchLayout:
    """How examples are dealt: `batch_size` a step over `num_replicas`, at most
    `steps_per_execution` steps a call.

    A step is worked through in `num_parts` parts of consecutive places, and every part is shared by
    all replicas: what is computed over a part is then the same for any number of them.
    """

    batch_size: int
    num_replicas: int
    steps_per_execution: int
    num_parts: int = 1

    def num_steps(self, num_examples: int) -> int:
        """Return the steps that `num_examples` take."""
        return -(-num_examples // self.batch_size)


def plan(
    num_examples: int,
    *,
    shape: BatchLayout,
    epochs: range,
    first_step: int = 0,
    replicas: range | None = None,
) -> np.ndarray:
    """Return one line a call and replica, (epoch, first step, replica): int64[L, 3], the first
    epoch from a step on.

    With several hosts each takes the lines of its own `replicas` and reads no other picture; all
    are the default.
    """
    return np.array(
        [
            (epoch, start, replica)
            for epoch in epochs
            for start in range(
                first_step if epoch == epochs[0] else 0,
                shape.num_steps(num_examples),
                shape.steps_per_execution,
            )
            for replica in replicas or range(shape.num_replicas)
        ],
        np.int64,
    ).reshape(-1, 3)


def row(
    order: np.ndarray, *, shape: BatchLayout, start: int, replica: int
) -> dict[str, np.ndarray]:
    """Return the arrays of a `StepGroup` that need no file: the numbers that a replica is dealt,
    from a step on."""
    steps = np.arange(start, min(start + shape.steps_per_execution, shape.num_steps(len(order))))[
        :, None
    ]
    part = shape.batch_size // shape.num_parts
    share = part // shape.num_replicas
    in_step = np.arange(0, shape.batch_size, part)[:, None] + replica * share + np.arange(share)
    position = steps * shape.batch_size + in_step.reshape(-1)
    return {
        "example_index": np.take(order, position, mode="wrap"),
        "position": position,
        "weight": (position < len(order)).astype(np.float32),
        "count": np.minimum(shape.batch_size, len(order) - steps[:, 0] * shape.batch_size).astype(
            np.float32
        ),
    }


def step_groups(
    split: examples.Split,
    *,
    plan_rows: np.ndarray,
    shape: BatchLayout,
    order_of: Callable[[int], np.ndarray],
) -> tf.data.Dataset:
    """Return the dataset of `StepGroup`s, one a line of the plan; `order_of` gives an epoch's
    order."""
    columns = {"label": split.labels, "valence": split.valence, "arousal": split.arousal}
    tensors = {name: tf.constant(column) for name, column in columns.items()}
    order_of = functools.lru_cache(maxsize=2)(order_of)

    def numbers(line: np.ndarray) -> list[np.ndarray]:
        made = row(order_of(int(line[0])), shape=shape, start=int(line[1]), replica=int(line[2]))
        return [made[name] for name in _ROW]

    def complete(line: tf.Tensor) -> StepGroup:
        flat = tf.numpy_function(
            numbers, [line], [spec.dtype for spec in _ROW.values()], stateful=False
        )
        made = {
            name: tf.ensure_shape(t, spec.shape)
            for t, (name, spec) in zip(flat, _ROW.items(), strict=True)
        }
        found = {name: tf.gather(column, made["example_index"]) for name, column in tensors.items()}
        return {**made, **found, "epoch": line[0], "image": split.fetch(made["example_index"])}

    dataset = tf.data.Dataset.from_tensor_slices(plan_rows)
    return dataset.map(complete, num_parallel_calls=num_cores(), deterministic=True).with_options(
        _untuned()
    )


def _untuned() -> tf.data.Options:
    """Return options without tf.data's tuner: it sleeps 10, 20, 40, … ms, and whoever ends an
    iterator waits for it.

    A validation took up to twice its time by that. There is one thing to tune, and its best value
    is known.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def num_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_ROW = {
    "example_index": tf.TensorSpec((None, None), tf.int64),
    "position": tf.TensorSpec((None, None), tf.int64),
    "weight": tf.TensorSpec((None, None), tf.float32),
    "count": tf.TensorSpec((None,), tf.float32),
}


def distribute(
    dataset: tf.data.Dataset, *, strategy: tf.distribute.Strategy
) -> tf.distribute.DistributedIterator:
    """Return an iterator over calls: rows dealt to the replicas in turn, and fetched ahead to their
    devices."""
    ahead = dataset.prefetch(2 * len(strategy.extended.worker_devices))
    return iter(strategy.distribute_datasets_from_function(lambda _: ahead))
