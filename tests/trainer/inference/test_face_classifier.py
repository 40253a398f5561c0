"""Face classifier: crops reach the network as stored examples do, and faces keep their image."""

import dataclasses
import importlib.util
import io
import pathlib
import re
import shutil

import cv2
import numpy as np
import PIL.Image
import pytest

from affectnet_tfds import image_codec
from affectnet_tfds.peers import crops
from runtime import errors
from tests.trainer.inference import samples
from trainer.inference import face_classifier, face_detector, images, trained_model

ROOT = pathlib.Path(__file__).parents[3]
pytestmark = pytest.mark.slow


def whole_image(image: images.InputImage) -> list[face_detector.DetectedFace]:
    return [face_detector.DetectedFace(box=None)]


def detecting(*boxes):
    """Return a detector that finds these boxes in every image."""
    return lambda image: [face_detector.DetectedFace(box=box) for box in boxes]


@pytest.fixture(scope="module")
def make_classifier(photo_run):
    return lambda detect: face_classifier.FaceClassifier(photo_run, detect=detect)


def image_of(width: int, height: int, *, name: str = "a") -> images.InputImage:
    return images.from_pixels(samples.noise(width=width, height=height), name=name)


def test_the_network_is_given_what_the_pipeline_would_have_stored(
    photo_run, make_classifier, tmp_path
):
    path = samples.save(tmp_path / "a.jpg", samples.gradient(width=300, height=200), quality=90)
    wanted = samples.pipeline_crop(path.read_bytes(), box=samples.BOX)
    (face,) = make_classifier(detecting(samples.BOX)).classify(images.read(path, every_s=1))
    np.testing.assert_array_equal(face.crop, wanted)
    given = face_classifier.network_input(photo_run)(face.crop)
    assert given.shape == (16, 16, 3)
    stored = PIL.Image.open(io.BytesIO(image_codec.encode(wanted)))
    averaged = np.asarray(stored.resize((16, 16), PIL.Image.Resampling.BOX), np.float64)
    assert np.abs(given - averaged).mean() < 3


def like(peer: str, run):
    """Return a run whose data are cropped as a peer does."""
    crop = {**crops.SETTINGS[peer], "like": peer}
    return dataclasses.replace(run, data=dataclasses.replace(run.data, crop=crop))


def test_faces_of_a_build_like_a_peers_are_cropped_as_that_peer_does(photo_run, tmp_path):
    classifier = face_classifier.FaceClassifier(
        like("hsemotion", photo_run), detect=detecting((40.0, 20.0, 90.0, 120.0))
    )
    path = samples.save(tmp_path / "a.jpg", samples.gradient(width=300, height=200), quality=90)
    (face,) = classifier.classify(images.read(path, every_s=1))
    pixels = np.asarray(PIL.Image.open(path))[20:140, 40:130]
    np.testing.assert_array_equal(face.crop, cv2.resize(pixels, (224, 224)))


def test_a_box_without_landmarks_is_refused_where_the_crop_would_be_the_whole_image(photo_run):
    run = like("ddamfn", photo_run)
    boxes = face_classifier.FaceClassifier(run, detect=detecting((40.0, 20.0, 90.0, 120.0)))
    with pytest.raises(errors.UserError, match="is placed by landmarks.*use --detector=mtcnn"):
        boxes.classify([image_of(300, 200)])
    whole = face_classifier.FaceClassifier(run, detect=whole_image)
    assert len(whole.classify([image_of(300, 200)])) == 1


@pytest.mark.parametrize("encoding", ["png", "raw"])
def test_a_build_that_stores_every_pixel_gives_the_network_every_pixel(encoding, photo_run):
    data = dataclasses.replace(photo_run.data, encoding=encoding)
    exact = face_classifier.network_input(dataclasses.replace(photo_run, data=data))
    spotted = np.zeros((32, 32, 3), np.uint8)
    spotted[::2, ::2, 0] = 200  # JPEG cannot keep it; a quarter of the pixels of each 2 x 2 block.
    assert (exact(spotted) == (50, 0, 0)).all()
    assert not (face_classifier.network_input(photo_run)(spotted) == (50, 0, 0)).all()


