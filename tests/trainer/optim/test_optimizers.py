import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.config import training_config
from trainer.optim import optimizers


def updated(name, *, gradients, learning_rates, start=(1.0, -2.0, 3.0), **settings):
    variable = tf.Variable(start)
    optimizer = optimizers.make(
        training_config.Optimization(optimizer=name, **settings), variables=[variable]
    )
    for step, (gradient, learning_rate) in enumerate(zip(gradients, learning_rates, strict=True)):
        context = optimizers.UpdateContext(
            learning_rate=tf.constant(learning_rate), step=tf.constant(step, tf.int64)
        )
        optimizer.apply([tf.constant(gradient)], context=context)
    return variable.numpy()


GRADIENTS = ([0.1, -0.2, 0.3], [0.4, 0.0, -0.6], [-0.1, 0.5, 0.2])
LEARNING_RATES = (0.1, 0.2, 0.05)


@pytest.mark.parametrize(
    "name, peer",
    [
        ("sgd", keras.optimizers.SGD(0.1, momentum=0.0)),
        ("adam", keras.optimizers.Adam(0.1, epsilon=1e-8)),
    ],
)
def test_a_first_step_is_that_of_keras(name, peer):
    theirs = keras.Variable([1.0, -2.0, 3.0])
    peer.apply([tf.constant(GRADIENTS[0])], [theirs])
    ours = updated(name, gradients=GRADIENTS[:1], learning_rates=LEARNING_RATES[:1])
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-6)


def test_adam_goes_on_as_keras_does():
    peer, theirs = keras.optimizers.Adam(0.1, epsilon=1e-8), keras.Variable([1.0, -2.0, 3.0])
    for gradient, learning_rate in zip(GRADIENTS, LEARNING_RATES, strict=True):
        peer.learning_rate = learning_rate
        peer.apply([tf.constant(gradient)], [theirs])
    np.testing.assert_allclose(
        updated("adam", gradients=GRADIENTS, learning_rates=LEARNING_RATES),
        theirs.numpy(),
        rtol=1e-5,
    )


def test_adam_divides_by_epsilon_beside_a_tiny_gradient():
    # m = 0.1 g, sqrt(v) = sqrt(0.001) g = 3.16228e-8, and the step 0.1 sqrt(0.001) g over
    # sqrt(v) + 1e-8: 0.1 x 3.16228 / 4.16228 = 0.0759747.
    got = updated("adam", gradients=[[1e-6]], learning_rates=[0.1], start=(1.0,))
    np.testing.assert_allclose(got, [0.9240253], rtol=1e-6)


def test_adam_counts_the_steps_that_it_takes_as_keras_does():
    """Of three steps the first is skipped: what is left is Keras' two."""
    backbone, head = (tf.Variable([1.0, -2.0, 3.0]) for _ in range(2))
    optimizer = optimizers.make(
        training_config.Optimization(optimizer="adam"),
        variables=[head, backbone],
        first_steps=[0, 4],
    )
    for step, gradient in enumerate(GRADIENTS, start=4):
        context = optimizers.UpdateContext(
            learning_rate=tf.constant(0.1),
            step=tf.constant(step, tf.int64),
            applies=tf.constant(step != 4),
            skipped=tf.constant([4, 1], tf.int64),
        )
        optimizer.apply([tf.constant(gradient)] * 2, context=context)
    peer, theirs = keras.optimizers.Adam(0.1, epsilon=1e-8), keras.Variable([1.0, -2.0, 3.0])
    for gradient in GRADIENTS[1:]:
        peer.apply([tf.constant(gradient)], [theirs])
    for ours in (head, backbone):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5)


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_pytorchs_where_the_learning_rate_changes(nesterov):
    weight = velocity = 0.0
    for learning_rate in LEARNING_RATES:
        velocity = 0.9 * velocity + 1
        weight -= learning_rate * (1 + 0.9 * velocity if nesterov else velocity)
    got = updated(
        "sgd",
        gradients=[[1.0]] * 3,
        learning_rates=LEARNING_RATES,
        start=(0.0,),
        nesterov=nesterov,
    )
    np.testing.assert_allclose(got, [weight], rtol=1e-6)


