"""Decoding of every common format, and encoding of crops."""

import io

import cv2
import numpy as np
import PIL.Image
import pytest

from affectnet_tfds import image_codec, invalid_example


def saved(pixels: np.ndarray, kind: str, mode: str = "RGB", **options: object) -> bytes:
    out = io.BytesIO()
    PIL.Image.fromarray(pixels).convert(mode).save(out, kind, **options)
    return out.getvalue()


def smooth_picture(width: int = 400, height: int = 300) -> np.ndarray:
    random = np.random.Generator(np.random.PCG64(3))
    return cv2.resize(
        random.integers(0, 256, (9, 12, 3), np.uint8),
        (width, height),
        interpolation=cv2.INTER_CUBIC,
    )


def test_exif_rotation_is_not_applied():
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # Rotate 90 degrees to show.
    pixels = np.zeros((40, 20, 3), np.uint8)
    pixels[:10] = 255
    content = saved(pixels, "JPEG", exif=exif.tobytes(), quality=95)
    decoded = image_codec.decode(content)
    assert decoded.shape == (40, 20, 3)
    assert decoded[:8].min() > 240 and decoded[12:].max() < 15


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("JPEG", "RGB"),
        ("JPEG", "L"),
        ("JPEG", "CMYK"),
        ("PNG", "RGB"),
        ("PNG", "RGBA"),
        ("PNG", "P"),
        ("PNG", "L"),
        ("BMP", "RGB"),
        ("TIFF", "RGB"),
        ("GIF", "P"),
        ("WEBP", "RGB"),
    ],
)
def test_every_format_becomes_rgb(kind, mode):
    pixels = np.full((32, 48, 3), (200, 100, 50), np.uint8)
    options = {"quality": 95} if kind in ("JPEG", "WEBP") else {}
    decoded = image_codec.decode(saved(pixels, kind, mode, **options))
    gray = round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)
    wanted = [gray] * 3 if mode == "L" else [200, 100, 50]
    assert decoded.shape == (32, 48, 3) and decoded.dtype == np.uint8
    assert np.abs(decoded.reshape(-1, 3).mean(0) - wanted).max() <= 6


def test_sixteen_bits_are_scaled_and_not_cut():
    deep = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    decoded = image_codec.decode(cv2.imencode(".png", deep)[1].tobytes())
    assert decoded.shape == (64, 64, 3)
    assert (decoded[0, 0, 0], decoded[-1, -1, 0], decoded[32, 0, 0]) == (0, 255, 128)


def test_transparent_parts_become_black():
    pixels = np.full((8, 8, 4), 255, np.uint8)
    pixels[:, :4, 3] = 0
    decoded = image_codec.decode(cv2.imencode(".png", pixels)[1].tobytes())
    assert decoded[0, 0].tolist() == [0, 0, 0] and decoded[0, 7].tolist() == [255, 255, 255]


def noise_jpeg() -> bytes:
    random = np.random.Generator(np.random.PCG64(0))
    return saved(random.integers(0, 256, (64, 64, 3), dtype=np.uint8), "JPEG", quality=95)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"<html>404</html>", "not a picture"),
        (noise_jpeg()[:3000], "broken picture"),
        (noise_jpeg()[:100], "broken picture"),
        (saved(np.zeros((64, 64, 3), np.uint8), "PNG")[:60], "broken picture"),
    ],
)
def test_what_cannot_be_decoded_is_a_defect_with_a_reason(content, reason):
    with pytest.raises(invalid_example.InvalidExample) as caught:
        image_codec.decode(content)
    assert caught.value.reason == reason


@pytest.mark.parametrize("encoding", ["png", "raw"])
def test_lossless_encodings_give_back_the_pixels(encoding):
    pixels = smooth_picture(32, 32)
    content = image_codec.encode(pixels, encoding=encoding)
    decoded = image_codec.decode_crop(content, encoding=encoding, image_size=32)
    np.testing.assert_array_equal(decoded, pixels)


@pytest.mark.parametrize("encoding", ["jpeg", "png", "raw"])
def test_a_crop_of_another_size_is_a_defect(encoding):
    content = image_codec.encode(smooth_picture(32, 32), encoding=encoding)
    with pytest.raises(invalid_example.InvalidExample, match="not 48 x 48") as caught:
        image_codec.decode_crop(content, encoding=encoding, image_size=48)
    assert caught.value.reason == "wrong size"


def test_a_picture_that_claims_too_many_pixels_is_refused_by_its_header(monkeypatch):
    monkeypatch.setattr(image_codec, "MAX_PIXELS", 64 * 64 - 1)
    monkeypatch.setattr(
        image_codec.simplejpeg, "decode_jpeg", lambda *args, **kwargs: pytest.fail("decoded")
    )
    with pytest.raises(invalid_example.InvalidExample, match="this one claims 64 x 64"):
        image_codec.decode(noise_jpeg())


def test_encoding_keeps_the_order_of_colours():
    pixels = np.full((32, 32, 3), (250, 20, 10), np.uint8)
    assert np.abs(image_codec.decode(image_codec.encode(pixels)).astype(int) - pixels).max() < 8


def test_no_more_is_decoded_than_the_crop_needs():
    content = saved(smooth_picture(), "JPEG", quality=95)
    assert image_codec.decode(content, scale=1.0).shape == (300, 400, 3)
    assert image_codec.decode(content, scale=0.6).shape == (188, 250, 3)  # five eighths
    assert image_codec.decode(content, scale=0.125).shape == (38, 50, 3)
    assert image_codec.decode(content, scale=3.0).shape == (300, 400, 3)
