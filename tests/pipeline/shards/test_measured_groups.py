"""Measured attributes: each is what an image of known content has."""

import cv2
import numpy as np
import pytest

from pipeline.shards import measured_groups
from synthetic_faces.examples import dataset_rows, scenes


def measured(face, *, box_px=70.4, points=None):
    of = measured_groups.Measurable(face, box_px, points)
    return dict(measured_groups.measure(of, names=("face_px", "yaw_deg", "brightness", "colour")))


def test_a_plain_face_has_its_size_brightness_and_colour():
    face = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    # 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2
    assert measured(face) == {
        "face_px": "70",
        "yaw_deg": "",
        "brightness": "124",
        "colour": "colour",
    }


def test_only_what_is_asked_for_is_measured():
    of = measured_groups.Measurable(np.zeros((8, 8, 3), np.uint8), 9.0, None)
    assert measured_groups.measure(of, names=["face_px"]) == (("face_px", "9"),)


def test_a_gray_image_is_gray_in_whatever_file():
    gray = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    gray = cv2.resize(gray[:8, :8], (64, 64))
    jpeg = cv2.imencode(".jpg", cv2.merge([gray] * 3), [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    face = cv2.cvtColor(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert measured(face)["colour"] == "gray"
    face[:8] = (180, 120, 90)  # An eighth of it is skin.
    assert measured(face)["colour"] == "colour"


@pytest.mark.parametrize("yaw", [-35, -10, 0, 20, 45])
@pytest.mark.parametrize(("pitch", "roll"), [(0, 0), (12, 0), (-10, 25)])
def test_the_turn_of_a_head_of_known_shape_is_measured_exactly(yaw, pitch, roll):
    y, p, r = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    points = np.zeros((68, 2))
    for index, place in measured_groups._HEAD.items():
        points[index] = (about_z @ about_x @ about_y @ np.array(place))[:2] * 0.3 + 100
    # The nose is nearest to the camera: a head that looks to the image's right has it there.
    assert np.sign(points[30, 0] - points[[36, 45], 0].mean()) == np.sign(yaw) or roll
    assert measured_groups.yaw_deg(points) == pytest.approx(yaw, abs=1e-6)
    assert measured(np.zeros((8, 8, 3), np.uint8), points=points)["yaw_deg"] == str(abs(yaw))


def test_the_turn_of_drawn_heads_of_other_shapes_is_measured_within_some_degrees():
    rows = [row for row in dataset_rows.rows(num_images=120, seed=2) if row.code < 8][:60]
    drawn = [scenes.draw(row, seed=2)[1] for row in rows]
    truth = [float(each.attributes[scenes.ATTRIBUTES.index("yaw_deg")]) for each in drawn]
    found = [abs(measured_groups.yaw_deg(each.landmarks)) for each in drawn]
    assert max(truth) > 12
    assert np.mean(np.abs(np.array(found) - truth)) < 4
    assert np.corrcoef(found, truth)[0, 1] > 0.85
