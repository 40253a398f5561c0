"""Input pipeline: batches of a split, from plan rows to images on the replicas.

Owns which examples each replica gets in each step: a pure function of (seed, epoch, step), so that
a run can continue from any step. Indices come before images because they are a few bytes and decide
everything; the last batch of an epoch is filled up with the epoch's first examples at weight 0, so
that shapes stay fixed and nothing is dropped.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from runtime import machine
from trainer.data import examples

StepGroup = dict[str, tf.Tensor]
"""Input of one call into the graph on one replica: k steps of b examples.

image uint8[k, b, S, S, 3]; example_index, label, position (in the epoch's order) int64[k, b];
valence, arousal float32[k, b]; weight float32[k, b], 1 or, for filling, 0; count float32[k],
examples in the step over all replicas without filling; epoch int64[]. Where soft targets are learnt
also soft_target float32[k, b, C], and where labels have weights label_weight float32[k, b].
"""


_MOST_STEPS = 8
_MOST_BYTES = 24 * 2**20
"""Images of one step group on one replica. Larger buffers than 32 MiB are mapped anew by the C
library for every group (see `runtime.machine`), which halves the speed of reading from RAM."""


def steps_per_execution(batch_size: int, *, size_px: int) -> int:
    """Return how many steps of `batch_size` images a replica should run per call into the graph."""
    return max(1, min(_MOST_STEPS, _MOST_BYTES // (batch_size * size_px**2 * 3)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class BatchLayout:
    """Division of a global batch over replicas and microbatches, and of steps over step groups.

    A batch is cut into `num_microbatches` stretches of consecutive positions, and each of these is
    shared by all replicas: what is computed over a microbatch is then the same for any number of
    replicas.
    """

    batch_size: int
    num_replicas: int
    steps_per_execution: int
    num_microbatches: int = 1

    def num_steps(self, num_examples: int) -> int:
        """Return the steps that `num_examples` take."""
        return -(-num_examples // self.batch_size)


def plan(
    num_examples: int,
    *,
    layout: BatchLayout,
    epochs: range,
    first_step: int = 0,
    replicas: range | None = None,
) -> np.ndarray:
    """Return one row per step group and replica, (epoch, first step, replica): int64[L, 3].

    The first epoch begins at `first_step`. With several hosts each takes the rows of its own
    `replicas` (all by default) and reads no other images.
    """
    num_steps = layout.num_steps(num_examples)
    rows = [
        (epoch, step, replica)
        for epoch in epochs
        for step in range(
            first_step if epoch == epochs[0] else 0, num_steps, layout.steps_per_execution
        )
        for replica in replicas or range(layout.num_replicas)
    ]
    return np.array(rows, np.int64).reshape(-1, 3)


def batch_indices(
    order: np.ndarray, *, layout: BatchLayout, first_step: int, replica: int
) -> dict[str, np.ndarray]:
    """Return the arrays of a `StepGroup` that need no file.

    Args:
      order: int64[N], the example indices of an epoch in their order.
      layout: of the batches.
      first_step: of the step group.
      replica: whose share to return.
    """
    num_steps = layout.num_steps(len(order))
    last_step = min(first_step + layout.steps_per_execution, num_steps)
    steps = np.arange(first_step, last_step)[:, None]
    microbatch = layout.batch_size // layout.num_microbatches
    share = microbatch // layout.num_replicas
    starts = np.arange(0, layout.batch_size, microbatch)[:, None]
    in_step = starts + replica * share + np.arange(share)
    position = steps * layout.batch_size + in_step.reshape(-1)
    examples_left = len(order) - steps[:, 0] * layout.batch_size
    return {
        "example_index": np.take(order, position, mode="wrap"),
        "position": position,
        "weight": (position < len(order)).astype(np.float32),
        "count": np.minimum(layout.batch_size, examples_left).astype(np.float32),
    }


def step_groups(
    split: examples.Split,
    *,
    plan_rows: np.ndarray,
    layout: BatchLayout,
    order_of: Callable[[int], np.ndarray],
) -> tf.data.Dataset:
    """Return the dataset of `StepGroup`s, one per row of the plan.

    Args:
      split: whose examples to read.
      plan_rows: of `plan`.
      layout: of the batches.
      order_of: from an epoch to its example indices in order.
    """
    columns = {"label": split.labels, "valence": split.valence, "arousal": split.arousal}
    if split.targets is not None:
        columns["soft_target"] = split.targets
    if split.label_weights is not None:
        columns["label_weight"] = split.label_weights
    tensors = {name: tf.constant(column) for name, column in columns.items()}
    specs = _index_specs(layout)
    # Two: while one epoch ends, the next is being read ahead.
    order_of = functools.lru_cache(maxsize=2)(order_of)

    def indices(plan_row: np.ndarray) -> list[np.ndarray]:
        epoch, first_step, replica = map(int, plan_row)
        arrays = batch_indices(
            order_of(epoch), layout=layout, first_step=first_step, replica=replica
        )
        return [arrays[name] for name in specs]

    def read(plan_row: tf.Tensor) -> StepGroup:
        flat = tf.numpy_function(
            indices, [plan_row], [spec.dtype for spec in specs.values()], stateful=False
        )
        group = {
            name: tf.ensure_shape(tensor, spec.shape)
            for tensor, (name, spec) in zip(flat, specs.items(), strict=True)
        }
        index = group["example_index"]
        labels = {name: tf.gather(column, index) for name, column in tensors.items()}
        return {**group, **labels, "epoch": plan_row[0], "image": split.fetch(index)}

    dataset = tf.data.Dataset.from_tensor_slices(plan_rows)
    dataset = dataset.map(read, num_parallel_calls=machine.cpu_count(), deterministic=True)
    return dataset.with_options(_untuned())


def _untuned() -> tf.data.Options:
    """Return options that turn tf.data's autotuner off.

    It sleeps 10, 20, 40, ... ms, and whoever ends an iterator waits for it, which took up to half
    of the time of a validation. There is one parameter to tune, and its best value is known.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def _index_specs(layout: BatchLayout) -> dict[str, tf.TensorSpec]:
    """Return the types of what `batch_indices` returns.

    The number of examples is part of them: TensorFlow then knows all shapes while it traces a
    training step, whose graph is smaller by the nodes that would compute them on each replica.
    """
    share = layout.batch_size // layout.num_replicas
    return {
        "example_index": tf.TensorSpec((None, share), tf.int64),
        "position": tf.TensorSpec((None, share), tf.int64),
        "weight": tf.TensorSpec((None, share), tf.float32),
        "count": tf.TensorSpec((None,), tf.float32),
    }


def distribute(
    dataset: tf.data.Dataset, *, strategy: tf.distribute.Strategy
) -> tf.distribute.DistributedIterator:
    """Return an iterator over step groups, whose rows go to the replicas in turn.

    They are fetched ahead to the devices.
    """
    ahead = dataset.prefetch(2 * len(strategy.extended.worker_devices))
    return iter(strategy.distribute_datasets_from_function(lambda _: ahead))
