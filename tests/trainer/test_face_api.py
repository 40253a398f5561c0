"""Face classifier in three lines: the command's numbers for whatever is given, and for exports."""

import json
import pathlib

import numpy as np
import PIL.Image
import pytest

from affectnet_tfds import image_codec
from affectnet_tfds.reader import image_decoder
from runtime import errors
from tests import programs
from tests.trainer.inference import samples
from trainer import api, face_table
from trainer.exporting import exported_model, exporter, formats
from trainer.inference import images as images_lib

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def classifier(photo_run):
    return api.FaceClassifier.load(photo_run.model_dir, detector="none", num_gpus=0, batch_size=2)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Three images, a file that is none, and a video of three seconds."""
    folder = tmp_path_factory.mktemp("photos")
    for number, width in enumerate((50, 60, 70)):
        samples.save(folder / f"{number}.png", samples.noise(width=width, height=40))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no image")
    samples.write_video(folder / "clip.avi", levels=[0, 90, 180], frames_per_s=1)
    return folder


def test_numbers_are_those_of_the_command(photo_run, classifier, photos):
    done = programs.run(
        "trainer.predict", photos, f"--model_dir={photo_run.model_dir}", "--detector=none", "--json"
    )
    printed = json.loads(done.stdout)
    table = classifier.predict(photos)
    assert len(table) == len(printed) == 6
    for row, wanted in zip(table, printed, strict=True):
        assert (row.file, row.time_s, row.face, row.expression) == tuple(
            wanted[name] for name in ("file", "time_s", "face", "expression")
        )
        assert [round(value) for value in row.box] == wanted["box"]
        for found, value in [
            *((row.probabilities[name], p) for name, p in wanted["probabilities"].items()),
            (row.valence, wanted["valence"]),
            (row.arousal, wanted["arousal"]),
        ]:
            assert found == pytest.approx(value, abs=2e-6)
    assert len(table.failures) == 1 and "broken.jpg" in table.failures[0]
    assert table.failures[0] in done.stderr


def test_paths_arrays_batches_and_lists_of_them_may_be_given(classifier, photos):
    pixels = np.asarray(PIL.Image.open(photos / "1.png"))
    of_path = classifier.predict(str(photos / "1.png"))
    assert [row.file for row in of_path] == [str(photos / "1.png")]
    table = classifier.predict([photos / "1.png", pixels, np.stack([pixels, 255 - pixels])])
    assert [row.file for row in table] == [
        str(photos / "1.png"), "image 1", "image 2[0]", "image 2[1]",
    ]  # fmt: skip
    np.testing.assert_allclose(table.probabilities[:3], of_path.probabilities[[0, 0, 0]], atol=1e-6)
    assert np.abs(table.probabilities[3] - table.probabilities[0]).max() > 1e-4
    assert classifier.predict(pixels)[0].box == (0, 0, 60, 40)
    frames = classifier.predict(photos / "clip.avi", every_s=2)
    assert [row.time_s for row in frames] == [0, 2]


def test_the_faces_of_several_images_are_classified_at_once(classifier, monkeypatch):
    calls = []
    outputs = classifier._classifier._outputs
    monkeypatch.setattr(
        classifier._classifier, "_outputs", lambda crops: calls.append(len(crops)) or outputs(crops)
    )
    assert len(classifier.predict([np.zeros((9, 9, 3), np.uint8)] * 5)) == 5
    assert calls == [2, 2, 1]


def test_a_person_in_a_video_is_followed_and_smoothed_as_long_as_is_asked(classifier, photos):
    smooth, plain = (
        classifier.predict(photos / "clip.avi", smooth_s=seconds) for seconds in (1, 0)
    )
    assert [row.person for row in smooth] == [1, 1, 1]
    steps = [np.abs(np.diff(table.probabilities, axis=0)).sum() for table in (smooth, plain)]
    assert 0 < steps[0] < steps[1]


def test_an_image_without_a_face_has_a_row_of_nothing(classifier, monkeypatch):
    monkeypatch.setattr(classifier._classifier, "_detect", lambda image: [])
    table = classifier.predict(np.zeros((9, 9, 3), np.uint8))
    assert table.rows == (face_table.FacePrediction(file="image 0", time_s=None, face=0),)
    assert np.isnan(table.probabilities).all() and table.probabilities.shape == (1, 8)
    assert table.to_pandas()["expression"].isna().all()


def test_the_table_has_the_columns_of_the_command(classifier, photos):
    frame = classifier.predict(photos / "0.png").to_pandas()
    assert list(frame.columns) == [
        "file", "time_s", "face", "person", "x", "y", "width", "height", "confidence", "expression",
        "neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt",
        "valence", "arousal",
    ]  # fmt: skip
    (row,) = frame.to_dict("records")
    assert (row["x"], row["y"], row["width"], row["height"]) == (0, 0, 50, 40)
    assert sum(row[name] for name in classifier.class_names) == pytest.approx(1, abs=1e-5)
    assert row["expression"] == max(classifier.class_names, key=lambda name: row[name])


@pytest.mark.parametrize(
    "given",
    [np.zeros((9, 9), np.uint8), np.zeros((3, 9, 9), np.uint8), np.zeros((9, 9, 3)), 7],
)
def test_what_is_no_image_is_refused(given, classifier):
    with pytest.raises(errors.UserError, match=r"must be a path or uint8\[H, W, 3\] RGB, and a"):
        classifier.predict([given])


def test_where_no_file_can_be_read_the_first_reason_is_raised(classifier, photos, tmp_path):
    with pytest.raises(errors.UserError, match=r"broken.jpg: "):
        classifier.predict(photos / "broken.jpg")
    with pytest.raises(errors.UserError, match=r"no_such.jpg: No such file"):
        classifier.predict([tmp_path / "no_such.jpg"])


def test_an_ensemble_is_loaded_by_its_folders(ensemble_of_two):
    pixels = samples.noise(width=50, height=40)
    both, *alone = (
        api.FaceClassifier.load(folders, detector="none", num_gpus=0).predict(pixels).probabilities
        for folders in (
            ensemble_of_two.model_dir,
            *(run.model_dir for run in ensemble_of_two.members),
        )
    )
    np.testing.assert_allclose(both, np.mean(alone, axis=0), atol=1e-6)


@pytest.fixture(scope="module", params=["keras", "savedmodel", "onnx", "tflite"])
def export(request, photo_run, tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("exports") / request.param
    exporter.export(
        exporter.ExportRequest(
            run=photo_run, format=request.param, quantize="none", folder=folder, data_path=None
        )
    )
    return folder


def test_an_export_gives_what_its_file_gives_for_the_stored_crop(export, classifier):
    pixels = samples.noise(width=50, height=40)
    exported = api.FaceClassifier.load(export, detector="none", num_gpus=0)
    assert exported.class_names == classifier.class_names
    (face,) = exported._classifier.classify([images_lib.from_pixels(pixels, name="a")])
    stored = memoryview(image_codec.encode(face.crop))
    crop = image_decoder.to_size(image_decoder.Stored(size_px=32), size_px=32)(stored)[None]
    (path,) = (each for each in export.iterdir() if each.stem in ("model", "saved_model"))
    wanted = formats.OPEN[export.name](path)(crop)
    (row,) = exported.predict(pixels)
    np.testing.assert_allclose(list(row.probabilities.values()), wanted["probabilities"][0], 1e-3)
    assert row.valence == pytest.approx(float(wanted["valence"][0, 0]), abs=1e-3)
    np.testing.assert_allclose(
        list(row.probabilities.values()), classifier.predict(pixels).probabilities[0], atol=0.05
    )
    by_file = api.FaceClassifier.load(path, detector="none", num_gpus=0)
    assert by_file.predict(pixels)[0] == row


def manifest(folder: pathlib.Path, **changes) -> pathlib.Path:
    crop = {"image_size": 32, "margin_frac": 0.15, "align": False}
    content = {
        "format": "onnx",
        "quantize": "none",
        "class_names": ["neutral", "happy"],
        "image_size": 16,
        "data": {"name": "affectnet_faces/sample/1.0.0", "fingerprint": "f", "crop": crop},
        **changes,
    }
    folder.mkdir(exist_ok=True)
    (folder / "export.json").write_text(json.dumps(content))
    return folder


def test_a_file_of_integers_is_given_the_networks_size_and_others_the_stored_one(tmp_path):
    whole = exported_model.find(manifest(tmp_path / "a"))
    assert whole.size_px == 32 and whole.data.encoding == "jpeg" and whole.data.is_drawn
    assert exported_model.find(manifest(tmp_path / "b", quantize="int8")).size_px == 16


def test_a_damaged_export_and_one_without_crop_settings_are_refused(tmp_path):
    with pytest.raises(errors.UserError, match=r"cannot read .*export.json \(format must be one"):
        exported_model.find(manifest(tmp_path / "a", format="pt"))
    with pytest.raises(errors.UserError, match="python -m trainer.export writes it anew"):
        exported_model.find(manifest(tmp_path / "b", data=None))
    data = {"name": "affectnet_faces/a/1.0.0", "fingerprint": "f", "crop": None}
    with pytest.raises(errors.UserError, match="says how its faces were cut"):
        api.FaceClassifier.load(manifest(tmp_path / "c", data=data), detector="none")
    (manifest(tmp_path / "d") / "model.onnx").write_bytes(b"none")
    with pytest.raises(errors.UserError, match=r"cannot read the model .*d/model.onnx: "):
        api.FaceClassifier.load(tmp_path / "d", detector="none", num_gpus=0)


def test_a_folder_without_a_model_and_no_batch_are_refused(tmp_path, photo_run):
    with pytest.raises(errors.UserError, match="holds no trained model"):
        api.FaceClassifier.load(tmp_path, detector="none")
    with pytest.raises(errors.UserError, match="batch_size must be at least 1: got 0"):
        api.FaceClassifier.load(photo_run.model_dir, detector="none", batch_size=0)
