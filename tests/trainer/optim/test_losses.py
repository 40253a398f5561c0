"""Losses of one example with probs 1/4 and 3/4, worked by hand."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.config import training_config
from trainer.optim import losses


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, [1.386294, 0.287682]),  # ln 4, ln 4/3.
        (
            {"label_smoothing": 0.2},
            [1.276433, 0.397543],
        ),  # 0.8 of it, and 0.2 of their mean, 0.836988.
        ({"loss": "focal", "focal_gamma": 2.0}, [0.779791, 0.017980]),  # Times (3/4)^2 and (1/4)^2.
        ({"loss": "focal", "focal_gamma": 1.0}, [1.039721, 0.071920]),
        (
            {"loss": "logit_adjusted", "tau": 1.0},
            [0.693147, 0.693147],
        ),  # 0 + ln 3/4 and ln 3 + ln 1/4 are equal.
        ({"loss": "logit_adjusted", "tau": 0.0}, [1.386294, 0.287682]),
        ({"class_weights": "inverse"}, [0.924196, 0.575364]),  # Weights 4/6 and 4/2.
    ],
)
def test_the_loss_of_each_label(settings, wanted):
    loss = losses.make(training_config.Imbalance(**settings), counts=np.array([3, 1]))
    logits = tf.math.log([[1.0, 3.0], [1.0, 3.0]])
    assert loss(logits, labels=tf.constant([0, 1], tf.int64)).numpy() == pytest.approx(
        wanted, abs=2e-6
    )


def test_the_focal_loss_has_a_gradient_where_an_example_is_certain_and_gamma_is_below_one():
    """1 - p is 0 in float32, where the derivative of x^0.5 is infinite; (1e-6)^0.5 is 0.001."""
    logits, labels = tf.Variable([[50.0, 0.0]]), tf.constant([0], tf.int64)
    loss = losses.make(
        training_config.Imbalance(loss="focal", focal_gamma=0.5), counts=np.array([1, 1])
    )
    with tf.GradientTape() as tape:
        each = loss(logits, labels=labels)
    np.testing.assert_allclose(tape.gradient(each, logits), [[0.0, 0.0]], atol=1e-6)
    factor = losses.focal_factor(logits, labels=labels, gamma=0.5)
    np.testing.assert_allclose(factor, [0.001], rtol=1e-5)


THREE = tf.constant([[0.3, -1.0, 2.0], [1.0, 0.0, -0.5]])
KINDS = [
    {},
    {"loss": "focal", "focal_gamma": 2.0},
    {"loss": "logit_adjusted", "tau": 1.0},
    {"class_weights": "inverse"},
]


@pytest.mark.parametrize("settings", KINDS)
def test_the_expected_loss_of_soft_targets_is_the_mean_of_its_labels_losses(settings):
    """It is what the loss would be on average, were labels drawn from the targets."""
    loss = losses.make(training_config.Imbalance(**settings), counts=np.array([5, 3, 2]))
    targets = np.array([[0.2, 0.5, 0.3], [0.0, 0.9, 0.1]], np.float32)
    each = [loss(THREE, labels=tf.constant([label] * 2, tf.int64)).numpy() for label in range(3)]
    np.testing.assert_allclose(
        loss.expected(THREE, targets=tf.constant(targets)),
        np.sum(targets * np.stack(each, axis=1), axis=1),
        rtol=1e-5,
    )


def test_label_smoothing_is_an_expected_loss_too():
    """Of targets with e spread over all classes; soft targets themselves are not smoothed."""
    smooth = losses.make(training_config.Imbalance(label_smoothing=0.3), counts=np.array([1, 1, 1]))
    targets = tf.constant([[0.8, 0.1, 0.1]] * 2)
    np.testing.assert_allclose(
        smooth(THREE, labels=tf.constant([0, 0], tf.int64)),
        smooth.expected(THREE, targets=targets),
        rtol=1e-5,
    )


def test_distillation_at_a_temperature_has_gradients_of_the_size_of_those_at_one():
    """d/dz T^2 CE(q, softmax(z / T)) = T (softmax(z / T) - q), Hinton et al. 2015, Eq. 2."""
    logits = tf.Variable(THREE)
    targets = tf.constant([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])
    loss = losses.make(training_config.Imbalance(), counts=np.array([1, 1, 1]))
    with tf.GradientTape() as tape:
        each = loss.expected(logits, targets=targets, temperature=4.0)
    wanted = 4.0 * (tf.nn.softmax(THREE / 4.0) - targets)
    np.testing.assert_allclose(tape.gradient(each, logits), wanted, rtol=1e-4, atol=1e-6)
