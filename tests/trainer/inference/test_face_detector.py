"""Face detection: MTCNN's boxes and points, and the whole image as one face."""

import importlib.util

import numpy as np
import pytest

from affectnet_tfds import face_alignment
from runtime import errors
from tests.trainer.inference import samples
from trainer.inference import face_detector, images


def test_detector_none_takes_the_whole_image_without_decoding_it():
    def decode(eighths: int) -> np.ndarray:
        raise AssertionError("decoded")

    image = images.InputImage(name="a", size=(60, 40), decode=decode)
    assert face_detector.detector("none")(image) == [face_detector.DetectedFace(box=None)]


def test_a_detector_that_is_not_installed_is_refused(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    face_detector.check_installed("none")
    with pytest.raises(
        errors.UserError,
        match=r"--detector=mtcnn needs mtcnn: .*pip install '.*\[predict\]', or use --det",
    ):
        face_detector.check_installed("mtcnn")


def detecting(monkeypatch, *boxes):
    """Return the mtcnn detector, whose network finds these boxes."""
    mtcnn = pytest.importorskip("mtcnn", reason="mtcnn is not installed (extra: predict)")
    points = dict.fromkeys(face_detector._POINTS, (1.0, 2.0))
    faces = [{"box": box, "keypoints": points, "confidence": 0.5} for box in boxes]

    class Network:
        def detect_faces(self, pixels):
            return faces

    monkeypatch.setattr(mtcnn, "MTCNN", Network)
    return face_detector.detector("mtcnn")


def test_faces_come_from_the_largest_and_those_below_the_smallest_box_are_left_out(monkeypatch):
    detect = detecting(monkeypatch, (0, 0, 20, 20), (5, 5, 7, 7), (0, 0, 30, 30))
    faces = detect(images.from_pixels(samples.gradient(width=60, height=40), name="a"))
    assert [face.box for face in faces] == [(0, 0, 30, 30), (0, 0, 20, 20)]


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("mtcnn") is None, reason="mtcnn is not installed (extra: predict)"
)
def test_mtcnn_names_the_five_points_in_the_order_that_alignment_takes(drawn):
    path, annotation = drawn
    (image,) = images.read(path, every_s=1)
    (face,) = face_detector.detector("mtcnn")(image)
    wanted = face_alignment.five_points(annotation.landmarks)
    assert np.abs(face.points - wanted).max() < 0.15 * max(annotation.box_xywh[2:])


def test_boxes_of_a_shrunk_image_are_those_of_the_image(monkeypatch):
    monkeypatch.setattr(face_detector, "MAX_PIXELS", 400 * 300)
    detect = detecting(monkeypatch, (10, 20, 30, 40))
    (face,) = detect(images.from_pixels(samples.gradient(width=800, height=600), name="a"))
    assert face.box == (20.0, 40.0, 60.0, 80.0)
    assert face.points.tolist() == [[2.0, 4.0]] * 5
