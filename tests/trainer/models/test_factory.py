import keras
import numpy as np
import pytest
import tensorflow as tf

from runtime import errors
from trainer.config import model_config
from trainer.models import factory, heads, layers

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)


def build(size=32, **settings):
    return factory.build(model_config.Model(**settings), image_size=size, num_classes=8, seed=0)


def test_the_default_network_is_three_blocks_and_two_dense_layers():
    # 3x3x3x32+32, 3x3x32x64+64, 3x3x64x128+128, 4x4x128x128+128, 128x128+128, 128x8+8.
    assert build().count_params() == 896 + 18_496 + 73_856 + 262_272 + 16_512 + 1_032


def test_filters_and_units_are_as_many_as_asked():
    # 896/32x4 = 3x3x3x4+4; a 16 x 16 x 4 map; 1024x5+5; 5x8+8.
    assert build(conv_filters=(4,), dense_units=(5,)).count_params() == 112 + 5_125 + 48


def test_multiply_adds_are_those_of_each_output_of_convolutions_and_dense_layers():
    # 32 x 32 x 4 outputs of 3x3x3 each; 16 x 16 x 4 into 5 units; 5 into 8 classes.
    network = build(conv_filters=(4,), dense_units=(5,))
    assert factory.multiply_adds(network) == 32 * 32 * 4 * 27 + 16 * 16 * 4 * 5 + 5 * 8


def test_multiply_adds_of_a_network_from_a_paper():
    """MobileNetV3-Small at 224 px: 56 million with its classifier (Howard et al. 2019, Table 3)."""
    found = factory.multiply_adds(build(size=224, model="mobilenet_v3_small"))
    assert found == pytest.approx(55e6, rel=0.04)


def test_images_of_any_number_type_give_the_same_logits():
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3))
    network = build()
    np.testing.assert_allclose(
        network(tf.cast(images, tf.uint8)), network(tf.cast(images, tf.float32)), atol=1e-5
    )
    assert network(tf.cast(images, tf.uint8)).shape == (2, 8)


def test_the_same_seed_draws_the_same_weights():
    for one, two in zip(build().variables, build().variables, strict=True):
        np.testing.assert_array_equal(one, two)


def test_dropout_is_where_it_is_asked_for():
    rates = [layer.rate for layer in build(dropout=0.5).layers if "dropout" in layer.name]
    assert rates == [0.5] * 5


def test_batch_norm_is_where_it_is_asked_for():
    # 3x3x3x4 weights without bias, 4 each of gamma, beta, mean, variance; 1024x5 and 4x5; 5x8+8.
    assert (
        build(conv_filters=(4,), dense_units=(5,), batch_norm=True).count_params()
        == 108 + 16 + 5_120 + 20 + 48
    )
    assert [layer.name for layer in build(batch_norm=True).layers if "norm" in layer.name] == [
        *("normalise", "conv0_norm", "conv1_norm", "conv2_norm", "dense0_norm", "dense1_norm")
    ]


def test_the_activation_is_the_one_asked_for():
    found = {
        layer.activation.__name__
        for layer in build(activation="tanh").layers
        if "_tanh" in layer.name
    }
    assert found == {"tanh"}
    assert np.abs(build()(IMAGES) - build(activation="tanh")(IMAGES)).max() > 1e-3


def test_the_first_weights_are_drawn_as_asked():
    def deviation(**settings):
        return np.std(build(**settings).get_layer("conv2").kernel)

    # Glorot: sqrt(2 / (9 x 64 + 9 x 128)); He: sqrt(2 / (9 x 64)).
    assert deviation() == pytest.approx(0.0340, rel=0.02)
    assert deviation(initializer="he_normal") == pytest.approx(0.0589, rel=0.02)


def test_a_block_has_as_many_convolutions_as_asked():
    kernels = [
        layer.kernel.shape
        for layer in build(conv_filters=(4, 8), convs_per_block=2).layers
        if isinstance(layer, keras.layers.Conv2D)
    ]
    assert kernels == [(3, 3, 3, 4), (3, 3, 4, 4), (3, 3, 4, 8), (3, 3, 8, 8)]


def test_the_dense_layers_are_given_the_means_of_the_feature_maps_where_asked_for():
    network = build(conv_filters=(4, 8), pooling="mean")
    np.testing.assert_allclose(
        keras.Model(network.input, network.get_layer("mean").output)(IMAGES),
        np.mean(
            keras.Model(network.input, network.get_layer("conv1_dropout").output)(IMAGES), (1, 2)
        ),
        rtol=1e-5,
    )
    assert network.get_layer("dense0").kernel.shape == (8, 128)


def test_a_gray_network_is_given_luma_only():
    network = build(color="gray")
    assert network.get_layer("conv0").kernel.shape == (3, 3, 1, 32)
    luma = np.repeat(IMAGES.astype(np.float32) @ np.float32([0.299, 0.587, 0.114]), 3).reshape(
        IMAGES.shape
    )
    np.testing.assert_allclose(network(IMAGES), network(luma), atol=1e-5)
    assert factory.describe(network, image_size=32).endswith("parameters, 32 px gray")


def test_two_more_heads_predict_valence_and_arousal_between_minus_one_and_one():
    network = build(heads="expression+va")
    outputs = network(IMAGES)
    assert {name: tuple(each.shape) for name, each in outputs.items()} == {
        "logits": (2, 8),
        "valence": (2, 1),
        "arousal": (2, 1),
    }
    assert np.abs(heads.affect(outputs)).max() <= 1
    assert network.count_params() == build().count_params() + 2 * (128 + 1)
    assert factory.describe(network, image_size=32).endswith("32 px, valence and arousal")


def test_more_blocks_than_the_image_can_be_halved_are_refused():
    build(conv_filters=(4,) * 5)
    with pytest.raises(errors.UserError, match="names 6 blocks.*32 px can be halved 5 times"):
        build(conv_filters=(4,) * 6)


@pytest.mark.parametrize("exposure", [0.5, 1.5])
def test_light_does_not_change_the_standardised_image(exposure):
    images = np.random.default_rng(0).uniform(60, 160, (1, 32, 32, 3)).astype(np.float32)
    images[:, 8:24, 8:24] *= 0.2
    as_it_is, exposed = (layers.Standardise()(x).numpy() for x in (images, images * exposure))
    assert np.abs(as_it_is - exposed).mean() < 0.15
