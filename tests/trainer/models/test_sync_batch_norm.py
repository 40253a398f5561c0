"""Statistics over real examples of all replicas; expected values by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.distributed import devices
from trainer.models import sync_batch_norm

EXAMPLES = [[1.0], [5.0], [100.0], [7.0]]
REAL = [1.0, 1.0, 0.0, 0.0]  # Mean 3, variance 4.


def normalise(layer, x, weight):
    with sync_batch_norm.weighting(tf.constant(weight)):
        return layer(tf.constant(x), training=True)


def test_filling_is_normalised_but_not_counted():
    layer = sync_batch_norm.BatchNormalization(epsilon=0.0)
    normal = normalise(layer, EXAMPLES, REAL)
    np.testing.assert_allclose(normal, [[-1], [1], [48.5], [2]], rtol=1e-6)
    np.testing.assert_allclose(layer.moving_mean, [0.3], rtol=1e-6)  # 0.9 x 0 + 0.1 x 3.
    np.testing.assert_allclose(layer.moving_variance, [1.3], rtol=1e-6)  # 0.9 x 1 + 0.1 x 4.


def test_inference_and_a_frozen_layer_use_the_moving_statistics_and_leave_them():
    layer = sync_batch_norm.BatchNormalization(epsilon=0.0)
    layer.build((None, 1))
    layer.moving_mean.assign([1.0])
    layer.moving_variance.assign([4.0])
    np.testing.assert_allclose(layer(tf.constant(EXAMPLES)), [[0], [2], [49.5], [3]])
    layer.trainable = False
    np.testing.assert_allclose(normalise(layer, EXAMPLES, REAL), [[0], [2], [49.5], [3]])
    np.testing.assert_array_equal(layer.moving_mean, [1.0])


def test_a_batch_without_a_real_example_moves_nothing():
    layer = sync_batch_norm.BatchNormalization()
    assert np.isfinite(normalise(layer, EXAMPLES, [0.0] * 4)).all()
    np.testing.assert_array_equal(layer.moving_mean, [0.0])
    np.testing.assert_array_equal(layer.moving_variance, [1.0])


def test_sums_of_squares_keep_their_digits_where_the_mean_is_far_from_zero():
    x = tf.constant([[10_000.0], [10_001.0]])
    variance = sync_batch_norm.moments(
        x, weight=tf.ones(2), about=tf.constant([10_000.0]), otherwise=tf.ones(1)
    ).variance
    assert variance.numpy() == pytest.approx([0.25])


def test_without_filling_it_is_keras_batch_normalization():
    """Output, moving statistics and gradients."""
    x = tf.constant(np.random.default_rng(0).normal(3, 2, (6, 5, 5, 4)), tf.float32)
    ours, theirs = (
        sync_batch_norm.BatchNormalization(),
        keras.layers.BatchNormalization(momentum=0.9),
    )
    found = []
    for layer in (ours, theirs):
        with tf.GradientTape() as tape, sync_batch_norm.weighting(tf.ones(6)):
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_sum(y * tf.cos(x))
        found.append(
            [y, *layer.variables, *tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])]
        )
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-4)


def test_two_replicas_normalise_as_one_does():
    """Also the slopes, of which a part goes through the other replica's examples."""
    x, weight = tf.constant(EXAMPLES), tf.constant([1.0, 1.0, 1.0, 0.0])
    found = []
    for num_replicas in (1, 2):
        strategy = devices.strategy([f"/cpu:{i}" for i in range(num_replicas)])
        with strategy.scope():
            layer = sync_batch_norm.BatchNormalization()
            layer.build((None, 1))
        found.append(
            [
                np.concatenate(each)
                for each in _outputs_and_slopes(layer, x, weight, strategy=strategy)
            ]
        )
        found[-1].append(layer.moving_variance.numpy())
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(two, one, atol=1e-6)


def _outputs_and_slopes(layer, x, weight, *, strategy):
    share = len(x) // strategy.num_replicas_in_sync

    def shared(tensor):
        return strategy.experimental_distribute_values_from_function(
            lambda c: tensor[c.replica_id_in_sync_group * share :][:share]
        )

    @tf.function
    def step(x, weight):
        def replica(x, weight):
            with sync_batch_norm.weighting(weight), tf.GradientTape() as tape:
                tape.watch(x)
                y = layer(x, training=True)
                loss = tf.reduce_sum(y**3)
            return y, tape.gradient(loss, x)

        return strategy.run(replica, args=(x, weight))

    return [strategy.experimental_local_results(each) for each in step(shared(x), shared(weight))]


def test_training_outside_of_a_counted_batch_is_an_error():
    with pytest.raises(RuntimeError, match=r"outside sync_batch_norm\.weighting"):
        sync_batch_norm.BatchNormalization()(tf.constant(EXAMPLES), training=True)


def test_a_copy_made_from_its_configuration_is_the_same_layer():
    layer = sync_batch_norm.BatchNormalization(
        momentum=0.5, epsilon=0.1, center=False, scale=False, name="norm"
    )
    copy = keras.layers.deserialize(keras.layers.serialize(layer))
    assert copy.get_config() == layer.get_config()
