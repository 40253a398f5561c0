"""Label errors on probabilities whose errors are known."""

import numpy as np
import pytest

pytest.importorskip("cleanlab")

from trainer.label_audit import label_errors, options


def made(*, size=300, wrong=30, num_classes=4, seed=0):
    """Labels, of which the first are wrong, and probabilities of a good network."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, num_classes, size)
    probs = np.full((size, num_classes), 0.1 / (num_classes - 1))
    probs[np.arange(size), truth] = 0.9
    probs += generator.uniform(0, 0.05, probs.shape)
    labels = truth.copy()
    labels[:wrong] = (truth[:wrong] + 1) % num_classes
    return labels, probs / probs.sum(axis=1, keepdims=True), truth


@pytest.mark.parametrize("rule", options.FILTERS)
def test_every_rule_finds_planted_errors(rule):
    labels, probs, truth = made()
    found = label_errors.find(labels, probabilities=probs, filter_by=rule)
    assert found.is_error[:30].mean() > 0.9 and not found.is_error[30:].any()
    assert (found.suggested[:30] == truth[:30]).all()


def test_the_score_is_the_probability_of_the_label():
    labels = np.array([0, 1, 0, 1])
    probs = np.array([[0.7, 0.3], [0.9, 0.1], [0.5, 0.5], [0.2, 0.8]])
    found = label_errors.find(labels, probabilities=probs, filter_by="predicted_neq_given")
    np.testing.assert_allclose(found.score, [0.7, 0.1, 0.5, 0.8])
    assert found.suggested.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("rule", options.FILTERS)
def test_the_likeliest_class_is_no_error(rule):
    generator = np.random.default_rng(0)
    labels, probs = generator.integers(0, 3, 60), generator.dirichlet([1, 1, 1], 60)
    found = label_errors.find(labels, probabilities=probs, filter_by=rule)
    assert found.is_error.any()
    assert (probs.argmax(axis=1) != labels)[found.is_error].all()


def test_errors_are_ranked_from_the_likeliest():
    found = label_errors.LabelErrors(
        is_error=np.array([True, False, True, True]),
        score=np.array([0.4, 0.0, 0.1, 0.4]),
        suggested=np.zeros(4, int),
        joint=np.zeros((2, 2), int),
    )
    assert found.ranked.tolist() == [2, 0, 3]


def test_a_class_without_labels_is_never_suggested():
    labels, probs, _ = made(num_classes=3)
    wide = np.insert(probs * 0.5, 1, 0.5, axis=1)  # A class that the network prefers everywhere.
    shifted = np.where(labels >= 1, labels + 1, labels)
    found = label_errors.find(shifted, probabilities=wide, filter_by="prune_by_noise_rate")
    plain = label_errors.find(labels, probabilities=probs, filter_by="prune_by_noise_rate")
    assert 1 not in found.suggested
    assert (found.is_error == plain.is_error).all()
    assert found.joint.shape == (4, 4) and not found.joint[1].any()
    np.testing.assert_array_equal(np.delete(np.delete(found.joint, 1, 0), 1, 1), plain.joint)
