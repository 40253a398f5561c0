"""Training input: epochs of a split as step groups, distributed to the replicas."""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from trainer.data import examples, input_pipeline, sampler
from trainer.distributed import devices
from trainer.run import context
from trainer.training import setup


def step_groups(
    ctx: context.RunContext, *, split: examples.Split, first_epoch: int = 0, first_step: int = 0
) -> tf.distribute.DistributedIterator:
    """Return the step groups of a run on a training split, from a step of an epoch to the end."""
    plan_rows = input_pipeline.plan(
        split.num_examples,
        layout=ctx.layout,
        epochs=range(first_epoch, ctx.settings.training.epochs),
        first_step=first_step,
        replicas=devices.local_replicas(ctx.strategy),
    )
    order_of = epoch_order(ctx, split=split)
    groups = input_pipeline.step_groups(
        split,
        plan_rows=plan_rows,
        layout=ctx.layout,
        order_of=lambda epoch: order_of(epoch=epoch),
    )
    return input_pipeline.distribute(groups, strategy=ctx.strategy)


def epoch_order(ctx: context.RunContext, *, split: examples.Split) -> Callable[..., np.ndarray]:
    """Return the function from an epoch to the order of its examples, by --sampling."""
    seed = ctx.settings.training.seed
    if ctx.settings.imbalance.sampling == "natural":
        return functools.partial(sampler.natural, split.num_examples, seed=seed)
    targets = setup.class_targets(ctx, split=split)
    return functools.partial(sampler.drawn, split.labels, targets=targets, seed=seed)
