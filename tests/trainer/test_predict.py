"""Prediction program: its rows, its output formats, its refusals, and the program as a whole."""

import csv
import importlib.util
import io
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

from runtime import errors
from tests.trainer.inference import samples
from trainer import predict
from trainer.inference import batches as batches_lib
from trainer.inference import face_classifier, face_detector, images, prediction_rows
from trainer.run import ensemble

NAMES = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt"]
HAS_MTCNN = importlib.util.find_spec("mtcnn") is not None


@pytest.fixture(scope="module")
def classifier(photo_run) -> face_classifier.FaceClassifier:
    return face_classifier.FaceClassifier(photo_run, detect=face_detector.detector("none"))


def predicted(paths, *, classifier, **flags) -> tuple[list[dict], list[str]]:
    config = predict.Predict(**flags)
    batches = batches_lib.Batches(classifier, batch_size=config.batch_size, every_s=config.every_s)
    rows = predict.predict(
        [str(path) for path in paths],
        batches=batches,
        names=classifier.class_names,
        config=config,
    )
    return list(rows), batches.failures


def printed(rows, **flags) -> None:
    config = predict.Predict(**flags)
    prediction_rows.write(iter(rows), layout=config.layout, top_k=config.top_k)


@pytest.mark.slow
def test_detector_none_takes_the_whole_image_and_others_go_on_after_an_unreadable_one(
    classifier, tmp_path
):
    samples.save(tmp_path / "a.png", samples.gradient(width=50, height=40))
    (tmp_path / "b.jpg").write_bytes(b"no image")
    early_end = samples.save(tmp_path / "c.jpg", samples.noise(width=400, height=300))
    early_end.write_bytes(early_end.read_bytes()[:3000])
    samples.save(tmp_path / "d.png", samples.gradient(width=30, height=60))
    rows, failures = predicted([tmp_path], classifier=classifier)
    assert [(row["file"], row["face"], row["box"]) for row in rows] == [
        (str(tmp_path / "a.png"), 1, [0, 0, 50, 40]),
        (str(tmp_path / "d.png"), 1, [0, 0, 30, 60]),
    ]
    assert failures == [
        f"{tmp_path / 'b.jpg'}: no known picture format: begins with 'no image'",
        f"{tmp_path / 'c.jpg'}: the JPEG data end early or are damaged",
    ]
    assert list(rows[0]["probabilities"]) == NAMES
    assert sum(rows[0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert rows[0]["expression"] == max(rows[0]["probabilities"], key=rows[0]["probabilities"].get)


def test_whatever_a_file_raises_the_others_go_on(tmp_path):
    class Classifier:
        class_names = NAMES

        def find(self, image):
            raised = {"b.png": TypeError("of\nours"), "c.png": MemoryError()}
            if error := raised.get(pathlib.Path(image.name).name):
                raise error
            return []

        def classify_found(self, found):
            return []

    for name in "abcd":
        samples.save(tmp_path / f"{name}.png", samples.gradient(width=30, height=20))
    rows, failures = predicted([tmp_path], classifier=Classifier())
    assert [pathlib.Path(row["file"]).name for row in rows] == ["a.png", "d.png"]
    ours, memory = failures
    assert ours.startswith(f"{tmp_path / 'b.png'}: defect of this program, please report it: ")
    assert ours.endswith(": of ours") and "TypeError in test_predict.py, line " in ours
    assert memory == f"{tmp_path / 'c.png'}: not enough memory for it"


@pytest.mark.slow
def test_the_rows_of_a_video_have_a_time_and_every_s_decides_how_many_there_are(
    classifier, tmp_path
):
    path = samples.write_video(tmp_path / "a.avi", levels=[0, 50, 100, 150, 200], frames_per_s=10)
    rows, failures = predicted([path], classifier=classifier, every_s=0.2, draw=str(tmp_path))
    assert [(row["time_s"], row["box"]) for row in rows] == [
        (0.0, [0, 0, 64, 48]),
        (0.2, [0, 0, 64, 48]),
        (0.4, [0, 0, 64, 48]),
    ]
    assert sorted(file.name for file in tmp_path.glob("*.png")) == [
        "a.avi_0.2s.png",
        "a.avi_0.4s.png",
        "a.avi_0s.png",
    ]
    assert len(predicted([path], classifier=classifier, every_s=0.3)[0]) == 2 and not failures


@pytest.mark.slow
def test_draw_writes_an_image_of_the_same_size_with_the_box_in_it(photo_run, drawn, tmp_path):
    path, annotation = drawn
    box = tuple(map(float, annotation.box_xywh))
    classifier = face_classifier.FaceClassifier(
        photo_run, detect=lambda image: [face_detector.DetectedFace(box=box)]
    )
    predicted([path], classifier=classifier, draw=str(tmp_path))
    image = np.asarray(PIL.Image.open(tmp_path / "face.jpg.png").convert("RGB"))
    assert image.shape == (annotation.height, annotation.width, 3)
    x, y, width, height = annotation.box_xywh
    assert image[y + height - 1, x + width // 2].tolist() == [0, 0x72, 0xB2]


ROWS = [
    {
        "file": "a,b.jpg",
        "time_s": None,
        "face": 1,
        "person": None,
        "box": [1, 2, 30, 40],
        "confidence": 0.9,
        "expression": "happy",
        "probabilities": {"neutral": 0.25, "happy": 0.625, "sad": 0.125},
    },
    {
        "file": "c.avi",
        "time_s": 1.5,
        "face": 0,
        "person": None,
        "box": None,
        "confidence": None,
        "expression": None,
        "probabilities": None,
    },
]


def test_the_table_has_a_line_per_face_and_says_where_none_was_found(capsys):
    printed(ROWS)
    assert capsys.readouterr().out.splitlines() == [
        "a,b.jpg  face 1 at 1,2 30 x 40  happy 0.625  neutral 0.250  sad 0.125",
        "c.avi at 1.5 s  no face found",
    ]


def test_json_and_csv_have_every_probability(capsys):
    printed(ROWS, json=True)
    assert json.loads(capsys.readouterr().out) == ROWS
    printed(ROWS, csv=True)
    columns = "file time_s face person x y width height confidence expression neutral happy sad"
    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == [
        columns.split(),
        ["a,b.jpg", "", "1", "", "1", "2", "30", "40", "0.9", "happy", "0.25", "0.625", "0.125"],
        ["c.avi", "1.5", "0", *[""] * 10],
    ]


def test_top_k_gives_the_most_probable_expressions_in_every_layout(capsys):
    printed(ROWS, top_k=2)
    assert capsys.readouterr().out.splitlines()[0].endswith("  happy 0.625  neutral 0.250")
    printed(ROWS, top_k=1, json=True)
    assert [row["probabilities"] for row in json.loads(capsys.readouterr().out)] == [
        {"happy": 0.625},
        None,
    ]
    printed(ROWS, top_k=2, csv=True)
    heads, first, second = csv.reader(io.StringIO(capsys.readouterr().out))
    assert heads[9:] == [
        "expression",
        "expression_1",
        "probability_1",
        "expression_2",
        "probability_2",
    ]
    assert first[9:] == ["happy", "happy", "0.625", "neutral", "0.25"]
    assert second[9:] == [""] * 5
    printed(ROWS, top_k=9, csv=True)
    assert len(capsys.readouterr().out.splitlines()[0].split(",")) == 10 + 2 * 3


HOSTILE = "=a\x1b[2J\r\udcff.jpg"
"""A formula, an escape sequence, a carriage return and a byte that is no UTF-8."""


def test_a_hostile_name_moves_no_cursor_and_starts_no_formula(capsys):
    image = images.from_pixels(samples.gradient(width=40, height=30), name=HOSTILE)
    rows = prediction_rows.of_image(image, [], names=NAMES)
    printed(rows)
    assert capsys.readouterr().out == "=a\\x1b[2J\\x0d\\xff.jpg  no face found\n"
    printed(rows, csv=True)
    assert capsys.readouterr().out.splitlines()[1].startswith("'=a\\x1b[2J\\x0d\\xff.jpg,")
    printed(rows, json=True)
    assert json.loads(capsys.readouterr().out)[0]["file"] == "=a\x1b[2J\r\\xff.jpg"


def test_valence_and_arousal_are_printed_where_the_model_has_learned_them(capsys):
    image = images.from_pixels(samples.gradient(width=40, height=30), name="a.jpg")

    def rows_of(affect):
        face = face_classifier.ClassifiedFace(
            image=image,
            detected=face_detector.DetectedFace(box=(1, 2, 3, 4)),
            crop=np.zeros((8, 8, 3), np.uint8),
            probabilities=np.array([0.25, 0.75], np.float32),
            affect=affect,
        )
        return prediction_rows.of_image(image, [face], names=["sad", "happy"])

    with_affect = rows_of((-0.5, 0.25))
    assert (with_affect[0]["valence"], with_affect[0]["arousal"]) == (-0.5, 0.25)
    assert "valence" not in rows_of(None)[0]
    printed(with_affect + ROWS[1:])
    line = "a.jpg  face 1 at 1,2 3 x 4  happy 0.750  sad 0.250  valence -0.50  arousal +0.25"
    assert capsys.readouterr().out.splitlines() == [line, "c.avi at 1.5 s  no face found"]
    printed(with_affect + ROWS[1:], csv=True)
    table = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert [row[-2:] for row in table] == [["valence", "arousal"], ["-0.5", "0.25"], ["", ""]]


def test_bad_flags_are_refused_in_a_sentence(tmp_path, monkeypatch):
    with pytest.raises(errors.UserError, match="one of --json and --csv may be given: got both"):
        predict.Predict(json=True, csv=True)
    with pytest.raises(errors.UserError, match="every_s"):
        predict.Predict(every_s=0.0)
    for flag in ("min_face", "min_confidence"):
        with pytest.raises(errors.UserError, match=f"--{flag} has no effect with --detector=none"):
            predict.Predict(detector="none", **{flag: 1.0 if flag == "min_confidence" else 20})
    monkeypatch.setattr(predict.flags, "given", lambda sections: {"detector": "none"})
    with pytest.raises(errors.UserError, match="needs images, folders or videos: got none"):
        predict.main([])
    monkeypatch.setattr(predict.flags, "given", lambda sections: {"model_dir": str(tmp_path)})
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        errors.UserError, match=r"--detector=mtcnn needs mtcnn: .*pip install '.*\[predict\]'"
    ):
        predict.main(["a.jpg"])


def program(*words) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "trainer.predict", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )


def test_a_folder_without_a_model_is_refused_in_one_sentence(tmp_path):
    done = program("a.jpg", f"--model_dir={tmp_path}", "--detector=none")
    assert done.returncode == errors.EXIT_CODE
    assert (
        done.stderr.startswith(f"error: {tmp_path} holds no trained model")
        and done.stderr.count("\n") == 1
    )


@pytest.mark.slow
@pytest.mark.skipif(not HAS_MTCNN, reason="mtcnn is not installed (extra: predict)")
def test_the_program_finds_a_drawn_face_and_says_where_there_is_none(photo_run, drawn, tmp_path):
    path, annotation = drawn
    plain = samples.save(tmp_path / "plain.png", samples.gradient(width=200, height=150))
    missing = tmp_path / "missing.jpg"
    done = program(
        missing,
        path,
        plain,
        f"--model_dir={photo_run.model_dir}",
        "--csv",
        f"--draw={tmp_path / 'drawn'}",
    )
    assert done.returncode == 1, done.stderr
    assert f"error: {missing}: No such file or directory" in done.stderr
    face, none = csv.DictReader(io.StringIO(done.stdout))
    assert (face["file"], face["face"]) == (str(path), "1") and face["expression"] in NAMES
    assert (none["file"], none["face"], none["expression"]) == (str(plain), "0", "")
    x, y, width, height = annotation.box_xywh
    middle = (
        float(face["x"]) + float(face["width"]) / 2,
        float(face["y"]) + float(face["height"]) / 2,
    )
    assert middle == pytest.approx((x + width / 2, y + height / 2), abs=0.25 * max(width, height))
    assert sorted(p.name for p in (tmp_path / "drawn").iterdir()) == [
        "face.jpg.png",
        "plain.png.png",
    ]


def test_an_empty_name_is_not_the_folder_that_one_is_in(monkeypatch):
    monkeypatch.setattr(predict.flags, "given", lambda sections: {"detector": "none"})
    with pytest.raises(errors.UserError, match="got an empty one"):
        predict.main(["a.jpg", ""])


def test_paths_come_from_standard_input_one_a_line(monkeypatch, tmp_path):
    for name in ("a.png", "b c.png"):
        samples.save(tmp_path / name, samples.gradient(width=30, height=20))
    lines = f"{tmp_path}/b c.png\r\n\n{tmp_path}/missing.png\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    files, total = predict.listed([f"{tmp_path}/a.png", "-"])
    assert [path.name for path in files] == ["a.png", "b c.png", "missing.png"] and total is None
    files, total = predict.listed([str(tmp_path)])
    assert [path.name for path in files] == ["a.png", "b c.png"] and total == 2


def test_progress_and_totals_go_to_standard_error(capsys, monkeypatch):
    monkeypatch.setattr(predict, "_PROGRESS_S", 0.0)
    progress = predict.Progress(2)
    progress.count(3)
    progress.file_read()
    progress.count(0)
    progress.file_read()
    progress.end()
    printed = capsys.readouterr()
    first, second, total = printed.err.splitlines()
    assert not printed.out and first.startswith("file 1 of 2  ") and first.endswith(" left")
    assert second.startswith("file 2 of 2") and second.endswith("  0:00 left")
    assert total.startswith("classified    3 faces of 2 images in ")


@pytest.mark.slow
def test_a_video_has_persons_and_its_curve_a_picture_and_a_csv(classifier, tmp_path, capsys):
    levels = [0, 50, 100, 150, 200]
    path = samples.write_video(tmp_path / "a.avi", levels=levels, frames_per_s=10)
    samples.save(tmp_path / "b.png", samples.gradient(width=50, height=40))
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.avi_expressions.csv").touch()
    rows, failures = predicted(
        [path, tmp_path / "b.png"], classifier=classifier, every_s=0.2, curve=str(tmp_path / "out")
    )
    assert [row["person"] for row in rows] == [1, 1, 1, None] and not failures
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == [
        "a.avi_expressions.csv",
        "a.avi_expressions_2.csv",
        "a.avi_expressions_2.png",
    ]
    table = list(csv.DictReader((tmp_path / "out/a.avi_expressions_2.csv").open()))
    assert [(row["time_s"], row["person"]) for row in table] == [
        ("0.0", "1"),
        ("0.2", "1"),
        ("0.4", "1"),
    ]
    assert [float(row["happy"]) for row in table] == [
        row["probabilities"]["happy"] for row in rows[:3]
    ]
    raw, _ = predicted([path], classifier=classifier, every_s=0.2, smooth_s=0)
    assert raw[0]["probabilities"] == rows[0]["probabilities"]
    assert raw[2]["probabilities"] != rows[2]["probabilities"]
    assert "curve         " in capsys.readouterr().err
    printed(rows)
    assert "  person 1 at 0,0 64 x 48  " in capsys.readouterr().out.splitlines()[0]


def test_each_face_is_pictured_with_what_spoke_for_its_expression(photo_run, classifier, tmp_path):
    samples.save(tmp_path / "a.png", samples.gradient(width=50, height=40))
    (tmp_path / "out").mkdir()
    explanations = predict.Explanations(photo_run, folder=str(tmp_path / "out"))
    image = next(iter(images.read(tmp_path / "a.png", every_s=1.0)))
    faces = classifier.classify([image])
    explanations.write(image, faces, names=classifier.class_names)
    explanations.write(image, faces, names=classifier.class_names)  # The first is kept.
    top = classifier.class_names[int(faces[0].probabilities.argmax())]
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == [f"a.png_face1_{top}.png", f"a.png_face1_{top}_2.png"]
    pixels = np.array(PIL.Image.open(tmp_path / "out" / written[0]))
    side = faces[0].crop.shape[0]
    assert (pixels[:, :side] == faces[0].crop).all()
    coloured = np.ptp(pixels[:, side:].astype(int), axis=2) > 40
    assert 0 < coloured.mean() < 1


def test_an_ensemble_is_not_explained(photo_run):
    both = ensemble.Ensemble(members=(photo_run, photo_run))
    with pytest.raises(errors.UserError, match="--explain looks into one network, and .* of 2"):
        face_classifier.face_pictures_of(both)
