"""Crops: where they are cut, how they are resized, what happens at the edge."""

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


@pytest.mark.parametrize(
    ("box", "reason"),
    [((500, 5, 20, 20), "box outside the picture"), ((5, 5, 2, 2), "box too small")],
)
def test_a_box_that_shows_no_face_is_a_defect(box, reason):
    with pytest.raises(invalid_example.InvalidExample) as caught:
        crop_geometry.square(box, picture_size=(100, 100), margin_frac=0.15)
    assert caught.value.reason == reason


def test_a_box_must_be_eight_pixels_on_its_longer_side():
    assert crop_geometry.square((40, 40, 3, 8), picture_size=(100, 100), margin_frac=0).side == 8
    with pytest.raises(invalid_example.InvalidExample) as caught:
        crop_geometry.square((40, 40, 7, 7), picture_size=(100, 100), margin_frac=0)
    assert str(caught.value) == "a box must be 8 pixels or more: got 7 x 7"


def cropped_columns(columns: list[int], *, image_size: int) -> list[int]:
    """Resize a square image that has these columns; return those of the crop."""
    side = len(columns)
    pixels = np.broadcast_to(np.array(columns, np.uint8)[:, None], (side, side, 3))
    square = crop_geometry.Square(0, 0, side)
    return crop_geometry.crop(pixels, square, image_size=image_size)[image_size // 2, :, 0].tolist()


def test_shrinking_by_a_third_or_more_averages_all_pixels():
    # Each column of the crop covers 1.375 columns: the first 0..1.375, so 200 * 0.375 / 1.375 = 55,
    # the second 1.375..2.75, so 200 * 0.625 / 1.375 = 91, the third 200 / 1.375 = 145.
    cropped = cropped_columns([0, 200] * 11, image_size=16)
    assert cropped[:8] == [55, 91, 145, 73, 73, 145, 91, 55]


def test_shrinking_by_less_interpolates_between_neighbours():
    # Column i of the crop is at 1.3125 * (i + 0.5) - 0.5: 0.156 (31), 1.469 (200 - 94), 2.781.
    cropped = cropped_columns(([0, 200] * 11)[:21], image_size=16)
    assert cropped[:8] == [31, 106, 156, 19, 119, 144, 6, 131]


def test_enlarging_is_cubic():
    # An edge between columns 1 and 2. Column 3 of the crop is at 1.25: the cubic kernel (a = -0.75)
    # gives columns 2 and 3 the weights 0.2617 and -0.0352, so 58; linear interpolation gives 64.
    # Column 2, at 0.75, is negative and becomes 0.
    assert cropped_columns([0, 0, 255, 255], image_size=8) == [0, 0, 0, 58, 197, 255, 255, 255]


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


def smooth_picture(width: int = 400, height: int = 300) -> np.ndarray:
    random = np.random.Generator(np.random.PCG64(3))
    return cv2.resize(
        random.integers(0, 256, (9, 12, 3), np.uint8),
        (width, height),
        interpolation=cv2.INTER_CUBIC,
    )


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
