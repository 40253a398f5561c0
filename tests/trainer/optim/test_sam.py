import numpy as np
import tensorflow as tf

from trainer.optim import sam


def test_the_climb_goes_rho_far_along_the_common_gradient_and_the_way_back_is_exact():
    variables = [tf.Variable([1.0, 2.0]), tf.Variable([0.1])]
    before = sam.snapshot(variables)
    sam.climb(
        variables, gradients=[tf.constant([3.0, 4.0]), tf.constant([12.0])], rho=0.26
    )  # |(3, 4, 12)| = 13.
    np.testing.assert_allclose(variables[0], [1.06, 2.08], rtol=1e-6)
    np.testing.assert_allclose(variables[1], [0.34], rtol=1e-6)
    sam.restore(variables, values=before)
    np.testing.assert_array_equal(variables[0], [1.0, 2.0])
    np.testing.assert_array_equal(variables[1], np.float32([0.1]))


def test_a_gradient_of_zero_moves_nothing():
    variable = tf.Variable([1.0])
    sam.climb([variable], gradients=[tf.constant([0.0])], rho=0.5)
    assert variable.numpy().tolist() == [1.0]
