"""No architecture depends on how many replicas share the batch."""

import dataclasses

import numpy as np
import pytest

from tests.trainer import drift
from tests.trainer.training import test_replicas
from trainer.run import context
from trainer.training import setup

STRICT = {
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "dropout": 0.3,
    "clip_norm": 0.5,
    "dense_units": (128, 128),
}
"""Two epochs of four steps, the last of 14 examples: the last of four replicas has 2, and 2 of
filling."""

SMALL = {"conv_filters": (4, 8)}
NETWORKS = {
    "cnn": {**SMALL, "batch_norm": True, "l2": 0.01, "color": "gray", "activation": "tanh"},
    "resnet_small": {**SMALL, "model": "resnet_small", "blocks_per_stage": 1, "drop_path": 0.3},
    "backbone": {"conv_filters": (32, 64, 128), "model": "mobilenet_v3_small"},
}


@pytest.mark.parametrize(
    ("name", "num_replicas"),
    [
        ("cnn", 2),
        ("resnet_small", 4),
        pytest.param("backbone", 2, marks=pytest.mark.slow),
    ],
)
def test_several_replicas_train_as_one_does(make_ctx, name, num_replicas):
    settings = {**STRICT, **NETWORKS[name]}
    shared = test_replicas.trained_weights(make_ctx(num_replicas=num_replicas, **settings))
    alone = test_replicas.trained_weights(make_ctx(**settings))
    test_replicas.assert_alike(shared, alone, start=test_replicas.start_of(make_ctx(**settings)))


def with_affect(ctx):
    """Train with valence and arousal made from labels, some missing; return weights and sums."""
    network, split = setup.model(ctx), context.read_split(ctx, split="train")
    labels = split.labels.astype(np.float32)
    valence, arousal = labels / 7, np.where(labels == 3, np.nan, 1 - labels / 4)
    valence[5::2] = np.nan
    split = dataclasses.replace(
        split, valence=valence.astype(np.float32), arousal=arousal.astype(np.float32)
    )
    train_step, sums = test_replicas.train(network, ctx=ctx, epochs=2, split=split)
    return [variable.numpy() for variable in network.variables], sums


AFFECT = {
    "heads": "expression+va",
    "va_weight": 2.0,
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "accumulate_steps": 2,
}


def test_several_replicas_learn_valence_and_arousal_as_one_does(make_ctx):
    alone, shared = (with_affect(make_ctx(num_replicas=n, **AFFECT)) for n in (1, 2))
    start = [variable.numpy() for variable in setup.model(make_ctx(**AFFECT)).variables]
    test_replicas.assert_alike(shared, alone, start=start)
    lighter = with_affect(make_ctx(**{**AFFECT, "va_weight": 0.5}))[0]
    assert drift.largest(alone[0], lighter, start=start) > 10 * drift.LIMIT


def test_l2_changes_the_weights(make_ctx):
    shrunk, free = (
        test_replicas.trained_weights(make_ctx(l2=l2), epochs=1)[0] for l2 in (0.01, 0.0)
    )
    assert max(np.abs(a - b).max() for a, b in zip(shrunk, free, strict=True)) > 1e-3
