import io
import itertools
import pathlib
import tarfile

import cv2
import numpy as np
import PIL.Image
import pytest
import simplejpeg
import tensorflow as tf

from affectnet_tfds.reader import image_decoder

ARCHIVE = (
    pathlib.Path(__file__).resolve().parents[4] / "shared" / "data" / "faces_in_the_wild.tar.gz"
)
needs_photographs = pytest.mark.skipif(
    not ARCHIVE.exists(), reason=f"{ARCHIVE} is not beside the project"
)


@pytest.fixture(scope="module")
def photographs() -> list[bytes]:
    """A hundred photographs as the job would store them: 224 px, JPEG."""
    found = []
    with tarfile.open(ARCHIVE) as archive:
        for member in itertools.islice((m for m in archive if m.name.endswith(".jpg")), 100):
            content = np.frombuffer(archive.extractfile(member).read(), np.uint8)
            pixels = cv2.imdecode(content, cv2.IMREAD_COLOR_RGB) if content.size else None
            if pixels is not None:
                small = cv2.resize(pixels, (224, 224), interpolation=cv2.INTER_AREA)
                found.append(simplejpeg.encode_jpeg(small, quality=95, colorsubsampling="420"))
    return found


@needs_photographs
@pytest.mark.parametrize("size_px, most", [(48, 2.5), (64, 1.2), (96, 1.0), (112, 0.5), (160, 0.8)])
def test_decoding_less_differs_from_decoding_all_by_a_stated_small_amount(
    photographs, size_px, most
):
    decode = image_decoder.to_size(image_decoder.Stored(size_px=224), size_px=size_px)
    differences = []
    for jpeg in photographs:
        whole = tf.io.decode_jpeg(jpeg, channels=3, dct_method="INTEGER_ACCURATE").numpy()
        expected = cv2.resize(whole, (size_px, size_px), interpolation=cv2.INTER_AREA)
        differences.append(np.abs(decode(memoryview(jpeg)).astype(int) - expected).mean())
    assert np.mean(differences) < most


@needs_photographs
def test_at_the_stored_size_pixels_are_those_of_opencv_and_pillow(photographs):
    decode = image_decoder.to_size(image_decoder.Stored(size_px=224), size_px=224)
    for jpeg in photographs[:10]:
        found = decode(memoryview(jpeg))
        np.testing.assert_array_equal(found, PIL.Image.open(io.BytesIO(jpeg)))
        as_bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        np.testing.assert_array_equal(found, as_bgr[:, :, ::-1])


def ramp() -> np.ndarray:
    return np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)


def test_png_and_raw_images_come_back_as_they_are():
    png = tf.io.encode_png(ramp()).numpy()
    for is_raw, content in ((False, png), (True, ramp().tobytes())):
        decode = image_decoder.to_size(image_decoder.Stored(size_px=16, is_raw=is_raw), size_px=16)
        np.testing.assert_array_equal(decode(memoryview(content)), ramp())


def test_shrinking_averages_and_enlarging_keeps_the_range():
    checks = np.zeros((8, 8, 3), np.uint8)
    checks[::2, ::2] = checks[1::2, 1::2] = 200
    shrunk = image_decoder.to_size(image_decoder.Stored(size_px=8, is_raw=True), size_px=4)(
        memoryview(checks.tobytes())
    )
    np.testing.assert_array_equal(shrunk, np.full((4, 4, 3), 100))
    enlarged = image_decoder.to_size(image_decoder.Stored(size_px=8, is_raw=True), size_px=12)(
        memoryview(checks.tobytes())
    )
    assert enlarged.shape == (12, 12, 3) and enlarged.max() <= 200


def test_an_image_that_cannot_be_decoded_is_an_error_that_names_the_way_out():
    decode = image_decoder.to_size(image_decoder.Stored(size_px=8), size_px=8)
    with pytest.raises(
        ValueError, match="cannot be decoded: .*; 'python -m pipeline.verify' names it"
    ):
        decode(memoryview(b"\xff\xd8\xff nothing"))
