"""Training input: epochs of a split as step groups, distributed to the replicas."""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from trainer.data import examples, input_pipeline, sampler
from trainer.distributed import devices
from trainer.run import context
from trainer.training import setup


def calls_of(
    at: context.Site, *, split: examples.Split, first_epoch: int = 0, first_step: int = 0
) -> tf.distribute.DistributedIterator:
    """Return the calls of a run on a training split, from a step of an epoch on, dealt to the replicas."""
    left = range(first_epoch, at.settings.training.epochs)
    own = devices.local_replicas(at.strategy)
    lines = input_pipeline.plan(split.num_examples, shape=at.shape, epochs=left, first_step=first_step, replicas=own)
    ordered = order_of(at, split=split)
    calls = input_pipeline.calls(split, lines=lines, shape=at.shape, order_of=lambda epoch: ordered(epoch=epoch))
    return input_pipeline.distribute(calls, strategy=at.strategy)


def order_of(at: context.Site, *, split: examples.Split) -> Callable[..., np.ndarray]:
    """Return the function from an epoch to the order of its examples, as the sampling wants it."""
    seed = at.settings.training.seed
    if at.settings.imbalance.sampling == "natural":
        return functools.partial(sampler.natural, split.num_examples, seed=seed)
    targets = setup.targets(at, split=split)
    return functools.partial(sampler.drawn, split.labels, targets=targets, seed=seed)
