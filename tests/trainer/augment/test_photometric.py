import numpy as np
import tensorflow as tf

from trainer.augment import photometric


def pixel(*rgb):
    return tf.reshape(tf.constant(rgb, tf.float32), (1, 1, 1, 3))


def test_brightness_moves_and_contrast_spreads():
    gray = tf.constant([[[[100.0] * 3, [140.0] * 3]]])
    brighter = photometric.light(gray, amount=tf.constant([[0.5, 0.0]]))  # 0.5 x 0.2 x 255 = 25.5.
    np.testing.assert_allclose(brighter[0, 0, :, 0], [125.5, 165.5], rtol=1e-5)
    harder = photometric.light(
        gray, amount=tf.constant([[0.0, 1.0]])
    )  # About the mean of 120, by 1.2.
    np.testing.assert_allclose(harder[0, 0, :, 0], [96, 144], rtol=1e-5)


def test_brightness_and_contrast_leave_most_of_a_face_at_the_largest_strength():
    """At 3 times the usual range, 60 % of white, a face would be black or white."""
    face = tf.constant(np.random.default_rng(0).normal(128, 50, (1, 16, 16, 3)).clip(0, 255))
    for amount in ([3.0, 3.0], [-3.0, 3.0], [3.0, -3.0], [-3.0, -3.0]):
        changed = photometric.light(tf.cast(face, tf.float32), amount=tf.constant([amount]))
        is_clipped = (changed.numpy() <= 0) | (changed.numpy() >= 255)
        assert is_clipped.mean() < 0.25


def test_gamma_keeps_black_and_white_and_bends_what_is_between():
    ramp = tf.constant([[[[0.0] * 3, [63.75] * 3, [255.0] * 3]]])
    bent = photometric.tone(ramp, amount=tf.constant([[2.0, 0.0]]))  # Gamma 2: 255 x (1 / 4)^2.
    np.testing.assert_allclose(bent[0, 0, :, 0], [0, 15.9375, 255], rtol=1e-5)


def test_local_contrast_spreads_differences_from_the_neighbourhood_and_leaves_the_others():
    """Columns of 100 and 120 beside those of 200 and 220: twice 10 from 110 and from 210."""
    row = np.repeat([100.0, 120.0] * 8 + [200.0, 220.0] * 8, 3).reshape(1, 1, 32, 3)
    images = tf.constant(np.repeat(row, 32, axis=1), tf.float32)
    spread = photometric.tone(images, amount=tf.constant([[0.0, 2.0]])).numpy()
    np.testing.assert_allclose(spread[0, 9, 4:8, 0], [90, 130] * 2, rtol=1e-5)
    np.testing.assert_allclose(spread[0, 9, 24:28, 0], [190, 230] * 2, rtol=1e-5)


def test_colour_leaves_gray_and_brightness_alone():
    np.testing.assert_allclose(
        photometric.colour(pixel(90, 90, 90), amount=tf.constant([[1.0, 1.0]]))[0, 0, 0],
        [90] * 3,
        atol=0.2,
    )
    luma = tf.constant([0.299, 0.587, 0.114])
    turned = photometric.colour(pixel(150, 100, 80), amount=tf.constant([[-0.5, 2.0]]))[0, 0, 0]
    np.testing.assert_allclose(np.dot(turned, luma), np.dot([150, 100, 80], luma), rtol=2e-3)


def test_without_saturation_an_image_is_gray():
    faded = photometric.colour(
        pixel(200, 100, 50), amount=tf.constant([[-2.5, 0.0]])
    )  # 1 - 2.5 x 0.4 = 0.
    np.testing.assert_allclose(
        faded[0, 0, 0], [124.2] * 3, atol=0.1
    )  # 0.299 x 200 + 0.587 x 100 + 0.114 x 50.


def test_a_positive_hue_turns_red_away_from_what_a_negative_one_does():
    one, other = (
        photometric.colour(pixel(200, 60, 60), amount=tf.constant([[0.0, hue]]))[0, 0, 0].numpy()
        for hue in (1, -1)
    )
    assert (one[1] - one[2]) * (other[1] - other[2]) < 0
    assert abs(one[1] - one[2]) > 5


def test_sharpness_goes_towards_and_away_from_the_blurred_image():
    point = np.zeros((1, 3, 3, 3), np.float32)
    point[0, 1, 1] = 130
    blurred = photometric.sharpness(
        point, amount=tf.constant([-1.25])
    )  # 1 - 1.25 x 0.8 = 0: the blurred image itself.
    np.testing.assert_allclose(
        blurred[0, :, :, 0], [[10, 10, 10], [10, 50, 10], [10, 10, 10]], rtol=1e-5
    )
    sharp = photometric.sharpness(
        point, amount=tf.constant([1.25])
    )  # 50 + (130 - 50) x 2, and 10 - 10 x 2 cut at 0.
    np.testing.assert_allclose(sharp[0, :, :, 0], [[0, 0, 0], [0, 210, 0], [0, 0, 0]], rtol=1e-5)
