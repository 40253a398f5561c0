"""Batches: faces of several images go to the network together, and come back in order."""

import pathlib
import types

import numpy as np
import pytest

from tests.trainer.inference import samples
from trainer.inference import batches as batches_lib
from trainer.inference import face_classifier, face_detector


class Classifier:
    """Finds as many faces as the digit in a file's name says; notes the sizes of its batches."""

    def __init__(self):
        self.batches = []

    def find(self, image):
        return [f"{pathlib.Path(image.name).stem}{n}" for n in range(int(image.name[-5]))]

    def classify_found(self, found):
        self.batches.append(len(found))
        if len(found) == 13:
            raise ValueError("thirteen")
        return [face for _, face in found]


def run(folder, *counts, batch_size, side=8):
    paths = []
    for number, count in enumerate(counts):
        pixels = np.zeros((side, side, 3), np.uint8)
        paths.append(samples.save(folder / f"{number}_{count}.png", pixels))
    classifier = Classifier()
    batches = batches_lib.Batches(classifier, batch_size=batch_size, every_s=1)
    found = [(pathlib.Path(image.name).stem, faces) for image, faces in batches.run(paths)]
    return types.SimpleNamespace(found=found, batches=classifier.batches, failures=batches.failures)


def test_a_batch_is_full_of_faces_and_no_image_is_parted(tmp_path):
    done = run(tmp_path, 2, 0, 1, 3, 1, batch_size=3)
    assert done.batches == [3, 3, 1] and not done.failures
    assert done.found == [
        ("0_2", ["0_20", "0_21"]),
        ("1_0", []),
        ("2_1", ["2_10"]),
        ("3_3", ["3_30", "3_31", "3_32"]),
        ("4_1", ["4_10"]),
    ]


def test_images_of_many_pixels_do_not_wait_for_others(tmp_path, monkeypatch):
    monkeypatch.setattr(batches_lib, "_WAITING_PIXELS", 2 * 8 * 8)
    assert run(tmp_path, 1, 1, 1, 1, 1, batch_size=9).batches == [2, 2, 1]


def test_what_the_network_raises_is_told_of_every_file_of_its_batch(tmp_path):
    done = run(tmp_path, 9, 4, 1, batch_size=13)
    assert [name for name, _ in done.found] == ["2_1"]
    assert [failure.partition(": ")[0] for failure in done.failures] == [
        f"{tmp_path}/0_9.png",
        f"{tmp_path}/1_4.png",
    ]
    assert all(failure.endswith(": thirteen") for failure in done.failures)


@pytest.mark.slow
def test_the_faces_of_a_batch_are_shared_among_devices(photo_run, tmp_path):
    paths = [
        samples.save(tmp_path / f"{n}.png", samples.noise(width=40 + n, height=50))
        for n in range(5)
    ]

    def probabilities(*devices):
        classifier = face_classifier.FaceClassifier(
            photo_run, detect=face_detector.detector("none"), devices=devices
        )
        placed = [
            {each.device[-5:] for each in run.get_concrete_function().captured_inputs}
            for networks in classifier._networks
            for _, run in networks._members
        ]
        batches = batches_lib.Batches(classifier, batch_size=5, every_s=1)
        return placed, [faces[0].probabilities for _, faces in batches.run(paths)]

    _, alone = probabilities("/cpu:0")
    placed, shared = probabilities("/cpu:0", "/cpu:1")
    assert placed == [{"CPU:0"}, {"CPU:1"}]
    np.testing.assert_allclose(shared, alone, atol=1e-6)
