"""Robust losses against the formulas of their papers, in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from runtime import errors
from trainer.config import run_config, training_config
from trainer.distributed import devices
from trainer.optim import early_learning, losses, robust_losses

LOGITS = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32) * 3
LABELS = np.array([0, 1, 2, 3, 1, 0])


def softmax(logits):
    exp = np.exp(np.asarray(logits, np.float64))
    return exp / exp.sum(axis=1, keepdims=True)


PROBS = softmax(LOGITS)
P_LABEL = PROBS[np.arange(6), LABELS]


def loss(**settings):
    made = losses.make(training_config.Imbalance(**settings), counts=np.array([4, 2, 1, 1]))
    return made(LOGITS, labels=LABELS).numpy()


@pytest.mark.parametrize("q", [0.3, 0.7, 1.0])
def test_generalised_cross_entropy_is_box_cox_of_the_labels_probability(q):
    found = loss(loss="generalized_cross_entropy", gce_q=q)
    np.testing.assert_allclose(found, (1 - P_LABEL**q) / q, rtol=1e-5)


def test_generalised_cross_entropy_goes_from_cross_entropy_to_the_absolute_error():
    near = loss(loss="generalized_cross_entropy", gce_q=0.01)
    np.testing.assert_allclose(near, -np.log(P_LABEL), rtol=0.06)
    one_hot = np.eye(4)[LABELS]
    absolute = np.abs(one_hot - PROBS).sum(axis=1) / 2
    np.testing.assert_allclose(loss(loss="generalized_cross_entropy", gce_q=1.0), absolute, 1e-5)


def test_symmetric_cross_entropy_is_both_cross_entropies():
    """The reverse one by its definition, over all classes, with -4 for the logarithm of 0."""
    one_hot = np.eye(4)[LABELS]
    log_label = np.where(one_hot == 1, 0.0, -4.0)
    reverse = -(PROBS * log_label).sum(axis=1)
    found = loss(loss="symmetric_cross_entropy", sce_alpha=0.5, sce_beta=2.0)
    np.testing.assert_allclose(found, 0.5 * -np.log(P_LABEL) + 2.0 * reverse, rtol=1e-5)


@pytest.mark.parametrize("name", robust_losses.OF_CLASSES)
def test_smoothing_weights_and_soft_targets_are_means_over_labels(name):
    settings = (
        training_config.Imbalance(
            loss=name, label_smoothing=0.2, class_weights="inverse", gce_q=0.7
        )
        if name.startswith("gen")
        else training_config.Imbalance(loss=name, label_smoothing=0.2, class_weights="inverse")
    )
    made = losses.make(settings, counts=np.array([4, 2, 1, 1]))
    if name == "generalized_cross_entropy":
        each = (1 - PROBS**0.7) / 0.7
    else:
        each = 0.1 * -np.log(PROBS) + 4 * (1 - PROBS)
    weights = np.array([0.5, 1, 2, 2])  # 1 / n, with a mean of 1 over 4 + 2 + 1 + 1 examples.
    smooth = 0.8 * each[np.arange(6), LABELS] + 0.2 * each.mean(axis=1)
    found = made(LOGITS, labels=LABELS).numpy()
    np.testing.assert_allclose(found, weights[LABELS] * smooth, rtol=1e-5)
    targets = np.random.default_rng(1).dirichlet(np.ones(4), 6).astype(np.float32)
    expected = made.expected(LOGITS, targets=targets).numpy()
    np.testing.assert_allclose(expected, (targets * weights * each).sum(axis=1), rtol=1e-4)


@pytest.mark.parametrize("name", robust_losses.OF_CLASSES)
def test_the_gradient_of_an_impossible_label_is_finite_and_bounded(name):
    logits = tf.constant([[40.0, -40.0]])
    made = losses.make(training_config.Imbalance(loss=name), counts=np.array([1, 1]))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = made(logits, labels=np.array([1]))
    assert np.isfinite(value).all()
    assert np.abs(tape.gradient(value, logits)).max() <= 0.11


def running(steps, *, beta):
    """Running predictions and losses of ELR by its authors' recipe, for steps of (rows, logits)."""
    targets = np.zeros((5, 4))
    found = []
    for rows, logits in steps:
        probs = np.clip(softmax(logits), 1e-4, 1 - 1e-4)
        normal = probs / probs.sum(axis=1, keepdims=True)
        targets[rows] = beta * targets[rows] + (1 - beta) * normal
        found.append(np.log(1 - (targets[rows] * probs).sum(axis=1)))
    return targets, found


STEPS = [([0, 1, 2, 3], LOGITS[:4]), ([3, 4, 0, 1], LOGITS[2:])]


@pytest.mark.parametrize("replicas", [1, 2])
def test_early_learning_is_that_of_its_paper_on_any_number_of_replicas(replicas):
    strategy = devices.strategy([f"/cpu:{i}" for i in range(replicas)])
    settings = training_config.Imbalance(loss="early_learning", elr_beta=0.6, elr_weight=2.0)
    with strategy.scope():
        state = early_learning.EarlyLearning(num_examples=5, num_classes=4, settings=settings)
    targets, expected = running(STEPS, beta=0.6)
    for (rows, logits), wanted in zip(STEPS, expected, strict=True):
        rows, logits = np.array(rows, np.int64), np.asarray(logits, np.float32)
        share = 4 // replicas

        def step(rows=rows, logits=logits, share=share):
            number = tf.distribute.get_replica_context().replica_id_in_sync_group * share
            own = tf.range(number, number + share)
            return state.loss(
                tf.gather(logits, own), index=tf.gather(rows, own), weight=tf.ones(share)
            )

        parts = strategy.experimental_local_results(tf.function(strategy.run)(step))
        np.testing.assert_allclose(np.concatenate(parts), 2 * wanted, rtol=1e-4)
    for copy in strategy.experimental_local_results(state.targets):
        np.testing.assert_allclose(copy.numpy(), targets, rtol=1e-4)


def test_examples_that_fill_a_batch_up_move_no_running_prediction():
    settings = training_config.Imbalance(loss="early_learning")
    state = early_learning.EarlyLearning(num_examples=5, num_classes=4, settings=settings)
    state.loss(LOGITS[:2], index=tf.constant([4, 4], tf.int64), weight=tf.constant([1.0, 0.0]))
    targets, _ = running([([4], LOGITS[:1])], beta=0.7)
    np.testing.assert_allclose(state.targets.numpy(), targets, rtol=1e-5)


def test_agreeing_with_what_was_said_before_lowers_the_loss():
    settings = training_config.Imbalance(loss="early_learning")
    state = early_learning.EarlyLearning(num_examples=1, num_classes=4, settings=settings)
    index, weight = tf.constant([0], tf.int64), tf.ones(1)
    for _ in range(5):
        same = state.loss(np.float32([[5, 0, 0, 0]]), index=index, weight=weight)
    other = state.loss(np.float32([[0, 5, 0, 0]]), index=index, weight=weight)
    assert float(same[0]) < float(other[0]) < 0


@pytest.mark.parametrize(
    ("name", "value"), [("mixup", 0.2), ("cutmix", 1.0), ("sam_rho", 0.05), ("jit", True)]
)
def test_what_early_learning_cannot_have_is_refused(name, value):
    with pytest.raises(errors.UserError, match=f"--loss=early_learning and --{name} do not go"):
        run_config.make({"loss": "early_learning", name: value})