def test_probabilities_are_the_softmax_of_the_networks_logits_for_that_input(
    photo_run, make_classifier
):
    classifier = make_classifier(whole_image)
    (face,) = classifier.classify([image_of(50, 40)])
    inputs = face_classifier.network_input(photo_run)(face.crop)[None].astype(np.float32)
    network, _ = trained_model.network(photo_run)
    outputs = network(inputs, training=False)
    powers = np.exp(outputs["logits"].numpy()[0])
    np.testing.assert_allclose(face.probabilities, powers / powers.sum(), atol=1e-6)
    valence, arousal = face.affect
    assert valence == pytest.approx(float(outputs["valence"][0, 0]), abs=1e-7)
    assert arousal == pytest.approx(float(outputs["arousal"][0, 0]), abs=1e-7)
    assert -1 <= valence <= 1 and valence != arousal


def test_an_ensemble_gives_the_mean_of_what_its_runs_give_alone(ensemble_of_two):
    models = (ensemble_of_two, *ensemble_of_two.members)
    both, first, second = (
        face_classifier.FaceClassifier(model, detect=whole_image).classify([image_of(50, 40)])[0]
        for model in models
    )
    mean = (first.probabilities + second.probabilities) / 2
    np.testing.assert_allclose(both.probabilities, mean, atol=1e-6)
    assert np.abs(first.probabilities - mean).max() > 0.01
    affect = np.mean([first.affect, second.affect], axis=0)
    np.testing.assert_allclose(both.affect, affect, atol=1e-6)


def test_the_faces_of_several_images_come_in_order_with_their_image(make_classifier):
    def detect(image):
        boxes = {"a": [(0.0, 0.0, 30.0, 30.0), (5.0, 5.0, 20.0, 20.0)], "b": [], "c": [None]}
        return [face_detector.DetectedFace(box=box) for box in boxes[image.name]]

    classifier = make_classifier(detect)
    given = [image_of(60, 50, name="a"), image_of(40, 40, name="b"), image_of(30, 50, name="c")]
    faces = classifier.classify(given)
    assert [(face.image.name, face.detected.box) for face in faces] == [
        ("a", (0.0, 0.0, 30.0, 30.0)),
        ("a", (5.0, 5.0, 20.0, 20.0)),
        ("c", None),
    ]
    alone = [face for image in given for face in classifier.classify([image])]
    for together, single in zip(faces, alone, strict=True):
        np.testing.assert_array_equal(together.crop, single.crop)
        np.testing.assert_allclose(together.probabilities, single.probabilities, atol=1e-6)


def test_a_detection_without_a_pixel_in_the_image_is_no_face(make_classifier):
    classifier = make_classifier(detecting((90.0, 0.0, 20.0, 20.0)))
    assert classifier.classify([image_of(50, 40)]) == []


def test_detector_and_network_are_timed_apart(make_classifier, monkeypatch):
    clock = [100.0]

    def detect(image):
        clock[0] += 0.5
        return [face_detector.DetectedFace(box=None)] * 2

    classifier = make_classifier(detect)
    outputs = classifier._outputs

    def timed_outputs(inputs):
        clock[0] += 0.0625
        return outputs(inputs)

    monkeypatch.setattr(classifier, "_outputs", timed_outputs)
    monkeypatch.setattr(face_classifier.time, "perf_counter", lambda: clock[0])
    timings = face_classifier.Timings()
    assert len(classifier.classify([image_of(50, 40)], timings=timings)) == 2
    assert timings == face_classifier.Timings(detector_ms=500.0, network_ms=62.5)


@pytest.mark.skipif(
    importlib.util.find_spec("mtcnn") is None, reason="mtcnn is not installed (extra: predict)"
)
def test_the_example_in_the_docs_prints_the_face_of_a_photograph(
    photo_run, drawn, tmp_path, monkeypatch, capsys
):
    section = (ROOT / "docs/reports.md").read_text().partition("## Inference on new photographs")[2]
    code = re.search(r"```python\n(.*?)```", section, flags=re.DOTALL)[1]
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/first").symlink_to(photo_run.model_dir)
    shutil.copy(drawn[0], tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    (line,) = capsys.readouterr().out.splitlines()
    assert re.match(r"\([\d., ]+\) \{'neutral': .*'contempt': ", line)


def test_warming_up_runs_detector_and_network_once(photo_run, monkeypatch):
    calls = []
    classifier = face_classifier.FaceClassifier(
        photo_run, detect=lambda image: calls.append(image.size) or []
    )
    outputs = classifier._outputs
    monkeypatch.setattr(
        classifier, "_outputs", lambda crops: calls.append(np.shape(crops)) or outputs(crops)
    )
    classifier.warm_up()
    side = photo_run.data.stored_size
    assert calls == [(320, 240), (1, side, side, 3)]
