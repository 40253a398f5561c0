import numpy as np
import tensorflow as tf

from trainer.augment import random_erasing


def test_the_rectangle_has_its_area_and_the_mean_colour():
    images = tf.constant(np.random.default_rng(0).uniform(0, 255, (1, 20, 20, 3)), tf.float32)
    # Area 0.02 + 0.31 x 0.7419 = 0.25, aspect 1: half of each side, from a fifth of the rest down
    # and none right.
    uniform = tf.constant([[0.3, 0.7419, 0.5, 0.2, 0.0]])
    erased = random_erasing.erase(images, uniform=uniform, prob=0.5).numpy()
    changed = np.any(erased != images.numpy(), axis=-1)[0]
    assert changed[2:12, :10].all() and changed.sum() == 100
    np.testing.assert_allclose(erased[0, 5, 5], images.numpy().mean(axis=(0, 1, 2)), rtol=1e-5)


def test_only_the_asked_share_of_images_loses_one():
    images = tf.constant(np.random.default_rng(0).uniform(0, 255, (400, 8, 8, 3)), tf.float32)
    uniform = tf.constant(np.random.default_rng(1).uniform(0, 1, (400, 5)), tf.float32)
    changed = np.any(
        random_erasing.erase(images, uniform=uniform, prob=0.25).numpy() != images.numpy(),
        axis=(1, 2, 3),
    )
    assert 70 < changed.sum() < 130
