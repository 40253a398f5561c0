"""No architecture depends on how many replicas share the batch."""

import dataclasses

import numpy as np
import pytest

from tests.trainer import test_replicas
from trainer import assembly

STRICT = {"optimizer": "sgd", "learning_rate": 0.05, "dropout": 0.3, "clip_norm": 0.5, "dense_units": (128, 128)}
"""Two epochs of four steps, the last of 14 examples: the last of four replicas has 2, and 2 of filling."""

SMALL = {"conv_filters": (4, 8)}
TOLERANCE = {"backbone": 2e-4}
"""The order of additions shows more behind 34 normalisations one after the other."""

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
def test_several_replicas_train_as_one_does(make_site, name, num_replicas):
    weights, sums = test_replicas.trained_weights(make_site(**STRICT, **NETWORKS[name]))
    shared_weights, shared_sums = test_replicas.trained_weights(
        make_site(num_replicas=num_replicas, **STRICT, **NETWORKS[name])
    )
    np.testing.assert_allclose(shared_sums, sums, rtol=1e-4, atol=1e-4)
    for expected, got in zip(weights, shared_weights, strict=True):
        np.testing.assert_allclose(got, expected, atol=TOLERANCE.get(name, 2e-5))


def with_affect(site):
    """Train with valence and arousal made up of the labels, some of them missing; return weights and sums."""
    network, split = assembly.model(site), assembly.read(site, split="train")
    labels = split.labels.astype(np.float32)
    valence, arousal = labels / 7, np.where(labels == 3, np.nan, 1 - labels / 4)
    valence[5::2] = np.nan
    split = dataclasses.replace(split, valence=valence.astype(np.float32), arousal=arousal.astype(np.float32))
    program, sums = test_replicas.train(network, site=site, epochs=2, split=split)
    return [variable.numpy() for variable in network.variables], sums


AFFECT = {"heads": "expression+va", "va_weight": 2.0, "optimizer": "sgd", "learning_rate": 0.05, "accumulate_steps": 2}


def test_several_replicas_learn_valence_and_arousal_as_one_does(make_site):
    weights, sums = with_affect(make_site(**AFFECT))
    shared_weights, shared_sums = with_affect(make_site(num_replicas=2, **AFFECT))
    np.testing.assert_allclose(shared_sums, sums, rtol=1e-4, atol=1e-4)
    for expected, got in zip(weights, shared_weights, strict=True):
        np.testing.assert_allclose(got, expected, atol=2e-5)
    lighter = with_affect(make_site(**{**AFFECT, "va_weight": 0.5}))[0]
    assert max(np.abs(a - b).max() for a, b in zip(weights, lighter, strict=True)) > 1e-3


def test_l2_changes_the_weights(make_site):
    shrunk, free = (test_replicas.trained_weights(make_site(l2=l2), epochs=1)[0] for l2 in (0.01, 0.0))
    assert max(np.abs(a - b).max() for a, b in zip(shrunk, free, strict=True)) > 1e-3
