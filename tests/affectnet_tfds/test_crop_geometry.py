"""Crops: where they are cut, what happens at the edge, what formats come in."""

import contextlib
import functools
import io
import tarfile
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from affectnet_tfds import crop_geometry, image_codec, invalid_example


def coordinates(width: int, height: int) -> np.ndarray:
    """A picture whose red is the column and whose green is the row."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, :, 0] = np.arange(width)
    pixels[:, :, 1] = np.arange(height)[:, None]
    return pixels


def saved(pixels: np.ndarray, kind: str, mode: str = "RGB", **options: object) -> bytes:
    out = io.BytesIO()
    PIL.Image.fromarray(pixels).convert(mode).save(out, kind, **options)
    return out.getvalue()


def test_a_non_square_box_at_unequal_x_and_y_is_cut_where_it_is():
    # 20 wide, 10 high, at x=100, y=30: centre (110, 35), side 20, so columns 100..119 and rows
    # 25..44.
    pixels = coordinates(200, 80)
    area = crop_geometry.square((100, 30, 20, 10), picture_size=(200, 80), margin_frac=0)
    assert area == crop_geometry.Square(100, 25, 20)
    cut = crop_geometry.crop(pixels, area, image_size=20)
    assert cut[0, 0].tolist() == [100, 25, 0]
    assert cut[-1, -1].tolist() == [119, 44, 0]


def test_the_margin_is_added_on_each_side():
    assert crop_geometry.square(
        (100, 30, 20, 10), picture_size=(200, 80), margin_frac=0.25
    ) == crop_geometry.Square(95, 20, 30)


def test_a_box_that_leaves_the_picture_is_padded_with_black_and_not_squashed():
    pixels = coordinates(60, 40) + np.array([0, 0, 200], np.uint8)
    area = crop_geometry.square((-10, 10, 30, 40), picture_size=(60, 40), margin_frac=0)
    assert area == crop_geometry.Square(-15, 10, 40)
    cut = crop_geometry.crop(pixels, area, image_size=40)
    assert (cut[:, :15] == 0).all()  # left of the picture
    assert (cut[30:] == 0).all()  # below it
    assert cut[0, 15].tolist() == [0, 10, 200]
    assert cut[29, 39].tolist() == [24, 39, 200]


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
    [("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("PNG", "L"),
     ("BMP", "RGB"), ("TIFF", "RGB"), ("GIF", "P"), ("WEBP", "RGB")],
)  # fmt: skip
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


@functools.cache
def real_pictures() -> tuple[bytes, ...]:
    """Return a hundred photographs of 350 x 350 from the data beside the project, or nothing."""
    archive = Path(__file__).resolve().parents[3] / "shared" / "data" / "faces_in_the_wild.tar.gz"
    if not archive.is_file():
        return ()
    found = []
    with tarfile.open(archive) as files:
        for member in files:
            if len(found) == 100:
                break
            if member.name.endswith(".jpg") and (file := files.extractfile(member)):
                content = file.read()
                with contextlib.suppress(invalid_example.InvalidExample):
                    header = image_codec.read_header(content)
                    if (
                        header.size == (350, 350)
                        and header.is_plain_jpeg
                        and image_codec.decode(content) is not None
                    ):
                        found.append(content)
    return tuple(found)


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


def test_a_picture_that_claims_too_many_pixels_is_refused_by_its_header(monkeypatch):
    monkeypatch.setattr(crop_geometry, "MAX_PIXELS", 64 * 64 - 1)
    monkeypatch.setattr(
        crop_geometry.simplejpeg, "decode_jpeg", lambda *args, **kwargs: pytest.fail("decoded")
    )
    with pytest.raises(invalid_example.InvalidExample, match="this one claims 64 x 64"):
        image_codec.decode(noise_jpeg())


@pytest.mark.parametrize(
    ("box", "reason"),
    [((500, 5, 20, 20), "box outside the picture"), ((5, 5, 2, 2), "box too small")],
)
def test_a_box_that_shows_no_face_is_a_defect(box, reason):
    with pytest.raises(invalid_example.InvalidExample) as caught:
        crop_geometry.square(box, picture_size=(100, 100), margin_frac=0.15)
    assert caught.value.reason == reason


def test_without_a_box_the_whole_picture_is_centred_in_the_square():
    assert crop_geometry.square(
        None, picture_size=(30, 10), margin_frac=0.15
    ) == crop_geometry.Square(0, -10, 30)


def test_landmarks_follow_the_crop():
    points = np.zeros((68, 2), np.float32)
    points[0] = (110, 35)
    inside = crop_geometry.crop_points(points, crop_geometry.Square(100, 25, 20))
    assert inside[0].tolist() == [0.5, 0.5]
    assert np.isnan(crop_geometry.crop_points(None, crop_geometry.Square(0, 0, 1))).all()


def test_mirroring_swaps_left_and_right_points():
    points = np.zeros((68, 2), np.float32)
    points[36], points[45] = (0.2, 0.4), (0.9, 0.5)  # outer corners of the eyes
    points[8], points[48], points[54] = (
        (0.5, 1.0),
        (0.3, 0.8),
        (0.6, 0.7),
    )  # chin, corners of the mouth
    pixels = coordinates(10, 10)
    mirrored, swapped = crop_geometry.mirror(pixels, points)
    assert mirrored[0, 0, 0] == 9
    assert swapped[36] == pytest.approx([0.1, 0.5])
    assert swapped[45] == pytest.approx([0.8, 0.4])
    assert swapped[8] == pytest.approx([0.5, 1.0])
    assert swapped[48] == pytest.approx([0.4, 0.7])


def test_mirroring_twice_changes_nothing():
    assert crop_geometry.MIRRORED_POINTS[crop_geometry.MIRRORED_POINTS].tolist() == list(range(68))


def test_the_box_is_stored_as_clamped_fractions_y_first():
    fractions = crop_geometry.bbox_fractions((-10, 20, 60, 100), picture_size=(100, 80))
    assert fractions == (0.25, 0.0, 1.0, 0.5)


def test_encoding_keeps_the_order_of_colours():
    pixels = np.full((32, 32, 3), (250, 20, 10), np.uint8)
    assert np.abs(image_codec.decode(image_codec.encode(pixels)).astype(int) - pixels).max() < 8


def smooth_picture(width: int = 400, height: int = 300) -> np.ndarray:
    random = np.random.Generator(np.random.PCG64(3))
    return cv2.resize(
        random.integers(0, 256, (9, 12, 3), np.uint8),
        (width, height),
        interpolation=cv2.INTER_CUBIC,
    )


def test_no_more_is_decoded_than_the_crop_needs():
    content = saved(smooth_picture(), "JPEG", quality=95)
    assert image_codec.decode(content, scale=1.0).shape == (300, 400, 3)
    assert image_codec.decode(content, scale=0.6).shape == (188, 250, 3)  # five eighths
    assert image_codec.decode(content, scale=0.125).shape == (38, 50, 3)
    assert image_codec.decode(content, scale=3.0).shape == (300, 400, 3)


def crop_both_ways(
    content: bytes, box: crop_geometry.Box, image_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the crop as the job makes it, and from the whole picture, averaged."""
    header = image_codec.read_header(content)
    area = crop_geometry.square(box, picture_size=header.size, margin_frac=0.15)
    scale = crop_geometry.part_needed(image_size / area.side, image_size=image_size)
    part = image_codec.decode(content, header, scale=scale)
    fast = crop_geometry.crop(
        part, crop_geometry.shrunk(area, part.shape[1] / header.size[0]), image_size=image_size
    )
    whole = crop_geometry.crop(image_codec.decode(content, header), area, image_size=area.side)
    return fast, cv2.resize(whole, (image_size, image_size), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("image_size", [48, 112, 224])
def test_decoding_less_changes_pixels_by_little(image_size):
    fast, full = crop_both_ways(
        saved(smooth_picture(), "JPEG", quality=95), (60, 40, 220, 200), image_size
    )
    assert np.abs(fast.astype(int) - full).mean() < 4


@pytest.mark.skipif(
    not real_pictures(), reason="shared/data/faces_in_the_wild.tar.gz is not beside the project"
)
@pytest.mark.parametrize(("image_size", "mean_difference"), [(48, 3.5), (112, 2.5), (224, 2.5)])
def test_decoding_less_changes_real_pictures_by_little(image_size, mean_difference):
    differences = []
    for content in real_pictures():
        fast, full = crop_both_ways(content, (26, 26, 300, 290), image_size)
        differences.append(np.abs(fast.astype(int) - full).mean())
    assert len(differences) > 50 and np.mean(differences) < mean_difference
