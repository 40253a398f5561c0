"""The architectures: sizes known from their papers and from Keras, and what our versions of them
change."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from runtime import errors
from trainer.config import model_config
from trainer.distributed import example_rng
from trainer.models import channel_attention, factory, keras_backbones, layers, sync_batch_norm

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3)).astype(np.uint8)


def build(size=48, **settings):
    return factory.build(model_config.Model(**settings), image_size=size, num_classes=8, seed=0)


def trained(network, *, count=3):
    """Return the outputs in training mode for the first positions of an epoch."""
    draw = example_rng.ExampleRng(
        seed=0, epoch=tf.constant(0, tf.int64), first_position=tf.constant(0, tf.int64)
    )
    with example_rng.using(draw), sync_batch_norm.weighting(tf.ones(count)):
        return network(IMAGES[:count], training=True).numpy()


def test_resnet_small_is_wide_resnet_16_2_with_a_wider_stem():
    # Stem 9x3x32; stages of 32, 64, 128: 3x3 convolutions 4x9x32x32; 9x32x64 + 3x9x64x64; 9x64x128
    # + 3x9x128x128; two 1x1 shortcuts; four numbers a channel of 13 normalisations (4x32; 32 +
    # 3x64; 64 + 3x128; 128); 128x8 + 8.
    kernels = 864 + 36_864 + 129_024 + 516_096 + 2_048 + 8_192
    norms = 4 * (4 * 32 + 32 + 3 * 64 + 64 + 3 * 128 + 128)
    assert build(model="resnet_small").count_params() == kernels + norms + 1_032


def test_resnet_small_has_as_many_and_as_wide_blocks_as_asked():
    network = build(model="resnet_small", conv_filters=(4, 8), blocks_per_stage=3)
    widths = [layer.filters for layer in network.layers if layer.name.endswith("_conv1")]
    assert widths == [4, 4, 4, 8, 8, 8]


@pytest.mark.parametrize(("size", "side"), [(32, 8), (64, 16), (112, 14), (224, 14)])
def test_resnet_small_brings_large_images_down_first(size, side):
    network = build(size=size, model="resnet_small", conv_filters=(4, 4, 4), blocks_per_stage=1)
    assert network.get_layer("last_relu").output.shape == (None, side, side, 4)


def test_residual_branches_are_dropped_more_often_the_deeper_they_are():
    network = build(model="resnet_small", conv_filters=(4, 4), drop_path=0.4)
    rates = [layer.rate for layer in network.layers if isinstance(layer, layers.DropPath)]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4])
    free = build(model="resnet_small", conv_filters=(4, 4))
    assert np.abs(trained(network) - trained(free)).max() > 1e-3


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        # SE: 32 -> 4 -> 32 and 64 -> 4 -> 64, with biases; ECA: kernels of 3.
        ("se", (32 * 4 + 4 + 4 * 32 + 32) + (64 * 4 + 4 + 4 * 64 + 64)),
        ("eca", 3 + 3),
    ],
)
@pytest.mark.parametrize("model", ["cnn", "resnet_small"])
def test_channel_attention_adds_its_weights_and_takes_no_map_away(model, kind, more):
    settings = {"model": model, "conv_filters": (32, 64)}
    if model == "resnet_small":
        settings["blocks_per_stage"] = 1
    plain, with_attention = build(**settings), build(**settings, channel_attention=kind)
    assert with_attention.count_params() - plain.count_params() == more
    factors = [
        each for each in with_attention.layers if each.name.endswith(("_excite", "_neighbours"))
    ]
    assert len(factors) == 2
    assert all(each.activation is keras.activations.sigmoid for each in factors)


@pytest.mark.parametrize(("channels", "size"), [(8, 3), (64, 3), (128, 5), (256, 5), (2048, 7)])
def test_the_neighbours_of_efficient_channel_attention_are_those_of_its_equation_12(channels, size):
    assert channel_attention.kernel_size(channels) == size


def test_a_dropped_branch_is_dropped_as_a_whole_and_the_others_make_up_for_it():
    layer, x = layers.DropPath(0.5, stream=0), tf.ones((64, 2, 2, 3))
    draw = example_rng.ExampleRng(
        seed=0, epoch=tf.constant(0, tf.int64), first_position=tf.constant(0, tf.int64)
    )
    with example_rng.using(draw):
        found = layer(x, training=True).numpy().reshape(64, -1)
    assert set(found[:, 0]) == {0.0, 2.0}
    np.testing.assert_array_equal(found, np.repeat(found[:, :1], 12, axis=1))
    layer.trainable = False
    np.testing.assert_array_equal(layer(x, training=True), x)


@pytest.mark.parametrize(
    ("name", "parameters", "ends"),
    [
        (
            "mobilenet_v3_small",
            939_120,
            0,
        ),  # Howard et al. 2019, without the classifier, as Keras counts.
        ("efficientnet_v2_b0", 5_919_312, 15),
        # 4,652,008 as published, less the classifier's 1,281,000, and 42,016 moving statistics.
        ("efficientnet_lite0", 3_413_024, 9),
    ],
)
def test_a_backbone_is_keras_own_but_for_normalisation_and_dropout(name, parameters, ends):
    network = build(model=name)
    head = network.get_layer("logits").count_params()
    assert network.count_params() - head == parameters
    kinds = [type(layer) for layer in network.layers]
    assert keras.layers.BatchNormalization not in kinds and keras.layers.Dropout not in kinds
    assert kinds.count(layers.DropPath) == ends
    assert not [v.path for v in network.variables if "seed" in v.path]
    assert network(IMAGES).dtype == tf.float32


def test_convnext_gets_stochastic_depth_at_every_block():
    network = build(size=32, model="convnext_tiny", drop_path=0.18)
    rates = [layer.rate for layer in network.layers if isinstance(layer, layers.DropPath)]
    assert rates == pytest.approx([0.01 * (i + 1) for i in range(18)])


def test_gray_reaches_a_backbone_as_three_equal_channels():
    network = build(model="mobilenet_v3_small", color="gray", dropout=0.0)
    luma = np.repeat(IMAGES.astype(np.float32) @ np.float32([0.299, 0.587, 0.114]), 3).reshape(
        IMAGES.shape
    )
    np.testing.assert_allclose(network(IMAGES), network(luma), atol=1e-5)
    assert network.get_layer("conv").kernel.shape[2] == 3


def test_resnet50_is_given_bgr_less_imagenets_mean():
    red = np.full((1, 1, 1, 3), [200, 100, 50], np.uint8)
    np.testing.assert_allclose(
        layers.CaffeMean()(red)[0, 0, 0], [50 - 103.939, 100 - 116.779, 200 - 123.68], rtol=1e-6
    )
    theirs = keras.applications.resnet50.preprocess_input(red.astype(np.float32))
    np.testing.assert_allclose(layers.CaffeMean()(red), theirs, rtol=1e-6)


def test_images_too_small_for_a_backbone_are_refused():
    with pytest.raises(errors.UserError, match="needs images of at least 32 px: got 31"):
        keras_backbones.check(model_config.Model(model="resnet50"), image_size=31)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"model": "resnet50", "conv_filters": (8,)},
            "--conv_filters has no effect with --model=resnet50: it needs --model=cnn or "
            "resnet_small",
        ),
        (
            {"model": "resnet_small", "dense_units": (8,)},
            "--dense_units has no effect with --model=resnet_small: it needs --model=cnn",
        ),
        (
            {"drop_path": 0.1},
            "--drop_path has no effect with --model=cnn: it needs --model=resnet_small, ",
        ),
        (
            {"blocks_per_stage": 3},
            "--blocks_per_stage has no effect with --model=cnn: it needs --model=resnet_small",
        ),
    ],
)
def test_a_setting_that_the_architecture_does_not_use_is_refused(settings, sentence):
    with pytest.raises(errors.UserError) as no:
        model_config.Model(**settings)
    assert str(no.value).startswith(sentence)
