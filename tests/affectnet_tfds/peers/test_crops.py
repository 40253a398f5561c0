"""Crops like a peer's: pixels of a second implementation of what the peer has published.

The second one follows the peer's own steps (slices, matrices, singular values), not ours.
"""

import io

import cv2
import numpy as np
import PIL.Image
import pytest

from affectnet_tfds import crop_geometry, face_crop, image_codec
from affectnet_tfds.peers import crops

BOX = (61.7, 30.2, 90.9, 120.4)
"""Neither square nor whole."""


@pytest.fixture(scope="module")
def content() -> bytes:
    """A JPEG of 260 x 210 pixels."""
    random = np.random.Generator(np.random.PCG64(3))
    coarse = random.integers(0, 256, (21, 26, 3), np.uint8)
    pixels = cv2.resize(coarse, (260, 210), interpolation=cv2.INTER_CUBIC)
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


@pytest.fixture(scope="module")
def image(content) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1].copy()


def landmarks(degrees: float = 8, squeeze: float = 1.0) -> np.ndarray:
    """68 points of a turned face; `squeeze` brings the eyes together, as in profile."""
    points = np.random.Generator(np.random.PCG64(5)).uniform(75, 135, (68, 2))
    five = [(80, 70), (130, 70), (106, 95), (86, 120), (126, 121)]
    points[36:42], points[42:48] = five[0], five[1]
    points[[30, 48, 54]] = five[2:]
    points[:, 0] = 105 + (points[:, 0] - 105) * squeeze
    turn = np.radians(degrees)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return ((points - 105) @ rotation.T + 105.4).astype(np.float32)


def cut(content: bytes, like: str, **given) -> face_crop.Cut:
    return face_crop.cut(
        content,
        header=image_codec.read_header(content),
        box=given.get("box", BOX),
        points=given.get("points"),
        geometry=face_crop.Geometry(**crops.SETTINGS[like], like=like),
    )


def test_hsemotion_stretches_the_box(content, image):
    x, y, w, h = (int(value) for value in BOX)
    wanted = cv2.resize(image[y : y + h, x : x + w], (224, 224))
    np.testing.assert_array_equal(cut(content, "hsemotion").face, wanted)
    points = np.array([(x, y), (x + w, y + h / 2)], np.float32)
    found = cut(content, "hsemotion", points=np.tile(points, (34, 1)))
    np.testing.assert_array_equal(found.face, wanted)  # No alignment.
    np.testing.assert_allclose(found.points[:2], [(0, 0), (1, 0.5)])


def test_hsemotion_takes_what_is_in_the_image_of_a_box_that_leaves_it(content, image):
    found = cut(content, "hsemotion", box=(-20.0, 150.0, 100.0, 100.0)).face
    np.testing.assert_array_equal(found, cv2.resize(image[150:210, 0:80], (224, 224)))


@pytest.mark.parametrize("box", [None, BOX])
def test_dan_takes_the_whole_image_as_pillow_shrinks_it(content, box):
    # transforms.Resize((224, 224)) of an image that Pillow has opened.
    wanted = PIL.Image.open(io.BytesIO(content)).convert("RGB").resize(
        (224, 224), PIL.Image.Resampling.BILINEAR
    )  # fmt: skip
    np.testing.assert_array_equal(cut(content, "dan", box=box).face, wanted)


def test_dan_stores_an_image_of_its_size_as_it_is(image):
    small = cv2.imencode(".jpg", cv2.resize(image, (224, 224)))[1].tobytes()
    place = cut(small, "dan").place
    assert place == crop_geometry.Square(0, 0, 224)
    header = image_codec.read_header(small)
    assert crop_geometry.is_stored_as_is(small, header, place, image_size=224)


def norm_crop(image: np.ndarray, five: np.ndarray) -> np.ndarray:
    """face_align_v2.0.py: skimage's SimilarityTransform.estimate for each pose, then warpAffine."""
    source = np.array([list(map(int, point)) for point in five], np.float64)
    found = []
    for target in crops._POSES:
        source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
        covariance = (target - target_mean).T @ (source - source_mean) / 5
        sign = np.array([1.0, -1.0 if np.linalg.det(covariance) < 0 else 1.0])
        left, singular, right = np.linalg.svd(covariance)
        rotation = left @ np.diag(sign) @ right
        scale = (singular @ sign) / (source - source_mean).var(axis=0).sum()
        shift = target_mean - scale * rotation @ source_mean
        matrix = np.column_stack([scale * rotation, shift])
        mapped = source @ matrix[:, :2].T + matrix[:, 2]
        error = np.sum(np.sqrt(np.sum((mapped - target) ** 2, axis=1)))
        found.append((error, matrix))
    matrix = min(found, key=lambda each: each[0])[1]
    return cv2.warpAffine(image, matrix, (112, 112), borderValue=0.0)


@pytest.mark.parametrize(("squeeze", "pose"), [(1.0, 2), (0.35, 1), (0.05, 0)])
def test_ddamfn_takes_the_pose_that_is_nearest(content, image, squeeze, pose):
    points = landmarks(squeeze=squeeze)
    eyes = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    five = np.array([*eyes, points[30], points[48], points[54]])
    found = cut(content, "ddamfn", points=points)
    np.testing.assert_array_equal(found.face, norm_crop(image, five))
    # A detector's five are taken as they are.
    np.testing.assert_array_equal(cut(content, "ddamfn", points=five).face, found.face)
    assert found.aligned and found.points.shape == (68, 2)


def test_ddamfn_shrinks_the_whole_image_without_landmarks(content, image):
    wanted = cv2.resize(image, (112, 112), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(cut(content, "ddamfn").face, wanted)


def emonet(image: np.ndarray, left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """data_augmentation.py: get_scale_center, get_transform without rotation, warpAffine."""
    center = np.array([right - (right - left) / 2, bottom - (bottom - top) / 2])
    height = 200 * (right - left + bottom - top) / 220.0
    transform = np.array(
        [
            [256 / height, 0, 256 * (-center[0] / height + 0.5)],
            [0, 256 / height, 256 * (-center[1] / height + 0.5)],
        ]
    )
    return cv2.warpAffine(image, transform, (256, 256))


def test_emonet_takes_a_square_about_the_landmarks(content, image):
    points = landmarks()
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    found = cut(content, "emonet", points=points).face
    np.testing.assert_array_equal(found, emonet(image, *map(float, (left, top, right, bottom))))


def test_emonet_takes_a_square_about_the_box_where_there_are_no_68_landmarks(content, image):
    x, y, w, h = BOX
    wanted = emonet(image, x, y, x + w, y + h)
    np.testing.assert_array_equal(cut(content, "emonet").face, wanted)
    five = landmarks()[[36, 42, 30, 48, 54]]
    np.testing.assert_array_equal(cut(content, "emonet", points=five).face, wanted)


@pytest.mark.parametrize("like", crops.SETTINGS)
def test_landmarks_that_are_one_point_still_give_a_crop(content, like):
    face = cut(content, like, points=np.full((68, 2), 50, np.float32)).face
    side = crops.SETTINGS[like]["image_size"]
    assert face.shape == (side, side, 3) and face.std() > 10


@pytest.mark.parametrize("like", crops.SETTINGS)
def test_the_outline_is_where_the_corners_of_the_crop_lie(content, like):
    place = cut(content, like, points=landmarks()).place
    np.testing.assert_allclose(place.points(place.outline()), [(0, 0), (1, 0), (0, 1)], atol=1e-6)
