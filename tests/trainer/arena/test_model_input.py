"""Model input: sizes and layouts read from shapes, and pixels in each scaling, by hand."""

import numpy as np
import pytest

from runtime import errors
from trainer.arena import adapter, model_input

PIXEL = np.array([[[[255, 102, 0]]]], np.uint8)


def resolve(adapter_path, *shape, takes_integers=False):
    return model_input.resolve(
        adapter.load(adapter_path), shape=shape, takes_integers=takes_integers, where="m.onnx"
    )


@pytest.mark.parametrize(
    ("shape", "changes", "found"),
    [
        ((None, 48, 48, 3), {}, (48, 3, "nhwc", None)),
        ((1, 3, 64, 64), {}, (64, 3, "nchw", 1)),
        ((1, 1, 64, 64), {"color": "gray"}, (64, 1, "nchw", 1)),
        ((None, None, None, 3), {"input_size": 99}, (99, 3, "nhwc", None)),
        ((None, None, None, None), {"input_size": 99, "layout": "nchw"}, (99, 3, "nchw", None)),
        ((4, 224, 224, 3), {"color": "gray", "input_size": 224}, (224, 3, "nhwc", 4)),
    ],
)
def test_size_channels_and_layout_are_those_of_the_shape(write_adapter, shape, changes, found):
    taken = resolve(write_adapter(**changes), *shape)
    assert (taken.size_px, taken.channels, taken.layout, taken.batch) == found


@pytest.mark.parametrize(
    ("shape", "changes", "sentence"),
    [
        ((None, 128), {}, r"must take images of four axes.*its input is \(any, 128\)"),
        ((1, 3, 3, 3), {}, "must say layout nhwc or nchw: the input of m.onnx"),
        ((1, 8, 8, 8), {}, "must say layout nhwc or nchw"),
        ((1, 8, 8, 3), {"layout": "nchw"}, "says layout nchw, and .* has not 1 or 3 channels"),
        ((None, None, None, 3), {"layout": "nchw"}, r"\(any, any, any, 3\), which has not 1 or 3"),
        ((1, 8, 9, 3), {}, "m.onnx takes images of 8 x 9, and crops of faces are square"),
        ((1, None, None, 3), {}, "must say input_size, such as 'input_size: 224'"),
        ((1, 48, 48, 3), {"input_size": 64}, "takes images of 48 px, and .* says input_size 64"),
        ((1, 48, 48, 1), {}, "takes images of one channel: color must be gray"),
        ((1, 48, 48, 3), {"mean": [1, 2]}, "mean must have 1 or 3 values.*: got 2"),
        ((1, 8, 8, 1), {"color": "gray", "scaling": "imagenet"}, "imagenet is of three channels"),
    ],
)
def test_an_adapter_that_does_not_fit_the_model_is_refused(write_adapter, shape, changes, sentence):
    with pytest.raises(errors.UserError, match=sentence):
        resolve(write_adapter(**changes), *shape)


def test_a_model_of_whole_numbers_takes_no_fractions(write_adapter):
    with pytest.raises(
        errors.UserError, match=r"takes whole numbers: .* must say scaling 0\.\.255"
    ):
        resolve(write_adapter(scaling="0..1"), 1, 8, 8, 3, takes_integers=True)
    assert resolve(write_adapter(), 1, 8, 8, 3, takes_integers=True).size_px == 8


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, [255, 102, 0]),
        ({"color": "bgr"}, [0, 102, 255]),
        ({"color": "gray"}, [136, 136, 136]),
        ({"scaling": "0..1"}, [1, 0.4, 0]),
        ({"scaling": "-1..1"}, [1, -0.2, -1]),
        ({"scaling": "0..1", "mean": [0.5], "std": [0.5, 1, 2]}, [1, -0.1, -0.25]),
        ({"scaling": "imagenet"}, [0.515 / 0.229, -0.056 / 0.224, -0.406 / 0.225]),
        (
            {"scaling": "imagenet", "color": "bgr"},
            [-0.406 / 0.225, -0.056 / 0.224, 0.515 / 0.229],
        ),
    ],
)
def test_pixels_are_scaled_as_the_adapter_says(write_adapter, changes, wanted):
    path = write_adapter(**changes)
    taken = model_input.Input(size_px=1, channels=3, layout="nhwc", batch=None)
    pixels = model_input.prepare(PIXEL, adapter=adapter.load(path), taken=taken)
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels, [[[wanted]]], atol=1e-6)


def test_channels_come_first_where_the_model_wants_it(write_adapter):
    images = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    taken = model_input.Input(size_px=2, channels=3, layout="nchw", batch=None)
    pixels = model_input.prepare(images, adapter=adapter.load(write_adapter()), taken=taken)
    assert pixels.tolist() == [[[[0, 3], [6, 9]], [[1, 4], [7, 10]], [[2, 5], [8, 11]]]]
