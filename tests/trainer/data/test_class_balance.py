"""Numbers made of class counts, worked by hand."""

import numpy as np
import pytest

from trainer.config import training_config
from trainer.data import class_balance, sampler

COUNTS = np.array([90, 9, 1, 0])


def settings(**changes):
    return training_config.Imbalance(**changes)


@pytest.mark.parametrize(
    ("sampling", "wanted"),
    [
        ("natural", [90, 9, 1, 0]),
        ("balanced", [34, 33, 33, 0]),  # 100 / 3 each, and the one left over to the first.
        ("sqrt", [70, 22, 8, 0]),  # Shares 9.487 : 3 : 1 of 13.487: 70.34, 22.24, 7.41.
    ],
)
def test_how_often_each_class_is_drawn(sampling, wanted):
    drawn = class_balance.targets(COUNTS, sampling=sampling)
    assert drawn.sum() == 100
    assert drawn.tolist() == wanted


@pytest.mark.parametrize(
    ("class_weights", "wanted"),
    [
        ("none", [1, 1, 1, 0]),
        ("inverse", [100 / 270, 100 / 27, 100 / 3, 0]),
        # 90 w1 + 9 w2 + w3 = 100 with w = a / sqrt(n): a (9.487 + 3 + 1) = 100.
        ("sqrt", [0.7816, 2.4715, 7.4146, 0]),
        # beta 0.9: (1 - b) / (1 - b^n) = 0.1000076, 0.1632339, 1; times n: 9.000684, 1.469105, 1:
        # in all 11.469789.
        ("effective", [0.871923, 1.423164, 8.718557, 0]),
    ],
)
def test_what_an_example_of_each_class_weighs(class_weights, wanted):
    beta = {"effective_beta": 0.9} if class_weights == "effective" else {}
    made = class_balance.weights(COUNTS, settings=settings(class_weights=class_weights, **beta))
    assert made == pytest.approx(wanted, rel=1e-4)
    assert (made * COUNTS).sum() == pytest.approx(100)


def test_a_larger_beta_comes_nearer_to_inverse_weights():
    inverse = class_balance.weights(COUNTS, settings=settings(class_weights="inverse"))
    nearly = class_balance.weights(
        COUNTS, settings=settings(class_weights="effective", effective_beta=0.999999)
    )
    assert nearly == pytest.approx(inverse, rel=1e-3)


def test_priors_are_shares_and_an_empty_class_counts_as_half_an_example():
    assert np.exp(class_balance.log_priors(COUNTS)) == pytest.approx([0.9, 0.09, 0.01, 0.005])


def test_two_remedies_at_once_are_warned_of():
    assert class_balance.warning(settings()) == ""
    assert class_balance.warning(settings(sampling="balanced", label_smoothing=0.1)) == ""
    assert class_balance.warning(settings(sampling="sqrt", class_weights="inverse")) == (
        "--sampling=sqrt and --class_weights=inverse each correct for unequal classes: together "
        "they correct twice"
    )
    assert "--loss=logit_adjusted" in class_balance.warning(
        settings(sampling="balanced", loss="logit_adjusted")
    )


LABELS = np.repeat([0, 1, 2], [7, 3, 2])
TARGETS = np.array([4, 4, 4])


def epoch_of(epoch, seed=0):
    return sampler.drawn(LABELS, targets=TARGETS, seed=seed, epoch=epoch)


def test_an_epoch_holds_each_class_as_often_as_asked():
    assert np.bincount(LABELS[epoch_of(3)]).tolist() == [4, 4, 4]


def test_over_the_epochs_the_examples_of_a_class_are_drawn_equally_often():
    seen = np.bincount(np.concatenate([epoch_of(epoch) for epoch in range(5)]), minlength=12)
    for label in range(3):
        of_class = seen[label == LABELS]
        assert of_class.max() - of_class.min() <= 1
        assert of_class.sum() == 20


def test_the_order_is_a_function_of_seed_and_epoch():
    assert epoch_of(2).tolist() == epoch_of(2).tolist()
    assert epoch_of(2).tolist() != epoch_of(3).tolist()
    assert epoch_of(2).tolist() != epoch_of(2, seed=1).tolist()
