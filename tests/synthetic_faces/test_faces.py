"""Drawn faces: action units, landmarks, rendering and annotations."""

import cv2
import numpy as np
import pytest

from affectnet_tfds import labels
from synthetic_faces.canvas import curves, paint
from synthetic_faces.examples import dataset_rows, scenes
from synthetic_faces.render import lighting, render_face
from synthetic_faces.subject import action_units, anatomy, appearance, expressions, poses, subjects

REST = anatomy.mean_landmarks()


def act(*units: int) -> np.ndarray:
    """Return the mean face with these units at full intensity: float[68, 3]."""
    return action_units.displace(REST, {unit: action_units.both(1.0) for unit in units})


def show(code: int, variant: int = 0) -> np.ndarray:
    """Return the mean face with a prototype's units."""
    prototype = expressions.PROTOTYPES[code][variant]
    return action_units.displace(
        REST, {unit: action_units.both(peak) for unit, peak in prototype.items()}
    )


def corner_drop(points: np.ndarray) -> float:
    """Return the distance of the mouth's corners below the middle of its lips."""
    return points[[48, 54], 1].mean() - points[[62, 66], 1].mean()


def opening(points: np.ndarray) -> float:
    return points[66, 1] - points[62, 1]


def eye_height(points: np.ndarray) -> float:
    return points[[40, 41], 1].mean() - points[[37, 38], 1].mean()


def test_mirroring_twice_gives_the_same_landmarks():
    np.testing.assert_array_equal(anatomy.MIRROR[anatomy.MIRROR], np.arange(68))
    pairs = {0: 16, 17: 26, 21: 22, 31: 35, 36: 45, 41: 46, 48: 54, 60: 64, 67: 65}
    assert {left: anatomy.MIRROR[left] for left in pairs} == pairs
    assert anatomy.MIDLINE == (8, 27, 28, 29, 30, 33, 51, 57, 62, 66)


def test_the_mean_face_is_symmetrical():
    np.testing.assert_allclose(REST[anatomy.MIRROR] * [-1, 1, 1], REST)


def test_happy_raises_and_widens_the_corners_of_the_mouth():
    assert corner_drop(show(expressions.HAPPY)) < corner_drop(REST) - 0.1
    assert np.ptp(show(expressions.HAPPY)[[48, 54], 0]) > np.ptp(REST[[48, 54], 0]) + 0.2


def test_sad_lowers_the_corners_and_raises_the_inner_brows():
    sad = show(expressions.SAD)
    assert corner_drop(sad) > corner_drop(REST) + 0.1
    assert sad[21, 1] < REST[21, 1] - 0.05
    assert sad[17, 1] > REST[17, 1] - 0.05


@pytest.mark.parametrize("variant", [0, 1])
def test_surprise_opens_mouth_and_eyes_and_raises_the_brows(variant):
    surprise = show(expressions.SURPRISE, variant)
    assert opening(surprise) > 0.2
    assert eye_height(surprise) > eye_height(REST) + 0.05
    assert (surprise[17:27, 1] < REST[17:27, 1] - 0.08).all()


def test_fear_stretches_the_mouth_and_draws_raised_brows_together():
    fear = show(expressions.FEAR)
    assert np.ptp(fear[[48, 54], 0]) > np.ptp(REST[[48, 54], 0]) + 0.2
    assert np.ptp(fear[[21, 22], 0]) < np.ptp(REST[[21, 22], 0]) - 0.05
    assert fear[21, 1] < REST[21, 1]
    assert eye_height(fear) > eye_height(REST) + 0.05


def test_disgust_lifts_nose_and_upper_lip():
    disgust = show(expressions.DISGUST)
    assert (disgust[31:36, 1] < REST[31:36, 1] - 0.05).all()
    assert disgust[51, 1] < REST[51, 1] - 0.05


def test_anger_lowers_and_joins_the_brows_and_presses_the_lips():
    anger = show(expressions.ANGER)
    assert anger[21, 1] > REST[21, 1] + 0.1
    assert np.ptp(anger[[21, 22], 0]) < np.ptp(REST[[21, 22], 0]) - 0.1
    assert anger[57, 1] - anger[51, 1] < REST[57, 1] - REST[51, 1] - 0.08


