"""Exact resize inside exported models: OpenCV's, in sums that no runtime rounds differently."""

import io

import cv2
import numpy as np
import PIL.Image
import pytest
import simplejpeg
import tensorflow as tf

from affectnet_tfds import image_codec
from affectnet_tfds.reader import image_decoder
from trainer.data import exact_resize


def images_of(height: int, width: int, *, count: int = 2) -> np.ndarray:
    coarse = (
        np.random.default_rng(height + width).integers(0, 256, (count, 9, 7, 3)).astype(np.uint8)
    )
    return np.stack(
        [cv2.resize(each, (width, height), interpolation=cv2.INTER_CUBIC) for each in coarse]
    )


def resized(crops: np.ndarray, size_px: int, *, by_eighths: bool = False) -> np.ndarray:
    return exact_resize.resize(tf.constant(crops), size_px=size_px, by_eighths=by_eighths).numpy()


def test_a_new_pixel_is_the_average_of_the_old_ones_it_covers():
    # 3 pixels to 2: the first covers one and a half, the second as much.
    row = np.array([[[[0], [90], [240]]]], np.uint8).repeat(3, axis=1)
    assert resized(row, 2)[0, 0, :, 0].tolist() == [30, 190]


def test_enlarging_takes_from_both_neighbours_and_repeats_the_edge():
    # New centres lie at -1/4, 1/4, 3/4 and 5/4 of the two old pixels.
    row = np.array([[[[0], [100]]]], np.uint8).repeat(2, axis=1)
    assert resized(row, 4)[0, 0, :, 0].tolist() == [0, 25, 75, 100]


@pytest.mark.parametrize("by_eighths", [False, True])
def test_images_of_the_right_size_stay_as_they_are(by_eighths):
    crops = images_of(32, 32)
    assert (resized(crops, 32, by_eighths=by_eighths) == crops).all()


@pytest.mark.parametrize("shape", [(224, 224), (100, 80), (97, 131), (30, 20)])
def test_it_is_opencvs_resize_to_one_level(shape):
    crops, size = images_of(*shape), 48
    interpolation = cv2.INTER_AREA if min(shape) > size else cv2.INTER_LINEAR
    wanted = np.stack(
        [cv2.resize(each, (size, size), interpolation=interpolation) for each in crops]
    ).astype(np.float32)
    off = np.abs(resized(crops, size) - wanted)
    assert off.max() <= 1 and off.mean() < 0.2


@pytest.mark.parametrize("size", [48, 96, 112, 200])
def test_by_eighths_is_nearer_to_what_training_decodes(size):
    (crop,) = images_of(224, 224, count=1)
    content = simplejpeg.encode_jpeg(crop, quality=95, colorspace="RGB", colorsubsampling="420")
    as_trained = image_decoder.to_size(image_decoder.Stored(size_px=224), size_px=size)(
        memoryview(content)
    ).astype(np.float32)
    full_size = simplejpeg.decode_jpeg(content)[None]
    off = {
        way: np.abs(resized(full_size, size, by_eighths=way)[0] - as_trained).mean()
        for way in (True, False)
    }
    assert off[True] < 1.1 and off[True] <= off[False] + 0.05


@pytest.mark.parametrize("by_eighths", [False, True])
@pytest.mark.parametrize("shape", [(224, 224), (97, 131), (30, 20), (48, 48)])
def test_on_the_cpu_alone_pixels_are_the_same(shape, by_eighths):
    crops = images_of(*shape)
    alone = [exact_resize.resize_one(each, size_px=48, by_eighths=by_eighths) for each in crops]
    assert alone[0].dtype == np.uint8
    np.testing.assert_array_equal(alone, resized(crops, 48, by_eighths=by_eighths))


@pytest.mark.parametrize("size", [24, 64, 80])
@pytest.mark.parametrize("encoding", image_codec.ENCODINGS)
def test_stored_images_are_decoded_as_others_decode_them_and_resized_as_exports_do(encoding, size):
    (crop,) = images_of(64, 64, count=1)
    content = image_codec.encode(crop, encoding=encoding)
    stored = image_decoder.Stored(size_px=64, is_raw=encoding == "raw")
    found = exact_resize.decoder(stored, size_px=size)(memoryview(content))
    whole = crop if encoding == "raw" else np.asarray(PIL.Image.open(io.BytesIO(content)))
    wanted = resized(whole[None], size, by_eighths=encoding == "jpeg")[0]
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("by_eighths", [False, True])
@pytest.mark.parametrize("length", [1, 7, 47, 48, 49, 224, 1000])
def test_weights_are_whole_steps_and_add_up_to_one(length, by_eighths):
    found = exact_resize.weights(tf.constant(length), size_px=48, by_eighths=by_eighths).numpy()
    assert found.shape == (48, length) and found.min() >= 0
    assert (found * 4096 == np.round(found * 4096)).all()
    assert (found.sum(axis=1) == 1).all()


def test_sums_do_not_depend_on_their_order():
    crops = images_of(224, 168)
    turned = resized(crops[:, ::-1].copy(), 48)[:, ::-1]
    as_doubles = np.einsum("bhwc,ih->biwc", crops.astype(np.float64), weights_of(224))
    between = np.floor(as_doubles * 16 + 0.5) / 16
    exact = np.floor(np.einsum("biwc,jw->bijc", between, weights_of(168)) + 0.5)
    assert (resized(crops, 48) == exact).all()
    assert np.abs(turned - exact).max() <= 1  # a half is rounded up from both ends


def weights_of(length: int) -> np.ndarray:
    return (
        exact_resize.weights(tf.constant(length), size_px=48, by_eighths=False)
        .numpy()
        .astype(np.float64)
    )
