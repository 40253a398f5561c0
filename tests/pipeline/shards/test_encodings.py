"""Encodings of crops: pixels of each, and image files that are stored as they are."""

import cv2
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from affectnet_tfds import face_crop, image_codec, invalid_example
from pipeline import verify
from pipeline.rows import annotations
from pipeline.shards import row_example, tasks
from runtime import errors
from tests.pipeline import conftest, test_main
from trainer.data import dataset_version, examples


@pytest.fixture
def built(job_config, tmp_path):
    def build(encoding):
        config = job_config(encoding=encoding, balance="none", data_dir=str(tmp_path / encoding))
        return test_main.run(config).version

    return build


def images(version) -> np.ndarray:
    read = tfds.builder_from_directory(version).as_dataset(split="train", shuffle_files=False)
    return np.stack([example["image"] for example in tfds.as_numpy(read)])


def exact_images(version) -> np.ndarray:
    """Return JPEGs by the accurate inverse DCT, where TFDS takes the fast one."""
    read = tfds.builder_from_directory(version).as_dataset(
        split="train", shuffle_files=False, decoders={"image": tfds.decode.SkipDecoding()}
    )
    return np.stack(
        [
            tf.io.decode_jpeg(example["image"], dct_method="INTEGER_ACCURATE").numpy()
            for example in read
        ]
    )


def test_png_and_raw_hold_the_same_pixels_and_jpeg_nearly(built):
    png, raw, jpeg = (images(built(encoding)) for encoding in ("png", "raw", "jpeg"))
    assert png.shape == (24, 32, 32, 3) and png.dtype == np.uint8
    np.testing.assert_array_equal(raw, png)
    assert 0 < np.abs(jpeg.astype(int) - png).mean() < 6


@pytest.mark.parametrize("encoding", image_codec.ENCODINGS)
def test_each_encoding_is_verified_and_read_by_the_trainer(built, encoding):
    version = built(encoding)
    assert list(verify.verify(version)) == []
    split = examples.read(
        dataset_version.open_version(version), split="train", size_px=32, cache="none"
    )
    wanted = exact_images(version) if encoding == "jpeg" else images(version)
    np.testing.assert_array_equal(split.fetch(np.arange(24)), wanted)


def test_the_way_back_undoes_the_encoding_and_says_what_does_not_fit():
    pixels = conftest.picture(1, width=32, height=32)
    for encoding in ("png", "raw"):
        content = image_codec.encode(pixels, encoding=encoding)
        np.testing.assert_array_equal(
            image_codec.decode_crop(content, encoding=encoding, image_size=32), pixels
        )
    with pytest.raises(invalid_example.InvalidExample, match=r"3,072 bytes are not 31 x 31 pixels"):
        image_codec.decode_crop(pixels.tobytes(), encoding="raw", image_size=31)
    with pytest.raises(invalid_example.InvalidExample, match=r"32 x 32 is not 31 x 31"):
        image_codec.decode_crop(image_codec.encode(pixels), encoding="jpeg", image_size=31)


def test_an_unknown_encoding_is_refused(job_config):
    with pytest.raises(
        errors.UserError, match=r"--encoding must be one of jpeg, png, raw: got gif"
    ):
        job_config(encoding="gif")


def example(content, *, copy=0, box=None, margin_frac=0.15, encoding="jpeg"):
    parsed = annotations.parse(
        {"path": "a.jpg", "label": "1", "landmarks": ""},
        annotations.Place("train", "manual", "", "", "a:1"),
    )
    row = parsed._replace(box=box)
    settings = row_example.ExampleSettings(
        face_crop.Geometry(image_size=32, margin_frac=margin_frac, align=False),
        encoding,
        soft_labels=False,
    )
    return row_example.example(
        row_example.crop(content, row, settings), tasks.Task(0, copy, row), settings
    )


def jpeg(side=32) -> bytes:
    return cv2.imencode(".jpg", conftest.picture(1, width=side, height=side))[1].tobytes()


def test_a_jpeg_that_is_its_own_crop_is_stored_as_it_came():
    assert example(jpeg()).image == jpeg()
    assert example(jpeg(), box=(0, 0, 32, 32), margin_frac=0.0).image == jpeg()


@pytest.mark.parametrize(
    "other",
    [
        {"copy": 1},
        {"box": (0, 0, 32, 32)},
        {"box": (1, 0, 31, 31), "margin_frac": 0.0},
        {"encoding": "png"},
    ],
)
def test_a_jpeg_of_which_anything_changes_is_encoded_anew(other):
    assert example(jpeg(), **other).image != jpeg()


def test_pictures_of_another_size_format_or_with_exif_are_encoded_anew(tmp_path):
    assert example(jpeg(side=64)).image != jpeg(side=64)
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # Rotate by a quarter.
    PIL.Image.fromarray(conftest.picture(1, width=32, height=32)).save(
        tmp_path / "a.jpg", exif=exif
    )
    content = (tmp_path / "a.jpg").read_bytes()
    assert example(content).image not in (content, jpeg())
    png = cv2.imencode(".png", conftest.picture(1, width=32, height=32))[1].tobytes()
    assert example(png).image[:2] == b"\xff\xd8"