def test_contempt_moves_one_corner_of_the_mouth():
    rng = np.random.default_rng(3)
    expression = expressions.draw_expression(expressions.CONTEMPT, rng=rng)
    moved = action_units.displace(REST, expression.activity) - REST
    rises = sorted(-moved[[48, 54], 1])
    assert rises[1] > 0.1 and rises[0] < 0.03


def test_neutral_stays_near_rest():
    expression = expressions.draw_expression(expressions.NEUTRAL, rng=np.random.default_rng(0))
    assert np.abs(action_units.displace(REST, expression.activity) - REST).max() < 0.05


@pytest.mark.parametrize("unit", sorted(action_units.NAMES))
def test_every_unit_moves_something_on_both_sides_alike(unit):
    moved = act(unit) - REST
    assert np.abs(moved).max() > 0.03
    np.testing.assert_allclose(moved[anatomy.MIRROR] * [-1, 1, 1], moved, atol=1e-12)


def test_a_unit_on_one_side_leaves_the_other_at_rest():
    moved = action_units.displace(REST, {12: action_units.Sides(left=1.0, right=0.0)}) - REST
    assert moved[48, 1] < -0.1
    assert moved[54].tolist() == [0, 0, 0]


def test_lids_and_lips_never_pass_through_each_other():
    shut = act(43, 7, 6, 9)
    assert (shut[[41, 40], 1] > shut[[37, 38], 1]).all()
    pressed = act(17, 23)
    assert (pressed[[67, 66, 65], 1] >= pressed[[61, 62, 63], 1]).all()


@pytest.mark.parametrize("code", range(8))
def test_valence_and_arousal_grow_with_strength_around_the_centre(code):
    rng = np.random.default_rng(code)
    drawn = [expressions.draw_expression(code, rng=rng) for _ in range(60)]
    mean = np.mean([(e.valence, e.arousal) for e in drawn], axis=0)
    np.testing.assert_allclose(mean, np.array(expressions.CENTRES[code]) * 0.94, atol=0.06)


@pytest.mark.parametrize("code", [expressions.UNCERTAIN, expressions.NO_FACE])
def test_uncertain_and_no_face_have_no_value(code):
    expression = expressions.draw_expression(code, rng=np.random.default_rng(0))
    assert (expression.valence, expression.arousal) == (labels.NO_VALUE, labels.NO_VALUE)


def test_positive_angles_turn_right_down_and_clockwise():
    nose = REST[30]
    origin = np.zeros(3)
    straight = poses.Pose(np.eye(3), 100.0, (50.0, 60.0), 0.0, 0.0)
    np.testing.assert_allclose(straight.project(origin), [50, 60])
    np.testing.assert_allclose(straight.project(nose), [50, 115])
    assert (poses.rotation(yaw_rad=0.3, pitch_rad=0, roll_rad=0) @ nose)[0] > 0.1
    assert (poses.rotation(yaw_rad=0, pitch_rad=0.2, roll_rad=0) @ nose)[1] > nose[1] + 0.05
    assert (poses.rotation(yaw_rad=0, pitch_rad=0, roll_rad=0.2) @ [1, 0, 0])[1] > 0.1


def test_curves_pass_through_their_points():
    knots = np.array([[0, 0], [3, 1], [4, 5], [9, 2]])
    np.testing.assert_allclose(curves.through(knots)[::6], knots)
    np.testing.assert_allclose(curves.loop(knots)[::6], knots)


def test_the_painted_edges_lie_on_the_landmarks():
    """White lips on black have their outline at the landmarks."""
    canvas = np.zeros((300, 300, 3), np.uint8)
    subject = _subject()
    outer = subject.landmarks[48:60]
    paint.fill(
        canvas,
        np.concatenate([curves.through(outer[:7]), curves.through(outer[[6, 7, 8, 9, 10, 11, 0]])]),
        (255,) * 3,
    )
    ys, xs = np.nonzero(canvas[..., 0] > 127)
    np.testing.assert_allclose([xs.min(), xs.max()], outer[[0, 6], 0], atol=1.5)
    np.testing.assert_allclose(ys.max(), outer[9, 1], atol=1.5)


