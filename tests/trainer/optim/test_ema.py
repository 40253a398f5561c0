import numpy as np
import pytest
import tensorflow as tf

from trainer.optim import ema


def test_the_average_takes_in_each_step_by_its_share():
    weights = tf.Variable([0.0])
    average = ema.WeightAverage([weights], decay=ema.exponential(0.25))
    averages = []
    for step, value in enumerate([8.0, 16.0, 32.0]):
        weights.assign([value])
        average.update(tf.constant(step, tf.int64))
        averages.append(float(average.copies[0][0]))
    # First d = (1 + 1) / (10 + 1) = 2/11: 8 x 9/11. Then the 1/4 asked for, which 3/12 is too:
    # 6.5455 / 4 + 12.
    assert averages == pytest.approx([6.545455, 13.636364, 27.409091])


def test_the_mean_of_the_last_steps_is_the_weights_before_them_and_then_their_mean():
    weights = tf.Variable([0.0])
    average = ema.WeightAverage([weights], decay=ema.mean_after(2))
    averages = []
    for step, value in enumerate([8.0, 16.0, 32.0, 4.0, 9.0]):
        weights.assign([value])
        average.update(tf.constant(step, tf.int64))
        averages.append(float(average.copies[0][0]))
    # The last three of five: 32, (32 + 4) / 2, (32 + 4 + 9) / 3.
    assert averages == pytest.approx([8, 16, 32, 18, 15])


def test_whole_numbers_are_copied():
    count = tf.Variable([1])
    average = ema.WeightAverage([count], decay=ema.exponential(0.5))
    count.assign([7])
    average.update(tf.constant(0, tf.int64))
    assert average.copies[0].numpy().tolist() == [7]


def test_the_network_has_the_averages_inside_the_block_and_exactly_its_own_weights_after_it():
    weights = tf.Variable([0.1, 0.7])
    average = ema.WeightAverage([weights], decay=ema.exponential(0.9))
    average.copies[0].assign([1.0, 2.0])
    own = weights.numpy()
    with average.applied():
        assert weights.numpy().tolist() == [1.0, 2.0]
    np.testing.assert_array_equal(weights.numpy(), own)
