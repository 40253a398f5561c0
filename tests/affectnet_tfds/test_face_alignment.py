"""Alignment on faces whose answer is known."""

import numpy as np
import pytest

from affectnet_tfds import face_alignment

SIZE = (400, 300)


def landmarks(five: np.ndarray) -> np.ndarray:
    """68 landmarks with the five points where they are asked for."""
    points = np.zeros((68, 2))
    points[36:42], points[42:48], points[30], points[48], points[54] = five
    return points


def turned(
    degrees: float, scale: float, shift: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """The template's face, rotated, scaled and shifted: its landmarks, and the matrix."""
    angle = np.deg2rad(degrees)
    matrix = scale * np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    return landmarks(face_alignment.TEMPLATE @ matrix.T + shift), matrix


@pytest.mark.parametrize("degrees", [0, 30, -75, 90])
def test_a_turned_face_comes_back_to_the_template(degrees):
    points, _ = turned(degrees, scale=120, shift=(200, 100))
    similarity = face_alignment.fit(points, picture_size=SIZE, margin_frac=0)
    assert similarity.scale == pytest.approx(1 / 120)
    assert face_alignment.five_points(similarity.points(points)) == pytest.approx(
        face_alignment.TEMPLATE, abs=1e-6
    )


def test_the_margin_widens_the_crop_about_its_centre():
    points, _ = turned(0, scale=120, shift=(200, 100))
    similarity = face_alignment.fit(points, picture_size=SIZE, margin_frac=0.5)
    assert face_alignment.five_points(similarity.points(points)) == pytest.approx(
        (face_alignment.TEMPLATE - 0.5) / 2 + 0.5, abs=1e-6
    )


@pytest.mark.parametrize("five", [np.full((5, 2), 50.0), face_alignment.TEMPLATE * 100 + (5000, 0)])
def test_points_in_one_place_or_outside_the_picture_align_nothing(five):
    assert face_alignment.fit(landmarks(five), picture_size=SIZE, margin_frac=0) is None


@pytest.mark.parametrize(("scale", "tolerance"), [(150, 1.0), (700, 1.0)])
def test_pixels_and_landmarks_are_moved_alike(scale, tolerance):
    # A bright dot on each of the five points has to be found where the landmarks say it is in the
    # crop.
    points, _ = turned(20, scale=scale, shift=(300, 150))
    five = face_alignment.five_points(points)
    height, width = 1000, 1200
    rows, columns = np.mgrid[0:height, 0:width] + 0.5
    similarity = face_alignment.fit(points, picture_size=(width, height), margin_frac=0.15)
    for i, (x, y) in enumerate(five):
        dot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * (scale / 40) ** 2))
        cut = face_alignment.crop(
            np.repeat((dot * 255).astype(np.uint8)[..., None], 3, 2), similarity, image_size=112
        )
        weight = cut[..., 0].astype(float)
        found = [
            ((np.arange(112) + 0.5) * weight.sum(axis)).sum() / weight.sum() for axis in (0, 1)
        ]
        assert found == pytest.approx(similarity.points(five)[i] * 112, abs=tolerance)
