"""A face out of a picture: from its bytes or from its pixels, by its box or by its landmarks."""

import cv2
import numpy as np
import pytest

from affectnet_tfds import crop_geometry, face_alignment, face_crop, image_codec, invalid_example

PLAIN = face_crop.Geometry(image_size=40, margin_frac=0.25, align=False)
ALIGNED = PLAIN._replace(align=True)
BOX = (100.0, 30.0, 40.0, 20.0)


def picture() -> np.ndarray:
    random = np.random.Generator(np.random.PCG64(1))
    return cv2.resize(
        random.integers(0, 256, (8, 10, 3), np.uint8), (200, 160), interpolation=cv2.INTER_CUBIC
    )


def landmarks() -> np.ndarray:
    """68 points whose five lie on the template, shown 100 pixels wide from (50, 30)."""
    points = np.zeros((68, 2), np.float32)
    eyes = face_alignment.TEMPLATE[0], face_alignment.TEMPLATE[1]
    points[36:42], points[42:48] = eyes[0], eyes[1]
    points[[30, 48, 54]] = face_alignment.TEMPLATE[2:]
    return points * 100 + np.array([50, 30], np.float32)


def cut(content: bytes, **changes) -> face_crop.Cut:
    given = {
        "header": image_codec.read_header(content),
        "box": BOX,
        "points": None,
        "geometry": PLAIN,
        **changes,
    }
    return face_crop.cut(content, **given)


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels[:, :, ::-1])[1].tobytes()


def test_the_place_is_in_pixels_of_the_whole_picture():
    # 40 wide, 20 high, at x=100, y=30: centre (120, 40), side 40 and a quarter of it on each side.
    made = cut(png(picture()))
    assert made.place == crop_geometry.Square(90, 10, 60)
    assert made.face.shape == (40, 40, 3) and not made.aligned
    assert np.isnan(made.points).all()


def test_bytes_and_pixels_give_the_same_crop():
    pixels = picture()
    for geometry, points in ((PLAIN, None), (ALIGNED, landmarks())):
        from_bytes = cut(png(pixels), geometry=geometry, points=points)
        place = face_crop.locate(BOX, points=points, picture_size=(200, 160), geometry=geometry)
        from_pixels = face_crop.cut_decoded(
            pixels, place=place, points=points, picture_width=200, image_size=40
        )
        assert (from_bytes.face == from_pixels.face).all()
        assert from_bytes.place == from_pixels.place


def test_aligning_brings_the_landmarks_to_the_template():
    made = cut(png(picture()), geometry=ALIGNED._replace(margin_frac=0), points=landmarks())
    assert made.aligned
    assert face_alignment.five_points(made.points) == pytest.approx(
        face_alignment.TEMPLATE, abs=1e-5
    )


def test_five_points_align_as_the_68_do():
    content = png(picture())
    by_68 = cut(content, geometry=ALIGNED, points=landmarks())
    by_five = cut(content, geometry=ALIGNED, points=face_alignment.five_points(landmarks()))
    assert by_five.place == by_68.place and (by_five.face == by_68.face).all()


def test_landmarks_that_cannot_be_aligned_leave_the_box():
    made = cut(png(picture()), geometry=ALIGNED, points=np.full((68, 2), 50, np.float32))
    assert not made.aligned and made.place == crop_geometry.Square(90, 10, 60)


def test_a_bad_box_is_a_defect_also_where_landmarks_would_do():
    with pytest.raises(invalid_example.InvalidExample, match="has no pixel in 200 x 160"):
        cut(png(picture()), box=(500.0, 0.0, 20.0, 20.0), geometry=ALIGNED, points=landmarks())
