import numpy as np
import pytest
import tensorflow as tf

from trainer import augment, noise

NONE = tf.zeros((1, 4))


def picture(size=8):
    return tf.constant(np.random.default_rng(0).uniform(0, 255, (1, size, size, 3)), tf.float32)


def draw(first_place=0):
    return noise.Draw(seed=1, epoch=tf.constant(0, tf.int64), first_place=tf.constant(first_place, tf.int64))


def test_no_amount_of_warping_is_the_same_picture():
    same = augment.warp(picture(), flip=tf.constant([False]), amount=NONE)
    np.testing.assert_allclose(same, picture(), atol=1e-3)


def test_a_flip_mirrors_left_and_right():
    flipped = augment.warp(picture(), flip=tf.constant([True]), amount=NONE)
    np.testing.assert_allclose(flipped, picture()[:, :, ::-1], atol=1e-3)


def test_a_shift_moves_by_its_share_of_the_picture():
    # A shift of 1 / 0.06 / 8 times its range is one of eight pixels: each pixel shows its right neighbour.
    amount = tf.constant([[0.0, 0.0, 1 / 0.06 / 8, 0.0]])
    shifted = augment.warp(picture(), flip=tf.constant([False]), amount=amount)
    np.testing.assert_allclose(shifted[:, :, :-1], picture()[:, :, 1:], atol=1e-2)
    np.testing.assert_allclose(shifted[:, :, -1], picture()[:, :, -1], atol=1e-2)  # The edge is repeated.


def test_a_turn_of_a_right_angle_turns_the_picture():
    amount = tf.constant([[9.0, 0.0, 0.0, 0.0]])  # Nine times ten degrees.
    turned = augment.warp(picture(), flip=tf.constant([False]), amount=amount)
    np.testing.assert_allclose(turned[0], np.rot90(picture()[0], k=1), atol=0.1)


def test_brightness_moves_and_contrast_spreads():
    gray = tf.constant([[[[100.0] * 3, [140.0] * 3]]])
    brighter = augment.light(gray, amount=tf.constant([[0.5, 0.0]]))  # 0.5 x 0.2 x 255 = 25.5.
    np.testing.assert_allclose(brighter[0, 0, :, 0], [125.5, 165.5], rtol=1e-5)
    harder = augment.light(gray, amount=tf.constant([[0.0, 1.0]]))  # About the mean of 120, by 1.2.
    np.testing.assert_allclose(harder[0, 0, :, 0], [96, 144], rtol=1e-5)


def test_strength_zero_changes_nothing():
    images = tf.cast(picture(), tf.uint8)
    np.testing.assert_array_equal(augment.augment(images, draw=draw(), strength=0.0), tf.cast(images, tf.float32))


@pytest.mark.parametrize("first, count", [(0, 1), (1, 2), (3, 1)])
def test_a_part_of_the_batch_changes_as_it_does_in_the_whole(first, count):
    images = tf.cast(tf.repeat(picture(), 4, axis=0), tf.uint8)
    whole = augment.augment(images, draw=draw(), strength=1.0)
    part = augment.augment(images[first : first + count], draw=draw(first), strength=1.0)
    np.testing.assert_allclose(part, whole[first : first + count], atol=1e-3)
    assert not np.allclose(whole[0], whole[1])


def test_augment_is_the_same_inside_a_graph():
    images = tf.cast(tf.repeat(picture(), 4, axis=0), tf.uint8)
    compiled = tf.function(lambda x: augment.augment(x, draw=draw(), strength=1.0))
    np.testing.assert_allclose(compiled(images), augment.augment(images, draw=draw(), strength=1.0), atol=1e-3)
