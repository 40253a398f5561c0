"""Annotated images: boxes, labels and file names."""

import numpy as np
import PIL.Image
import pytest

from tests.trainer.inference import samples
from trainer.inference import draw_boxes, face_classifier, face_detector, images

NAMES = ("neutral", "happy", "sad")


def face_of(*probs, box=(10.0, 20.0, 30.0, 40.0)) -> face_classifier.ClassifiedFace:
    return face_classifier.ClassifiedFace(
        image=images.from_pixels(samples.gradient(width=200, height=150), name="a/b.jpg"),
        detected=face_detector.DetectedFace(box=box),
        crop=np.zeros((8, 8, 3), np.uint8),
        probabilities=np.array(probs, np.float32),
    )


def test_several_faces_are_numbered():
    faces = [face_of(0.1, 0.85, 0.05), face_of(0.5, 0.2, 0.3)]
    assert draw_boxes.labels(faces, names=NAMES) == ["1 happy 85%", "2 neutral 50%"]
    assert draw_boxes.labels(faces[:1], names=NAMES) == ["happy 85%"]
    assert draw_boxes.labels([], names=NAMES) == []


def test_the_image_keeps_its_size_and_a_box_is_drawn_in_it(tmp_path):
    face = face_of(0.1, 0.85, 0.05)
    for _ in range(2):
        draw_boxes.write(face.image, [face], names=NAMES, folder=str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.jpg.png", "b.jpg_2.png"]
    drawn = np.asarray(PIL.Image.open(tmp_path / "b.jpg.png").convert("RGB"))
    assert drawn.shape == (150, 200, 3)
    assert drawn[20 + 40 - 1, 10 + 15].tolist() == [0, 0x72, 0xB2]
    assert (drawn[100:, 100:] == face.image.pixels[100:, 100:]).all()


@pytest.mark.parametrize("name", ["b" * 250 + ".jpg", "\u00e9" * 125 + ".jpg", "\udcff" * 250])
def test_a_name_as_long_as_a_disk_allows_is_shortened(tmp_path, name):
    frame = images.from_pixels(np.zeros((48, 64, 3), np.uint8), name=name, time_s=1234.567)
    paths = {draw_boxes.write(frame, [], names=NAMES, folder=str(tmp_path)) for _ in range(3)}
    assert len(paths) == 3 and all(path.is_file() for path in paths)


def test_a_frame_of_a_video_is_named_by_its_time(tmp_path):
    frame = images.from_pixels(np.zeros((48, 64, 3), np.uint8), name="a.avi", time_s=1.5)
    path = draw_boxes.write(frame, [], names=NAMES, folder=str(tmp_path))
    assert path.name == "a.avi_1.5s.png"
