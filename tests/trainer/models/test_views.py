"""Views of images in evaluation: which parts of an image they are, and the mean over them."""

import numpy as np
import pytest
import tensorflow as tf

from runtime import errors
from trainer.config import evaluation_views, run_config
from trainer.models import views

IMAGES = tf.constant(np.random.default_rng(0).uniform(0, 255, (3, 7, 7, 3)), tf.float32)


def of(tta, *, crop_px=7):
    return evaluation_views.Views(image_px=7, crop_px=crop_px, tta=tta)


def test_without_crops_the_view_is_the_image():
    assert of("none").is_plain and views.of(IMAGES, views=of("none"))[0] is IMAGES
    same, mirrored = views.of(IMAGES, views=of("flip"))
    assert same is IMAGES
    np.testing.assert_array_equal(mirrored, IMAGES[:, :, ::-1])


def test_the_middle_is_what_is_seen_of_a_crop():
    (middle,) = views.of(IMAGES, views=of("none", crop_px=4))
    np.testing.assert_array_equal(middle, IMAGES[:, 1:5, 1:5])
    assert not of("none", crop_px=4).is_plain


def test_ten_crops_are_the_middle_and_the_corners_and_these_mirrored():
    seen = of("ten_crop", crop_px=4)
    parts = [IMAGES[:, 1:5, 1:5]]
    parts += [IMAGES[:, :4, :4], IMAGES[:, :4, 3:], IMAGES[:, 3:, :4], IMAGES[:, 3:, 3:]]
    wanted = [*parts, *(part[:, :, ::-1] for part in parts)]
    for view, expected in zip(views.of(IMAGES, views=seen), wanted, strict=True):
        np.testing.assert_array_equal(view, expected)
    assert seen.count == len(wanted) == 10
    layer = views.AllViews(image_px=7, crop_px=4, tta="ten_crop")
    np.testing.assert_array_equal(layer(IMAGES), np.concatenate(wanted))
    again = views.AllViews.from_config(layer.get_config())
    np.testing.assert_array_equal(again(IMAGES), layer(IMAGES))
    assert layer.compute_output_shape((None, 7, 7, 3)) == (None, 4, 4, 3)


def test_the_mean_is_over_the_views_of_each_image():
    by_view = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    layer = views.MeanOfViews(4)
    np.testing.assert_allclose(layer(by_view.reshape(12, 2)), by_view.mean(axis=0))
    assert views.MeanOfViews.from_config(layer.get_config()).count == 4


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"crop_px": 48}, r"--crop_px must be less than the 48 px of the images: got 48; choose"),
        ({"crop_px": 60}, r"--crop_px must be less than the 48 px of the images: got 60; choose"),
        ({"tta": "ten_crop"}, "--tta=ten_crop needs --crop_px"),
    ],
)
def test_crops_that_do_not_fit_are_refused(settings, sentence):
    with pytest.raises(errors.UserError, match=sentence):
        evaluation_views.of_run(run_config.make(settings), image_size=48)


def test_a_run_has_the_views_that_its_settings_ask_for():
    def found(**settings):
        return evaluation_views.of_run(run_config.make(settings), image_size=48)

    assert found() == evaluation_views.Views(image_px=48, crop_px=48, tta="none")
    assert found(crop_px=44, tta="ten_crop") == evaluation_views.Views(
        image_px=48, crop_px=44, tta="ten_crop"
    )
    assert found(tta_flip=True).tta == "flip"  # As config.json of 0.1.0 has it.
    assert found(tta_flip=False).tta == "none"
