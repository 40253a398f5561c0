"""Networks with batch normalisation do not depend on how many replicas share the batch either."""

import numpy as np
import pytest

from tests.trainer import test_replicas

STRICT = {"optimizer": "sgd", "learning_rate": 0.1, "dropout": 0.3, "clip_norm": 0.5}
"""Two epochs of four steps, the last of 14 examples: the last of four replicas has 2, and 2 of filling."""

NETWORKS = {
    "cnn": {"batch_norm": True, "l2": 0.01, "color": "gray", "activation": "tanh"},
}


@pytest.fixture(scope="module")
def on_one():
    return {}


@pytest.mark.parametrize("num_replicas", [2, 4])
@pytest.mark.parametrize("name", NETWORKS)
def test_two_and_four_replicas_train_as_one_does(make_site, on_one, name, num_replicas):
    if name not in on_one:
        on_one[name] = trained(make_site(**STRICT, **NETWORKS[name]))
    weights, sums = trained(make_site(num_replicas=num_replicas, **STRICT, **NETWORKS[name]))
    np.testing.assert_allclose(sums, on_one[name][1], rtol=1e-4, atol=1e-4)
    for expected, got in zip(on_one[name][0], weights, strict=True):
        np.testing.assert_allclose(got, expected, atol=2e-5)


def trained(site):
    return test_replicas.trained_weights(site)


def test_l2_changes_the_weights(make_site, on_one):
    shrunk, free = (trained(make_site(**STRICT, l2=l2))[0] for l2 in (0.01, 0.0))
    assert max(np.abs(a - b).max() for a, b in zip(shrunk, free, strict=True)) > 1e-3
