import numpy as np
import tensorflow as tf

from tests.trainer.training import test_replicas
from trainer.data import input_pipeline
from trainer.optim import norms
from trainer.run import context, train_state
from trainer.training import setup


def test_the_norms_are_euclidean_over_all_variables():
    vectors = [tf.constant([3.0, 0.0]), tf.constant([[4.0]])]
    zeros = [tf.zeros([2]), tf.zeros([1, 1])]
    found = norms.measure(
        gradients=vectors, before=vectors, after=zeros, parameters=[tf.constant([1.0, -1.0])]
    )
    np.testing.assert_allclose(found, [5.0, 5.0, 2**0.5], rtol=1e-6)


PLAIN = {"optimizer": "sgd", "momentum": 0.0, "learning_rate": 0.5, "schedule": "constant"}


def first_step(make_ctx, **settings):
    """Return a first step's norms, with the trained weights before and after it."""
    ctx = make_ctx(**{**PLAIN, "warmup_epochs": 0.0, "dropout": 0.0, **settings})
    network, split = setup.model(ctx), context.read_split(ctx, split="train")
    step = setup.build_train_step(network, ctx=ctx, split=split)
    plan_rows = input_pipeline.plan(16, layout=ctx.layout, epochs=range(1))
    groups = test_replicas.distributed(
        ctx, split=split, plan_rows=plan_rows, order_of=lambda epoch: np.arange(16)
    )
    step.compile(groups.element_spec)
    before = [variable.numpy() for variable in network.trainable_variables]
    (row,) = step.train(next(iter(groups)), first_step=0)
    return row[4:], before, [variable.numpy() for variable in network.trainable_variables]


def norm(arrays):
    return np.sqrt(sum(np.square(array.astype(np.float64)).sum() for array in arrays))


def test_a_step_of_plain_descent_moves_weights_by_the_learning_rate_times_the_gradient(make_ctx):
    (gradient, update, parameters), before, after = first_step(make_ctx)
    moved = norm([new - old for new, old in zip(after, before, strict=True)])
    np.testing.assert_allclose([update, 0.5 * gradient], [moved, moved], rtol=1e-4)
    np.testing.assert_allclose(parameters, norm(after), rtol=1e-6)


def test_the_gradient_is_measured_before_it_is_clipped_and_the_update_after(make_ctx):
    (whole, _, _), *_ = first_step(make_ctx)
    (gradient, update, _), *_ = first_step(make_ctx, clip_norm=0.01, num_replicas=2)
    np.testing.assert_allclose([gradient, update], [whole, 0.5 * 0.01], rtol=1e-3)


def test_an_epoch_has_the_means_of_its_steps_and_leaves_out_those_that_float16_skipped():
    state = train_state.TrainState()
    rows = np.array([[1.0, 0.1, 7.0], [np.inf, 0.0, 7.0], [3.0, 0.3, 8.0]], np.float32)
    for part in (rows[:1], rows[1:2], rows[2:]):
        state.add(np.zeros((1, 3), np.float32), norms=part)
    np.testing.assert_allclose(state.mean_norms, [2.0, 0.2, 8.0], rtol=1e-6)
    state.end_epoch({}, score=0.0)
    assert state.mean_norms == (0.0, 0.0, 0.0)
