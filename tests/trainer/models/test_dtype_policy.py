"""Number formats, loss scaling and XLA; losses and updates are checked against float32."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from runtime import errors
from tests.trainer.training import test_replicas
from trainer.evaluation import predictor
from trainer.models import dtype_policy
from trainer.optim import loss_scale
from trainer.run import context
from trainer.training import setup

PLAIN = {"dropout": 0.25, "augment": 0.5, "learning_rate": 0.01, "optimizer": "sgd"}


@pytest.fixture(scope="module")
def in_float32():
    return {}


def trained(make_ctx, in_float32, **settings):
    if not in_float32:
        in_float32["weights"], in_float32["sums"] = test_replicas.trained_weights(
            make_ctx(**PLAIN), epochs=1
        )
    weights, sums = test_replicas.trained_weights(make_ctx(**PLAIN, **settings), epochs=1)
    return weights, sums, in_float32["weights"], in_float32["sums"]


@pytest.mark.parametrize(
    "settings, most",
    [({"precision": "bfloat16"}, 0.05), ({"precision": "float16"}, 0.01), ({"jit": True}, 1e-3)],
)
def test_a_format_or_compiler_trains_nearly_as_float32_does_and_not_exactly(
    make_ctx, in_float32, settings, most
):
    weights, sums, expected, expected_sums = trained(make_ctx, in_float32, **settings)
    np.testing.assert_allclose(sums[:, 0], expected_sums[:, 0], rtol=most)
    differences = [np.abs(a - b).max() for a, b in zip(weights, expected, strict=True)]
    assert 0 < max(differences) < most


def test_two_replicas_train_as_one_in_float16(make_ctx):
    settings = {**PLAIN, "precision": "float16", "num_replicas": 2}
    one, _ = test_replicas.trained_weights(make_ctx(**{**settings, "num_replicas": 1}), epochs=1)
    two, _ = test_replicas.trained_weights(make_ctx(**settings), epochs=1)
    for expected, got in zip(one, two, strict=True):
        np.testing.assert_allclose(got, expected, atol=5e-4)


def test_layers_compute_in_the_format_and_weights_and_logits_do_not(make_ctx):
    network = setup.model(make_ctx(precision="bfloat16"))
    assert network.get_layer("conv0").compute_dtype == "bfloat16"
    assert {variable.dtype for variable in network.trainable_variables} == {"float32"}
    assert network.output.dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"


def tf32():
    return tf.config.experimental.tensor_float_32_execution_enabled()


@pytest.mark.parametrize("before", [True, False])
def test_float32_is_in_full_until_the_last_of_overlapping_blocks_ends(before):
    tf.config.experimental.enable_tensor_float_32_execution(before)
    try:
        first, second = (dtype_policy.WITHOUT_TF32 for _ in range(2))
        with first:
            with second:
                assert not tf32()
            assert not tf32()
        assert tf32() == before
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(True)


def test_a_network_is_trained_with_tf32_and_evaluated_without(make_ctx, monkeypatch):
    ctx = make_ctx(precision="float32")
    split = context.read_split(ctx, split="train")
    network = setup.model(ctx)
    step = setup.build_train_step(network, ctx=ctx, split=split)
    own = predictor.Predictor(network, strategy=ctx.strategy, views=ctx.views)
    seen, compiled = [], own._compiled
    own.__dict__["_compiled"] = lambda group: seen.append(tf32()) or compiled(group)
    own.run(split, batch_size=16)
    assert set(seen) == {False}
    monkeypatch.setattr(step, "_function", lambda **_: lambda *_: tf.fill([1, 7], float(tf32())))
    assert step.train({}, first_step=0).all()


def test_the_scale_is_halved_by_an_overflow_and_doubled_after_two_thousand_good_steps():
    scale = loss_scale.LossScale(freed_at=2)
    good, overflow = [tf.constant([1.0, -2.0])], [tf.constant([1.0, np.inf])]
    np.testing.assert_array_equal(scale.unscaled([tf.constant([2.0**16])])[0], [2.0])
    first, later = tf.constant(1, tf.int64), tf.constant(2, tf.int64)
    assert not scale.update(overflow, step=first)
    assert (float(scale.scale), int(scale.good_steps)) == (2.0**14, 0)
    assert scale.update(good, step=later)
    assert (float(scale.scale), int(scale.good_steps)) == (2.0**14, 1)
    scale.good_steps.assign(1999)
    assert scale.update(good, step=later)
    assert (float(scale.scale), int(scale.good_steps)) == (2.0**15, 0)
    assert not scale.update(overflow, step=later)
    assert not scale.update(overflow, step=later)
    np.testing.assert_array_equal(scale.skipped, [1, 2])


def test_a_step_that_overflows_changes_no_weight_and_halves_the_scale(make_ctx):
    ctx = make_ctx(**PLAIN, precision="float16")
    network, split = setup.model(ctx), context.read_split(ctx, split="train")
    train_step = setup.build_train_step(network, ctx=ctx, split=split)
    train_step.loss_scale.scale.assign(2.0**100)
    before = [variable.numpy() for variable in network.variables]
    groups = test_replicas.distributed(
        ctx, split=split, plan_rows=np.array([[0, 0, 0]]), order_of=lambda epoch: np.arange(16)
    )
    train_step.compile(groups.element_spec)
    (row,) = train_step.train(next(groups), first_step=0)
    assert not np.isfinite(row[4]) and row[5] == 0  # Norms of the gradient and of the update.
    for expected, variable in zip(before, network.variables, strict=True):
        np.testing.assert_array_equal(variable.numpy(), expected)
    assert train_step.loss_scale.scale.numpy() == 2.0**99
    np.testing.assert_array_equal(train_step.loss_scale.skipped, [0, 1])


@pytest.mark.parametrize(("num_replicas", "over"), [(1, "1 replica,"), (2, "2 replicas,")])
def test_xla_with_batch_norm_is_refused_on_one_replica_too(make_ctx, num_replicas, over):
    ctx = make_ctx(num_replicas=num_replicas, jit=True, batch_norm=True)
    split = context.read_split(ctx, split="train")
    with pytest.raises(
        errors.UserError, match=f"--jit cannot compile batch normalisation over {over}"
    ):
        setup.build_train_step(setup.model(ctx), ctx=ctx, split=split)
