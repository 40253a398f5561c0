import numpy as np
import tensorflow as tf

from trainer.augment import geometric

NONE = tf.zeros((1, 5))


def image(size=8):
    return tf.constant(np.random.default_rng(0).uniform(0, 255, (1, size, size, 3)), tf.float32)


def test_no_amount_of_warping_is_the_same_image():
    same = geometric.warp(image(), flip=tf.constant([False]), amount=NONE)
    np.testing.assert_allclose(same, image(), atol=1e-3)


def test_a_flip_mirrors_left_and_right():
    flipped = geometric.warp(image(), flip=tf.constant([True]), amount=NONE)
    np.testing.assert_allclose(flipped, image()[:, :, ::-1], atol=1e-3)


def test_a_shift_moves_by_its_share_of_the_image():
    # A shift of 1 / 0.06 / 8 times its range is one of eight pixels: each pixel shows its right
    # neighbour.
    amount = tf.constant([[0.0, 0.0, 1 / 0.06 / 8, 0.0, 0.0]])
    shifted = geometric.warp(image(), flip=tf.constant([False]), amount=amount)
    np.testing.assert_allclose(shifted[:, :, :-1], image()[:, :, 1:], atol=1e-2)
    np.testing.assert_allclose(
        shifted[:, :, -1], image()[:, :, -1], atol=1e-2
    )  # The edge is repeated.


def test_a_turn_of_a_right_angle_turns_the_image():
    amount = tf.constant([[9.0, 0.0, 0.0, 0.0, 0.0]])  # Nine times ten degrees.
    turned = geometric.warp(image(), flip=tf.constant([False]), amount=amount)
    np.testing.assert_allclose(turned[0], np.rot90(image()[0], k=1), atol=0.1)


def test_a_part_is_cut_where_it_was_drawn():
    part = geometric.warp(
        image(), flip=tf.constant([False]), amount=NONE, crop_px=5, place=tf.constant([[3.0, 1.0]])
    )
    np.testing.assert_allclose(part, image()[:, 1:6, 3:8], atol=1e-3)


def test_shear_shifts_rows_by_their_distance_from_the_middle():
    ramp = tf.tile(tf.range(5.0)[None, None, :, None] * 10, [1, 5, 1, 3])
    sheared = geometric.warp(
        ramp, flip=tf.constant([False]), amount=tf.constant([[0.0, 0.0, 0.0, 0.0, 10.0]])
    )
    # Ten times a tenth is one pixel a row: the middle row stays, the one below it shows its right
    # neighbours.
    np.testing.assert_allclose(sheared[0, 2, :, 0], [0, 10, 20, 30, 40], atol=1e-2)
    np.testing.assert_allclose(sheared[0, 3, :, 0], [10, 20, 30, 40, 40], atol=1e-2)
    np.testing.assert_allclose(sheared[0, 0, :, 0], [0, 0, 0, 10, 20], atol=1e-2)
