"""No architecture depends on how many replicas share the batch."""

import keras
import pytest

from tests.trainer.training import test_replicas
from trainer.models import keras_backbones

STRICT = {
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "dropout": 0.3,
    "clip_norm": 0.5,
    "dense_units": (128, 128),
}
"""Two epochs of four steps, the last of 14 examples: the second of two replicas has 2 of filling.
The architecture `cnn` is that of `test_replicas`."""

NETWORKS = {
    "resnet_small": {"conv_filters": (4, 8), "blocks_per_stage": 1, "drop_path": 0.3},
    "mobilenet_v3_small": {"conv_filters": (32, 64, 128)},  # The default: it has no effect.
}


@pytest.fixture
def short_backbone(monkeypatch):
    """Cut Keras' MobileNetV3 off after its third block; all eleven take a minute to trace.

    There are two replicas and one, each with a forward and a backward pass; what remains has every
    kind of layer of the others.
    """
    whole = keras_backbones._BUILDERS["mobilenet_v3_small"]

    def build(*, pooling, **how):
        original = whole(pooling=pooling, **how)
        blocks = original.get_layer("expanded_conv_2_add").output
        features = keras.layers.GlobalAveragePooling2D()(blocks)
        return keras.Model(original.inputs, features)

    monkeypatch.setitem(keras_backbones._BUILDERS, "mobilenet_v3_small", build)


@pytest.mark.parametrize("name", NETWORKS)
def test_two_replicas_train_as_one_does(make_ctx, short_backbone, name):
    settings = {**STRICT, **NETWORKS[name], "model": name}
    shared = test_replicas.trained_weights(make_ctx(num_replicas=2, **settings))
    alone = test_replicas.trained_weights(make_ctx(**settings))
    test_replicas.assert_alike(shared, alone, start=test_replicas.start_of(make_ctx(**settings)))
