"""Face detection: MTCNN's boxes and points, and the whole image as one face."""

import importlib.util

import numpy as np
import pytest

from affectnet_tfds import face_alignment
from runtime import errors
from tests.trainer.inference import samples
from trainer.inference import face_detector, images, mtcnn_detector


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


def detecting(monkeypatch, *boxes, confidence: float = 0.9, seen=None, **settings):
    """Return the mtcnn detector, whose network finds these boxes, and notes what it sees."""
    points = dict.fromkeys(mtcnn_detector._POINTS, (1.0, 2.0))
    faces = [{"box": box, "keypoints": points, "confidence": confidence} for box in boxes]

    class Network:
        def detect_faces(self, pixels, *, min_face_size, threshold_onet):
            if seen is not None:
                seen.append((pixels.shape[1], pixels.shape[0], round(min_face_size, 3)))
            return faces

    monkeypatch.setattr(mtcnn_detector, "compiled", lambda device: Network())
    return face_detector.detector("mtcnn", **settings)


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
    assert not face_detector.detector("mtcnn", min_face=2 * max(face.box[2:]))(image)
    wanted = face_alignment.five_points(annotation.landmarks)
    assert np.abs(face.points - wanted).max() < 0.15 * max(annotation.box_xywh[2:])


def test_boxes_of_a_shrunk_image_are_those_of_the_image(monkeypatch):
    monkeypatch.setattr(mtcnn_detector, "FEW_PIXELS", 400 * 300)
    detect = detecting(monkeypatch, (10, 20, 30, 40))
    (face,) = detect(images.from_pixels(samples.gradient(width=800, height=600), name="a"))
    assert face.box == (20.0, 40.0, 60.0, 80.0)
    assert face.points.tolist() == [[2.0, 4.0]] * 5


@pytest.mark.parametrize(
    ("size", "min_face", "seen"),
    [
        ((700, 500), None, (700, 500, 20)),  # As it is.
        ((4000, 2500), None, (894, 559, 20)),  # Half a megapixel.
        ((4000, 2500), 40, (1833, 1145, 18.33)),  # As large as the network ever sees.
        ((4000, 2500), 100, (894, 559, 22.36)),
        ((700, 500), 140, (700, 500, 140)),
        ((700, 500), 8, (700, 500, 12)),  # The first network's window.
    ],
)
def test_the_network_sees_no_more_pixels_than_the_smallest_face_needs(
    monkeypatch, size, min_face, seen
):
    found = []
    detect = detecting(monkeypatch, seen=found, min_face=min_face)
    detect(images.from_pixels(np.zeros((size[1], size[0], 3), np.uint8), name="a"))
    assert found == [pytest.approx(seen, abs=0.01)]


def test_faces_below_the_size_or_the_confidence_wanted_are_left_out(monkeypatch):
    image = images.from_pixels(samples.gradient(width=60, height=40), name="a")
    boxes = [(0, 0, 10, 19), (0, 0, 10, 20)]
    assert [face.box[3] for face in detecting(monkeypatch, *boxes, min_face=20)(image)] == [20]
    assert not detecting(monkeypatch, *boxes, confidence=0.7)(image)
    assert len(detecting(monkeypatch, *boxes, confidence=0.7, min_confidence=0.6)(image)) == 2


def test_a_detector_that_is_not_known_or_not_there_is_refused(tmp_path):
    with pytest.raises(
        errors.UserError, match="must be mtcnn, none or a file .*: got mtcn; .*mtcnn"
    ):
        face_detector.check_installed("mtcn")
    for ending in ("csv", "onnx", "tflite"):
        with pytest.raises(
            errors.UserError, match=f"cannot read --detector={tmp_path}/a.{ending}: No"
        ):
            face_detector.check_installed(f"{tmp_path}/a.{ending}")