def test_momentum_carries_the_last_gradient_on():
    # v = 1, w = 0 - 0.1 * 1; then v = 0.9 * 1 + 1 = 1.9, w = -0.1 - 0.1 * 1.9.
    got = updated("sgd", gradients=[[1.0], [1.0]], learning_rates=[0.1, 0.1], start=(0.0,))
    np.testing.assert_allclose(got, [-0.29], rtol=1e-6)


def test_nesterov_takes_the_gradient_and_the_momentum_after_it():
    # v = 1, w = 0 - 0.1 (1 + 0.9 * 1) = -0.19; then v = 1.9, w = -0.19 - 0.1 (1 + 0.9 * 1.9) =
    # -0.461.
    got = updated(
        "sgd", gradients=[[1.0], [1.0]], learning_rates=[0.1, 0.1], start=(0.0,), nesterov=True
    )
    np.testing.assert_allclose(got, [-0.461], rtol=1e-6)


KERNEL = [[1.0, -2.0, 3.0]]


def test_adamw_goes_on_as_keras_does():
    peer = keras.optimizers.AdamW(0.1, epsilon=1e-8, weight_decay=0.2)
    theirs = keras.Variable(KERNEL)
    for gradient, learning_rate in zip(GRADIENTS, LEARNING_RATES, strict=True):
        peer.learning_rate = learning_rate
        peer.apply([tf.constant([gradient])], [theirs])
    ours = updated(
        "adamw",
        gradients=[[g] for g in GRADIENTS],
        learning_rates=LEARNING_RATES,
        start=KERNEL,
        weight_decay=0.2,
    )
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-5)


@pytest.mark.parametrize("shape", [(3, 2, 4, 5), (1, 1, 4, 9)])
def test_muon_changes_kernels_as_keras_does(shape):
    """Keras takes matrices only: ours has a column for each filter."""
    random = np.random.default_rng(0)
    start = random.normal(size=shape).astype(np.float32)
    gradients = random.normal(size=(3, *shape)).astype(np.float32)
    peer = keras.optimizers.Muon(0.1, momentum=0.9, weight_decay=0.2, rms_rate=None)
    theirs = keras.Variable(start.reshape(-1, shape[-1]))
    for gradient, learning_rate in zip(gradients, LEARNING_RATES, strict=True):
        peer.learning_rate = learning_rate
        peer.apply([tf.constant(gradient.reshape(-1, shape[-1]))], [theirs])
    ours = updated(
        "muon",
        gradients=gradients,
        learning_rates=LEARNING_RATES,
        start=start,
        weight_decay=0.2,
        momentum=0.9,
    )
    np.testing.assert_allclose(ours.reshape(-1, shape[-1]), theirs.numpy(), rtol=1e-3, atol=1e-4)


def test_muon_moves_every_direction_of_a_kernel_alike():
    gradient = np.diag([100.0, 1.0, 0.5]).reshape(1, 1, 3, 3).astype(np.float32)
    start = np.zeros((1, 1, 3, 3), np.float32)
    moved = -updated("muon", gradients=[gradient], learning_rates=[1.0], start=start)[0, 0]
    assert np.all((np.diag(moved) > 0.1) & (np.diag(moved) < 1.3))
    np.testing.assert_allclose(moved, np.diag(np.diag(moved)), atol=1e-6)