def test_eyes_are_painted_where_their_landmarks_are():
    """Pixels inside the lids' landmarks are gray (white and pupil), and those of the brow dark."""
    canvas = np.zeros((300, 300, 3), np.uint8)
    subject = _subject()
    render_face.paint_person(
        canvas, subject, light=lighting.Light((0, 0, 1), 0.0), rng=np.random.default_rng(0)
    )
    for eye in anatomy.EYES:
        mask = np.zeros(canvas.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.round(subject.landmarks[list(eye)]).astype(np.int32)], 255)
        inside = canvas[mask > 0]
        is_gray = np.ptp(inside, axis=1) < 30  # White and pupil are; skin is not.
        assert is_gray.mean() > 0.3
        brow = canvas[tuple(np.round(subject.landmarks[19][::-1]).astype(int))]
        assert brow.mean() < 130


def test_the_light_leaves_the_background_as_it_was():
    canvas = np.full((300, 300, 3), 200, np.uint8)
    light = lighting.Light((0.8, 0.0, 0.6), 0.7)
    render_face.paint_person(canvas, _subject(), light=light, rng=np.random.default_rng(0))
    assert (canvas[:40, :20] == 200).all()


def test_the_light_comes_from_its_side():
    means = []
    for x in (-0.8, 0.8):
        canvas = np.full((300, 300, 3), 200, np.uint8)
        light = lighting.Light((x, 0.0, 0.6), 0.7)
        render_face.paint_person(canvas, _subject(), light=light, rng=np.random.default_rng(0))
        means.append(canvas[150:190, 95:120].mean() - canvas[150:190, 180:205].mean())
    assert means[0] > 20 and means[1] < -20


@pytest.mark.parametrize("code", range(11))
def test_annotations_are_plausible(code):
    for index in range(6):
        row = dataset_rows.Row(index, "train", "manual", index, code, "0" * 56, ".jpg")
        encoded, annotation = scenes.draw(row, seed=5)
        image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (annotation.height, annotation.width, 3)
        assert min(image.shape[:2]) >= 140 and max(image.shape[:2]) <= 420
        _check_points(annotation)


def _check_points(annotation: scenes.Annotation) -> None:
    points = annotation.landmarks
    assert points.shape == (68, 2)
    np.testing.assert_array_equal(points, np.round(points, 2))
    x, y, width, height = annotation.box_xywh
    inside = (points >= [x, y]) & (points <= [x + width, y + height])
    assert inside.all(axis=1).mean() > 0.8
    assert points[36:48, 1].mean() < points[48:68, 1].mean()
    assert points[36:42, 0].mean() < points[42:48, 0].mean()
    assert points[17:27, 1].mean() < points[36:48, 1].mean()
    assert 0 <= points[27:36, 0].mean() <= annotation.width


def _subject() -> subjects.Subject:
    pose = poses.Pose(np.eye(3), 90.0, (150.0, 120.0), 0.0, 0.0)
    look = appearance.Look(
        skin=(104, 138, 192), hair=(28, 26, 30), iris=(30, 50, 78), lips=(80, 80, 160),
        cloth=(90, 90, 90), hair_style="short", beard="none", glasses="none",
        brow_weight=1.0, age=0.0, freckled=False,
    )  # fmt: skip
    shape = anatomy.Shape(1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0)
    return subjects.make_subject(shape, look=look, activity={}, pose=pose)


def test_a_blend_is_between_both_expressions():
    happy, sad = expressions.HAPPY, expressions.SAD
    for share in (1.0, 0.25):
        blend = expressions.Blend(happy, sad, share)
        found = expressions.draw_blend(blend, rng=np.random.default_rng(0))
        rng = np.random.default_rng(0)
        one, other = (expressions.draw_expression(code, rng=rng) for code in (happy, sad))
        assert found.activity[12].left == share * one.activity[12].left  # Of the smile alone.
        assert found.activity[15].right == (1 - share) * other.activity[15].right
        lids = share * one.activity[43].left + (1 - share) * other.activity[43].left
        assert found.activity[43].left == pytest.approx(lids)
        valence = share * one.valence + (1 - share) * other.valence
        assert found.valence == pytest.approx(valence, abs=1e-4)
