"""1 - CCC + MSE, by hand."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from trainer.distributed import devices
from trainer.optim import ccc_loss

NAN = float("nan")
PREDICTED = [[0.0, 0.5], [0.5, -0.5], [1.0, 0.0], [0.9, 0.9]]
TRUE = [[0.5, NAN], [0.0, NAN], [1.0, NAN], [-1.0, 0.3]]
WEIGHT = [1.0, 1.0, 1.0, 0.0]
"""Valence of three examples: means 1/2, variances 1/6, covariance 1/12, so CCC 1/2 and MSE 1/6. No
arousal counts."""


def loss_of(predicted, true, weight):
    total = ccc_loss.total(
        tf.constant(predicted), truth=tf.constant(true), weight=tf.constant(weight)
    )
    return total.numpy() / sum(weight)


def test_the_loss_is_the_mean_over_valence_and_arousal_of_what_counts():
    assert loss_of(PREDICTED, TRUE, WEIGHT) == pytest.approx((1 / 2 + 1 / 6) / 2, abs=1e-5)


def test_correct_predictions_cost_nothing_and_a_shift_costs():
    predicted = [[0.0, 0.0], [0.5, 0.5]]
    assert loss_of(predicted, predicted, [1.0, 1.0]) == pytest.approx(0, abs=1e-4)
    # Shifted by 1/2: variances 1/16, covariance 1/16, CCC = (1/8) / (1/8 + 1/4) = 1/3, MSE 1/4.
    assert loss_of([[0.5, 0.5], [1.0, 1.0]], predicted, [1.0, 1.0]) == pytest.approx(
        2 / 3 + 1 / 4, abs=1e-4
    )


@pytest.mark.parametrize("true", [[[NAN, NAN]] * 4, TRUE])
def test_nothing_is_nan_where_annotations_are_missing(true):
    predicted = tf.Variable(PREDICTED)
    with tf.GradientTape() as tape:
        loss = ccc_loss.total(predicted, truth=tf.constant(true), weight=tf.constant(WEIGHT))
    gradient = tape.gradient(loss, predicted)
    assert np.isfinite(loss) and np.isfinite(gradient).all()
    np.testing.assert_array_equal(gradient[:, 1], 0)
    assert (np.abs(gradient[:3, 0]).max() > 0) == (true is TRUE)


def test_the_concordance_of_microbatches_is_not_that_of_the_batch_as_the_docs_say():
    predicted, true = [[0.0, 0.0], [0.1, 0.1], [0.9, 0.9], [1.0, 1.0]], [[0.1, 0.1], [0.0, 0.0]]
    true += [[1.0, 1.0], [0.9, 0.9]]
    halves = [loss_of(predicted[i : i + 2], true[i : i + 2], [1.0, 1.0]) for i in (0, 2)]
    assert np.mean(halves) > loss_of(predicted, true, [1.0] * 4) + 1
    docs = pathlib.Path(__file__).parents[3] / "docs/training.md"
    assert "the concordance of valence and arousal (CCC), whose losses are averaged" in (
        docs.read_text(encoding="utf-8")
    )


def test_a_single_annotated_example_has_an_error_but_no_concordance():
    assert loss_of([[0.5, 0.0]], [[0.0, NAN]], [1.0]) == pytest.approx(0.25 / 2, abs=1e-6)


def test_two_replicas_have_the_loss_and_the_gradients_of_one():
    """One of them without any valence."""
    predicted, true, weight = (
        tf.constant(PREDICTED),
        tf.constant([TRUE[0], TRUE[2], [NAN, 0.2], [NAN, 0.9]]),
        tf.ones(4),
    )
    found = []
    for num_replicas in (1, 2):
        strategy = devices.strategy([f"/cpu:{i}" for i in range(num_replicas)])
        found.append(_losses_and_gradients(predicted, true, weight, strategy=strategy))
    (one,), gradient = found[0]
    np.testing.assert_allclose(found[1][0], [one, one], rtol=1e-6)
    np.testing.assert_allclose(found[1][1], gradient, atol=1e-6)


def _losses_and_gradients(*tensors, strategy):
    share = 4 // strategy.num_replicas_in_sync

    def shared(tensor):
        return strategy.experimental_distribute_values_from_function(
            lambda c: tensor[c.replica_id_in_sync_group * share :][:share]
        )

    @tf.function
    def step(predicted, true, weight):
        def replica(predicted, true, weight):
            with tf.GradientTape() as tape:
                tape.watch(predicted)
                loss = ccc_loss.total(predicted, truth=true, weight=weight)
            return loss, tape.gradient(loss, predicted)

        return strategy.run(replica, args=(predicted, true, weight))

    loss, gradient = (
        strategy.experimental_local_results(each) for each in step(*map(shared, tensors))
    )
    return np.array(loss), np.concatenate(gradient)
