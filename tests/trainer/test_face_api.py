"""Face classifier in three lines: the command's numbers for whatever is given, and for exports."""

import json
import pathlib
import shutil

import numpy as np
import PIL.Image
import pytest

from affectnet_tfds import image_codec
from affectnet_tfds.peers import crops
from affectnet_tfds.reader import image_decoder
from runtime import errors
from tests import programs
from tests.trainer.inference import samples
from trainer import api, app, predict
from trainer.exporting import exported_model, exporter, formats
from trainer.faces import face_table
from trainer.inference import images as images_lib
from trainer.run import data_provenance

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
    [
        np.zeros((9, 9), np.uint8),
        np.zeros((3, 9, 9), np.uint8),
        np.zeros((9, 9, 3)),
        7,
        None,
        b"photo.jpg",
        PIL.Image.new("L", (9, 9)),
        [[1], [2, 3]],
    ],
)
def test_what_is_no_image_is_refused(given, classifier):
    with pytest.raises(errors.UserError, match=r"must be a path or uint8\[H, W, 3\] RGB, and a"):
        classifier.predict([given])
    if not isinstance(given, list):
        with pytest.raises(
            errors.UserError, match=r"must be a path or uint8\[H, W, 3\] RGB, and a"
        ):
            classifier.predict(given)


def test_a_pil_image_is_an_image_and_an_empty_path_no_folder(classifier, photos):
    with PIL.Image.open(photos / "1.png") as image:
        alone, listed = classifier.predict(image), classifier.predict([image])
    assert alone[0].box == listed[0].box == (0, 0, 60, 40)
    for given in ("", [str(photos / "1.png"), ""]):
        with pytest.raises(errors.UserError, match="must not be empty; . is the folder that you"):
            classifier.predict(given)
    with pytest.raises(errors.UserError, match=r"image.convert\('RGB'\) makes one that is"):
        classifier.predict(PIL.Image.new("L", (9, 9)))
    with pytest.raises(errors.UserError, match="its name has a zero character"):
        classifier.predict("a\0.jpg")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("every_s", 0, "every_s must be at least 0.001: got 0"),
        ("every_s", -1, "every_s must be at least 0.001: got -1"),
        ("every_s", float("nan"), "every_s must be a finite number: got nan"),
        ("every_s", np.float32("inf"), "every_s must be a finite number: got inf"),
        ("every_s", "a", "every_s must be a number: got 'a'"),
        ("every_s", None, "every_s must be a number: got None"),
        ("smooth_s", -1, "smooth_s must be at least 0: got -1"),
        ("smooth_s", float("inf"), "smooth_s must be a finite number: got inf"),
    ],
)
def test_the_rules_of_the_commands_flags_hold_for_settings(classifier, photos, name, value, said):
    with pytest.raises(errors.UserError) as no:
        classifier.predict(photos / "clip.avi", **{name: value})
    assert str(no.value).startswith(said)
    if isinstance(value, float):
        with pytest.raises(errors.UserError, match=f"--{name} must be a finite number"):
            predict.Predict(**{name: value})
    if name == "every_s":
        with pytest.raises(errors.UserError, match="every_s must be"):
            next(api.read_images(str(photos / "clip.avi"), every_s=value))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"model": None}, "model must be the folder of a run or an export .*: got None"),
        ({"model": 3}, "model must be the folder .*: got 3"),
        ({"model": ["a", "b"]}, r"several runs: 'runs/a,runs/b'\): got \['a', 'b'\]"),
        ({"model": ""}, "model must be the folder .*: got ''"),
        ({"detector": None}, "detector must be mtcnn, none or a file .*: got None"),
        ({"detector": 3}, "detector must be mtcnn, none or a file .*: got 3"),
        ({"batch_size": "a"}, "^batch_size must be a whole number: got 'a'"),
        ({"batch_size": None}, "^batch_size must be a whole number: got None"),
        ({"batch_size": 1.5}, "^batch_size must be a whole number: got 1.5"),
        ({"num_gpus": "a"}, "^num_gpus must be a whole number: got 'a'"),
        ({"num_gpus": -1}, "^num_gpus must be at least 0: got -1"),
    ],
)
def test_what_is_no_model_or_setting_is_refused_in_a_sentence(photo_run, settings, said):
    settings = {"model": photo_run.model_dir, "detector": "none", **settings}
    with pytest.raises(errors.UserError, match=said):
        api.FaceClassifier.load(settings.pop("model"), **settings)


@pytest.fixture(params=["dan", "ddamfn"])
def like_a_peer(request, photo_run, tmp_path):
    """The folder of a run whose crops are a peer's, of which the box says nothing."""
    folder = shutil.copytree(photo_run.model_dir, tmp_path / "run")
    path = folder / data_provenance.FILE
    crop = {**crops.SETTINGS[request.param], "like": request.param}
    path.write_text(json.dumps({**json.loads(path.read_text()), "crop": crop}))
    return folder


@pytest.mark.parametrize("program", [predict, app])
def test_boxes_are_refused_where_every_crop_would_be_the_whole_image(
    program, like_a_peer, photos, tmp_path, monkeypatch
):
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("file,x,y,width,height\n")
    said = "--detector=(none|mtcnn)"
    given = {"model_dir": str(like_a_peer), "detector": str(boxes)}
    monkeypatch.setattr(program.flags, "given", lambda sections: given)
    with pytest.raises(errors.UserError, match=said):
        predict.main([str(photos)]) if program is predict else app.main()
    with pytest.raises(errors.UserError, match=said):
        api.FaceClassifier.load(like_a_peer, detector=boxes)
    with pytest.raises(errors.UserError, match=said):
        api.classifier(api.open_run(str(like_a_peer)), detector=str(boxes))
    alone = api.FaceClassifier.load(like_a_peer, detector="none", num_gpus=0)
    assert len(alone.predict(photos / "0.png")) == 1


def test_an_image_that_a_csv_of_boxes_lacks_is_a_failure_and_a_detector_may_be_a_path(
    photo_run, photos, tmp_path
):
    boxes = tmp_path / "boxes.csv"
    boxes.write_text(f"file,x,y,width,height\n{photos}/1.png,5,5,20,20\nno.png,5,5,20,20\n")
    words = photos / "0.png", photos / "1.png", f"--model_dir={photo_run.model_dir}"
    done = programs.run("trainer.predict", *words, f"--detector={boxes}")
    assert done.returncode == errors.FAILED and "1.png  face 1 at 5,5 20 x 20" in done.stdout
    assert f"warning: {boxes} has a row that no image has used, the first of them row 3" in (
        done.stderr
    )
    loaded = api.FaceClassifier.load(photo_run.model_dir, detector=boxes, num_gpus=0)
    table = loaded.predict([photos / "0.png", photos / "1.png"])
    assert [row.box for row in table] == [(5, 5, 20, 20)]
    (failure,) = table.failures
    assert failure.startswith(f"{photos}/0.png: {boxes} has no row for it")
    assert f"error: {failure}" in done.stderr
    loaded._classifier.warm_up()


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