@pytest.mark.parametrize("shape", [(576, 64), (1152, 128), (9, 32), (64, 128)])
@pytest.mark.parametrize("smallest", [1.0, 1e-2, 1e-4, 1e-6, 0.0])
def test_muons_matrix_is_that_of_five_iterations_in_float64(shape, smallest):
    """However ill-conditioned: iterations on x x' instead of x square the singular values."""
    random = np.random.default_rng(0)
    rank = min(shape)
    left, right = (np.linalg.qr(random.normal(size=(side, rank)))[0] for side in shape)
    singular = (
        np.linspace(1, smallest, rank) if smallest in (0, 1) else np.geomspace(1, smallest, rank)
    )
    x = (left * singular) @ right.T
    got = optimizers._orthogonal(tf.constant(x, tf.float32)).numpy()
    x /= np.linalg.norm(x)
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    assert np.linalg.norm(got - x) < 1e-3 * np.linalg.norm(x)


@pytest.mark.parametrize("shape", [(3,), (3, 2), (3, 3, 4, 1)])
def test_muon_changes_what_is_no_convolutions_matrix_as_sgd_does(shape):
    start, *gradients = np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)
    after = [
        updated(name, gradients=gradients, learning_rates=LEARNING_RATES, start=start, **settings)
        for name, settings in [("muon", {}), ("sgd", {"nesterov": True})]
    ]
    np.testing.assert_array_equal(*after)


@pytest.mark.parametrize(
    "name, settings, kept",
    [
        ("adamw", {}, 0.995),  # 1 - 0.1 x 0.05.
        ("adamw", {"weight_decay": 0.0}, 1.0),
        ("adam", {}, 1.0),
        ("sgd", {"weight_decay": 0.5}, 0.95),
    ],
)
def test_without_a_gradient_a_step_takes_the_decay_from_kernels_and_nothing_from_biases(
    name, settings, kept
):
    def after_a_step(start):
        return updated(
            name,
            gradients=[np.zeros_like(start, np.float32)],
            learning_rates=[0.1],
            start=start,
            **settings,
        )

    np.testing.assert_allclose(after_a_step(KERNEL), np.multiply(KERNEL, kept), rtol=1e-6)
    np.testing.assert_array_equal(after_a_step(KERNEL[0]), KERNEL[0])


def test_clipping_scales_all_gradients_by_their_common_norm():
    # The norm of (3, 4, 12) is 13.
    clipped = optimizers.clip([tf.constant([3.0, 4.0]), tf.constant([12.0])], norm=6.5)
    np.testing.assert_allclose(clipped[0], [1.5, 2.0])
    np.testing.assert_allclose(clipped[1], [6.0])


def test_a_gradient_below_the_norm_is_left_alone():
    clipped = optimizers.clip([tf.constant([3.0, 4.0])], norm=6.0)
    np.testing.assert_allclose(clipped[0], [3.0, 4.0])


def test_l2_pulls_kernels_towards_zero_and_leaves_biases():
    kernel, bias = tf.Variable([[3.0, -1.0]]), tf.Variable([3.0, -1.0])
    gradients = [tf.constant([[1.0, 1.0]]), tf.constant([1.0, 1.0])]
    penalised = optimizers.add_l2(
        gradients, variables=[kernel, bias], weight=0.1
    )  # 1 + 2 x 0.1 x 3.
    np.testing.assert_allclose(penalised[0], [[1.6, 0.8]])
    np.testing.assert_allclose(penalised[1], [1.0, 1.0])


def test_a_variable_that_starts_later_counts_its_own_steps():
    """Adam's first step has the size of the learning rate whenever it is taken; counted by the
    run's step it would be three times that."""
    variables = [tf.Variable([1.0]), tf.Variable([1.0])]
    optimizer = optimizers.make(
        training_config.Optimization(), variables=variables, first_steps=[0, 1000]
    )
    context = optimizers.UpdateContext(
        learning_rate=tf.constant(0.1), step=tf.constant(1000, tf.int64)
    )
    optimizer.only(variables[1:]).apply([tf.constant([5.0])], context=context)
    np.testing.assert_allclose(variables[1], [0.9], rtol=1e-6)
    np.testing.assert_array_equal(variables[0], [1.0])
