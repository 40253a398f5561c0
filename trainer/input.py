"""Files to batches, on one screen: order → rows of numbers → pictures → devices.

Owns what each replica is given in each step: a pure function of (seed, epoch, step) and of nothing else, so that a run
can be taken up anywhere. Rows come before pictures because they are a few bytes and say everything; the last row of an
epoch is filled up with the epoch's first examples at weight 0, so that shapes stay fixed and nothing is dropped.
"""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from trainer import pictures

Call = dict[str, tf.Tensor]
"""One call into the graph for one replica: k steps of b examples.

image uint8[k, b, S, S, 3]; number, label, place int64[k, b] (place: position in the epoch's order); valence, arousal
float32[k, b]; weight float32[k, b], 1 or, for filling, 0; count float32[k], real examples in the step over all
replicas; epoch int64[].
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shape:
    """How examples are dealt: `batch_size` a step over `num_replicas`, at most `steps_per_call` steps a call."""

    batch_size: int
    num_replicas: int
    steps_per_call: int

    def num_steps(self, num_examples: int) -> int:
        """Return the steps that `num_examples` take."""
        return -(-num_examples // self.batch_size)


def rows(order: np.ndarray, *, shape: Shape, epoch: int, first_step: int) -> Iterator[dict[str, np.ndarray]]:
    """Deal an epoch's order into one row a call and replica: the arrays of `Call` that need no file."""
    num_steps = shape.num_steps(len(order))
    place = np.arange(num_steps * shape.batch_size).reshape(num_steps, shape.num_replicas, -1)
    count = np.minimum(shape.batch_size, len(order) - np.arange(num_steps) * shape.batch_size)
    for start in range(first_step, num_steps, shape.steps_per_call):
        steps = slice(start, start + shape.steps_per_call)
        for replica in range(shape.num_replicas):
            here = place[steps, replica]
            yield {
                "number": np.take(order, here, mode="wrap"),
                "place": here,
                "weight": (here < len(order)).astype(np.float32),
                "count": count[steps].astype(np.float32),
                "epoch": np.int64(epoch),
            }


def calls(split: pictures.Split, *, make_rows: Callable[[], Iterator[dict[str, np.ndarray]]]) -> tf.data.Dataset:
    """Return the dataset of `Call`s: rows with their labels and pictures."""
    per_example = tf.TensorSpec((None, None), tf.int64)
    signature = {
        "number": per_example,
        "place": per_example,
        "weight": tf.TensorSpec((None, None), tf.float32),
        "count": tf.TensorSpec((None,), tf.float32),
        "epoch": tf.TensorSpec((), tf.int64),
    }
    columns = {"label": split.labels, "valence": split.valence, "arousal": split.arousal}
    tensors = {name: tf.constant(column) for name, column in columns.items()}

    def complete(row: Call) -> Call:
        found = {name: tf.gather(column, row["number"]) for name, column in tensors.items()}
        return {**row, **found, "image": split.fetch(row["number"])}

    return tf.data.Dataset.from_generator(make_rows, output_signature=signature).map(
        complete, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )


def distribute(dataset: tf.data.Dataset, *, strategy: tf.distribute.Strategy) -> tf.distribute.DistributedIterator:
    """Return an iterator over calls: rows dealt to the replicas in turn, and fetched ahead to their devices."""
    ahead = dataset.prefetch(2 * strategy.num_replicas_in_sync)
    return iter(strategy.distribute_datasets_from_function(lambda _: ahead))
