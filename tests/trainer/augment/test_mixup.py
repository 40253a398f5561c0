import numpy as np
import pytest
import tensorflow as tf

from trainer.augment import mixup

IMAGES = np.stack([np.full((4, 4, 3), value, np.float32) for value in (0, 100, 20, 40)])


def test_neighbours_are_partners():
    assert mixup.partners(tf.constant([5, 6, 7, 8])).numpy().tolist() == [6, 5, 8, 7]
    np.testing.assert_array_equal(mixup.partners(IMAGES), IMAGES[[1, 0, 3, 2]])


def test_mixup_weighs_an_image_and_its_partner():
    # Beta(1, 1) is uniform: the number is the share.
    uniform = tf.constant(
        [[0.25, 0, 0, 0], [0.25, 0, 0, 0], [0.5, 0, 0, 0], [1 - 2**-20, 0, 0, 0]], tf.float32
    )
    mixed = mixup.mix(tf.constant(IMAGES), uniform=uniform, mixup=1.0, cutmix=0.0)
    np.testing.assert_allclose(mixed.lam, [0.25, 0.25, 0.5, 1], atol=1e-5)
    np.testing.assert_allclose(mixed.images[:, 0, 0, 0], [75, 25, 30, 40], atol=1e-3)


def test_cutmix_puts_a_patch_of_the_partner_in_and_counts_what_is_left():
    # Share 3/4: a patch of half the side, about the middle; then about a corner, where a quarter of
    # it is inside.
    uniform = tf.constant(
        [[0.75, 0, 0.5, 0.5], [0.75, 0, 0, 0], [1 - 2**-20, 0, 0.5, 0.5], [0, 0, 0.5, 0.5]],
        tf.float32,
    )
    mixed = mixup.mix(tf.constant(IMAGES), uniform=uniform, mixup=0.0, cutmix=1.0)
    np.testing.assert_allclose(mixed.lam, [0.75, 1 - 1 / 16, 1, 0], atol=1e-6)
    assert mixed.images[0, :, :, 0].numpy().tolist() == [
        [0, 0, 0, 0],
        [0, 100, 100, 0],
        [0, 100, 100, 0],
        [0, 0, 0, 0],
    ]
    assert np.argwhere(mixed.images[1, :, :, 0].numpy() == 0).tolist() == [[0, 0]]
    np.testing.assert_array_equal(mixed.images[2], IMAGES[2])
    np.testing.assert_array_equal(mixed.images[3], IMAGES[2])


def test_with_both_a_coin_decides():
    uniform = tf.constant([[0.75, 0.4, 0.5, 0.5], [0.75, 0.6, 0.5, 0.5]] * 2, tf.float32)
    mixed = mixup.mix(tf.constant(IMAGES), uniform=uniform, mixup=1.0, cutmix=1.0)
    np.testing.assert_allclose(mixed.images[0], np.full((4, 4, 3), 25), atol=1e-3)
    assert set(np.unique(mixed.images[1])) == {0, 100}


@pytest.mark.parametrize("alpha, variance", [(0.2, 1 / 5.6), (1.0, 1 / 12), (4.0, 1 / 36)])
def test_beta_has_the_moments_of_beta(alpha, variance):
    # Var of Beta(a, a) = 1 / (4 (2 a + 1)).
    drawn = mixup.beta(
        tf.constant((np.arange(100_000) + 0.5) / 100_000, tf.float32), alpha=alpha
    ).numpy()
    assert drawn.mean() == pytest.approx(0.5, abs=1e-4)
    assert drawn.var() == pytest.approx(variance, rel=2e-3)
