"""Tracker: who is who in the frames of a video, and how outputs are smoothed."""

import math

import numpy as np
import pytest

from trainer.inference import face_classifier, face_detector, images, tracker

PIXELS = np.zeros((100, 400, 3), np.uint8)


def frame(time_s, *boxes, name="a.mp4", probs=(1.0, 0.0), affect=None):
    image = images.from_pixels(PIXELS, name=name, time_s=time_s)
    faces = [
        face_classifier.ClassifiedFace(
            image=image,
            detected=face_detector.DetectedFace(box=box),
            crop=PIXELS,
            probabilities=np.array(probs, np.float32),
            affect=affect,
        )
        for box in boxes
    ]
    return image, faces


def people(frames, **settings) -> list[list[int]]:
    follower = tracker.Tracker(**{"smooth_s": 0, "every_s": 0.5, **settings})
    return [[face.person for face in follower.follow(*each)] for each in frames]


def box(x, *, side=40.0):
    return (float(x), 20.0, side, side)


def test_a_person_keeps_the_number_whatever_the_order_of_the_faces():
    frames = [
        frame(0.0, box(10), box(200)),
        frame(0.5, box(230), box(25)),
        frame(1.0, box(45)),
        frame(1.5, box(240), box(60), box(130)),
    ]
    assert people(frames) == [[1, 2], [2, 1], [1], [2, 1, 3]]


def test_all_overlaps_together_are_largest():
    # Each box now overlaps that of the first person most; only one may have it.
    frames = [frame(0.0, box(50), box(100)), frame(0.5, box(62), box(40))]
    assert people(frames) == [[1, 2], [2, 1]]


def test_who_was_away_for_long_comes_back_as_another_person():
    frames = [frame(0.0, box(10)), frame(2.0, box(10)), frame(4.1, box(10)), frame(4.5, box(300))]
    assert people(frames) == [[1], [1], [2], [3]]
    assert people([frame(0.0, box(10)), frame(5.0, box(10))], every_s=2.5) == [[1], [1]]


def test_each_video_has_its_own_people_and_images_have_none():
    frames = [frame(0.0, box(10)), frame(0.0, box(10), name="b.mp4"), frame(None, box(10))]
    assert people(frames) == [[1], [1], [None]]


def test_a_whole_frame_is_one_person():
    assert people([frame(0.0, None), frame(0.5, None)]) == [[1], [1]]


def test_outputs_move_towards_the_new_ones_by_the_time_constant():
    follower = tracker.Tracker(smooth_s=2.0, every_s=0.5)
    first, second = (
        follower.follow(*frame(time_s, box(10), probs=probs, affect=affect))[0]
        for time_s, probs, affect in [(1.0, (1.0, 0.0), (0.5, 0.0)), (1.5, (0.0, 1.0), (-0.5, 1.0))]
    )
    share = 1 - math.exp(-0.5 / 2)
    assert first.probabilities.tolist() == [1, 0] and first.affect == (0.5, 0.0)
    np.testing.assert_allclose(second.probabilities, [1 - share, share], atol=1e-6)
    assert second.affect == pytest.approx((0.5 - share, share))


def test_without_smoothing_each_frame_is_as_it_is():
    follower = tracker.Tracker(smooth_s=0, every_s=0.5)
    follower.follow(*frame(0.0, box(10), probs=(1.0, 0.0)))
    (face,) = follower.follow(*frame(0.1, box(10), probs=(0.25, 0.75)))
    assert face.probabilities.tolist() == [0.25, 0.75]
