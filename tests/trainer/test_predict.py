"""New photographs: found, cut as the job cuts them, judged by a small trained network, and printed."""

import csv
import dataclasses
import importlib.util
import io
import json
import os
import subprocess
import sys

import cv2
import numpy as np
import PIL.Image
import pytest

from affectnet_tfds import face_alignment, image_codec, invalid_example
from pipeline.rows import annotations
from pipeline.shards import shard_writer
from runtime import errors
from tests.trainer import conftest
from trainer import predict
from trainer.inference import face_classifier, face_detector, images
from trainer.run import trained_run

NAMES = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt"]
GEOMETRY = conftest.GEOMETRY
BOX = (20.5, 10.0, 60.0, 70.0)
HAS_MTCNN = importlib.util.find_spec("mtcnn") is not None


@pytest.fixture(scope="module")
def run(photo_run) -> trained_run.Run:
    return photo_run


@pytest.fixture(scope="module")
def reader(run) -> face_classifier.FaceClassifier:
    return face_classifier.FaceClassifier(run)


def gradient(*, width: int, height: int) -> np.ndarray:
    """Red grows to the right, green downwards."""
    red, green = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([red, green, np.full_like(red, 60)], axis=2).astype(np.uint8)


def save(path, pixels: np.ndarray, **options):
    PIL.Image.fromarray(pixels).save(path, **options)
    return path


def write_video(path, *, levels, frames_per_s: float):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), frames_per_s, (64, 48))
    for level in levels:
        writer.write(np.full((48, 64, 3), (level, 0, 0), np.uint8))  # Blue: OpenCV's order is BGR.
    writer.release()
    return path


def looked(paths, *, reader, **flags) -> tuple[list[dict], list[str]]:
    asked, troubles = predict.Predict(detector="none", **flags), []
    made = predict.look(
        [str(p) for p in paths],
        reader=reader,
        detect=face_detector.detector("none"),
        asked=asked,
        troubles=troubles,
    )
    return list(made), troubles


def row_of(box) -> annotations.Row:
    return annotations.Row(
        "train",
        "manual",
        "a.jpg",
        "a.jpg",
        1,
        0.0,
        0.0,
        box,
        "annotation" if box else "picture",
        b"",
        "a.csv, row 2",
    )


@pytest.mark.parametrize("box", [BOX, (-30.0, -8.0, 90.0, 90.0), None])
def test_a_face_is_cut_exactly_as_the_job_cuts_it(box, tmp_path):
    content = save(tmp_path / "a.jpg", gradient(width=400, height=300), quality=95).read_bytes()
    job = shard_writer.cut(content, row_of(box), {**GEOMETRY._asdict(), "encoding": "jpeg"})
    shot = images.picture(content, name="a.jpg")
    np.testing.assert_array_equal(shot.cut(box, points=None, geometry=GEOMETRY).face, job.face)


def test_an_aligned_build_is_cut_by_the_five_points_of_the_detector():
    shot = images.InputImage(name="a", pixels=gradient(width=400, height=300))
    points = np.array([(180, 130), (220, 150), (195, 160), (170, 170), (205, 190)], np.float32)
    aligned = GEOMETRY._replace(align=True)
    box = (150.0, 100.0, 100.0, 110.0)
    assert shot.cut(box, points=points, geometry=aligned).aligned
    assert not shot.cut(box, points=points, geometry=GEOMETRY).aligned


@pytest.mark.parametrize(
    ("orientation", "corner"),
    [(1, (0, 0)), (3, (-1, -1)), (6, (0, -1)), (8, (-1, 0)), (2, (0, -1))],
)
def test_a_photograph_that_the_camera_notes_as_turned_is_turned_upright(
    orientation, corner, tmp_path
):
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:10, :10] = 255  # Left above as stored.
    shot = images.picture(save(tmp_path / "a.png", pixels, exif=exif).read_bytes(), name="a")
    assert shot.size == ((40, 60) if orientation in (6, 8) else (60, 40))
    assert shot.pixels[corner].tolist() == [255, 255, 255] and shot.pixels.mean() == pytest.approx(
        255 * 100 / 2400
    )


def test_a_video_gives_a_frame_every_so_many_seconds(tmp_path):
    path = write_video(tmp_path / "a.avi", levels=[0, 50, 100, 150, 200], frames_per_s=10)
    every = list(images.read(path, every_s=0.2))
    assert [shot.time_s for shot in every] == [0.0, 0.2, 0.4]
    assert [shot.pixels[24, 32, 2] for shot in every] == pytest.approx([0, 100, 200], abs=4)
    assert len(list(images.read(path, every_s=0.01))) == 5


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.jpg", b"", "the file has no bytes"),
        ("a.jpg", b"hello, world", "no known picture format: begins with 'hello, world'"),
        ("a.avi", b"hello, world", "OpenCV finds no video in it"),
        ("a.jpg", None, "No such file or directory"),
        ("a.mp4", None, "No such file or directory"),
    ],
)
def test_what_cannot_be_read_says_why(name, content, why, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(invalid_example.InvalidExample, match=why):
        list(images.read(tmp_path / name, every_s=1))


def test_a_folder_gives_its_pictures_and_videos_in_order_and_an_empty_one_says_so(tmp_path):
    for name in ("b/2.PNG", "a.jpg", "b/1.mp4", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in images.find([str(tmp_path)])]
    assert found == ["a.jpg", "b/1.mp4", "b/2.PNG"]
    (tmp_path / "empty").mkdir()
    (path,) = images.find([str(tmp_path / "empty")])
    with pytest.raises(invalid_example.InvalidExample, match="no file in it ends in .avi, "):
        list(images.read(path, every_s=1))


@pytest.mark.slow
def test_detector_none_takes_the_whole_picture_and_others_go_on_after_an_unreadable_one(
    reader, tmp_path
):
    save(tmp_path / "a.png", gradient(width=50, height=40))
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    save(tmp_path / "c.png", gradient(width=30, height=60))
    rows, troubles = looked([tmp_path], reader=reader)
    assert [(row["file"], row["face"], row["box"]) for row in rows] == [
        (str(tmp_path / "a.png"), 1, [0, 0, 50, 40]),
        (str(tmp_path / "c.png"), 1, [0, 0, 30, 60]),
    ]
    assert troubles == [f"{tmp_path / 'b.jpg'}: no known picture format: begins with 'no picture'"]
    assert list(rows[0]["probabilities"]) == NAMES
    assert sum(rows[0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert rows[0]["expression"] == max(rows[0]["probabilities"], key=rows[0]["probabilities"].get)


@pytest.mark.slow
def test_the_rows_of_a_video_say_when_and_every_s_says_how_many(reader, tmp_path):
    path = write_video(tmp_path / "a.avi", levels=[0, 50, 100, 150, 200], frames_per_s=10)
    rows, troubles = looked([path], reader=reader, every_s=0.2, draw=str(tmp_path))
    assert [(row["time_s"], row["box"]) for row in rows] == [
        (0.0, [0, 0, 64, 48]),
        (0.2, [0, 0, 64, 48]),
        (0.4, [0, 0, 64, 48]),
    ]
    assert sorted(p.name for p in tmp_path.glob("*.png")) == [
        "a.avi_0.2s.png",
        "a.avi_0.4s.png",
        "a.avi_0s.png",
    ]
    assert len(looked([path], reader=reader, every_s=0.3)[0]) == 2 and not troubles


@pytest.mark.slow
def test_the_network_is_given_what_the_job_would_have_stored(reader, tmp_path):
    path = save(tmp_path / "a.jpg", gradient(width=300, height=200), quality=90)
    made = shard_writer.cut(
        path.read_bytes(), row_of(BOX), {**GEOMETRY._asdict(), "encoding": "jpeg"}
    )
    stored = image_codec.encode(made.face)
    (shot,) = images.read(path, every_s=1)
    (seen,) = reader.see(shot, detect=lambda pixels: [face_detector.DetectedFace(box=BOX)])
    given = reader.as_trained(made.face)
    assert given.shape == (16, 16, 3)
    np.testing.assert_array_equal(reader.as_trained(seen.cut.face), given)
    whole = PIL.Image.open(io.BytesIO(stored)).resize((16, 16), PIL.Image.Resampling.BOX)
    assert np.abs(given - np.asarray(whole, np.float64)).mean() < 3


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["png", "raw"])
def test_a_build_that_keeps_every_pixel_gives_the_network_every_pixel(encoding, run, reader):
    exact = dataclasses.replace(run, data=dataclasses.replace(run.data, encoding=encoding))
    spotted = np.zeros((32, 32, 3), np.uint8)
    spotted[::2, ::2, 0] = 200  # JPEG cannot keep it; a quarter of the pixels of each 2 x 2 block.
    assert (face_classifier.FaceClassifier(exact).as_trained(spotted) == (50, 0, 0)).all()
    assert not (reader.as_trained(spotted) == (50, 0, 0)).all()


@pytest.mark.slow
def test_a_detection_without_a_pixel_in_the_picture_is_no_face(reader):
    shot = images.InputImage(name="a", pixels=gradient(width=50, height=40))
    assert (
        reader.see(
            shot, detect=lambda pixels: [face_detector.DetectedFace(box=(90.0, 0.0, 20.0, 20.0))]
        )
        == []
    )


@pytest.mark.slow
def test_draw_writes_a_picture_of_the_same_size_with_the_box_in_it(reader, drawn, tmp_path):
    path, annotation = drawn
    detect = lambda pixels: [face_detector.DetectedFace(box=tuple(map(float, annotation.box_xywh)))]  # noqa: E731
    asked = predict.Predict(draw=str(tmp_path))
    for _ in range(2):
        list(predict.look([str(path)], reader=reader, detect=detect, asked=asked, troubles=[]))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["face.jpg.png", "face.jpg_2.png"]
    picture = np.asarray(PIL.Image.open(tmp_path / "face.jpg.png").convert("RGB"))
    assert picture.shape == (annotation.height, annotation.width, 3)
    x, y, width, height = annotation.box_xywh
    assert picture[y + height - 1, x + width // 2].tolist() == [0, 0x72, 0xB2]


ROWS = [
    {"file": "a,b.jpg", "time_s": None, "face": 1, "box": [1, 2, 30, 40], "expression": "happy",
     "probabilities": {"neutral": 0.25, "happy": 0.625, "sad": 0.125}},
    {"file": "c.avi", "time_s": 1.5, "face": 0, "box": None, "expression": None, "probabilities": None},
]  # fmt: skip


def test_the_table_has_a_line_a_face_and_says_where_none_was_found(capsys):
    predict.print_rows(iter(ROWS), asked=predict.Predict())
    assert capsys.readouterr().out.splitlines() == [
        "a,b.jpg  face 1 at 1,2 30 x 40  happy 0.625  neutral 0.250  sad 0.125",
        "c.avi at 1.5 s  no face found",
    ]


def test_json_and_csv_have_every_probability(capsys):
    predict.print_rows(iter(ROWS), asked=predict.Predict(json=True))
    assert json.loads(capsys.readouterr().out) == ROWS
    predict.print_rows(iter(ROWS), asked=predict.Predict(csv=True))
    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == [
        [
            "file",
            "time_s",
            "face",
            "x",
            "y",
            "width",
            "height",
            "expression",
            "neutral",
            "happy",
            "sad",
        ],
        ["a,b.jpg", "", "1", "1", "2", "30", "40", "happy", "0.25", "0.625", "0.125"],
        ["c.avi", "1.5", "0", "", "", "", "", "", "", "", ""],
    ]


def test_valence_and_arousal_are_said_where_the_model_has_learned_them(capsys):
    probs = np.array([0.25, 0.75], np.float32)
    picture = gradient(width=40, height=30)
    shot = images.InputImage(name="a.jpg", pixels=picture, time_s=None)
    cut = shot.cut(None, points=None, geometry=GEOMETRY)
    faces_seen = [face_classifier.ClassifiedFace(found=face_detector.DetectedFace(box=(1, 2, 3, 4)), cut=cut, probabilities=probs, affect=affect)
                  for affect in ((-0.5, 0.25), None)]  # fmt: skip
    with_affect, without = (predict.rows(shot, [one], names=["sad", "happy"]) for one in faces_seen)
    assert (with_affect[0]["valence"], with_affect[0]["arousal"]) == (
        -0.5,
        0.25,
    ) and "valence" not in without[0]
    predict.print_rows(iter(with_affect + ROWS[1:]), asked=predict.Predict())
    said = "a.jpg  face 1 at 1,2 3 x 4  happy 0.750  sad 0.250  valence -0.50  arousal +0.25"
    assert capsys.readouterr().out.splitlines() == [said, "c.avi at 1.5 s  no face found"]
    predict.print_rows(iter(with_affect + ROWS[1:]), asked=predict.Predict(csv=True))
    table = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert [row[-2:] for row in table] == [["valence", "arousal"], ["-0.5", "0.25"], ["", ""]]


def test_bad_flags_are_refused_in_a_sentence(tmp_path, monkeypatch):
    with pytest.raises(errors.UserError, match="one of --json and --csv may be given: got both"):
        predict.Predict(json=True, csv=True)
    with pytest.raises(errors.UserError, match="every_s"):
        predict.Predict(every_s=0.0)
    (tmp_path / "file").touch()
    with pytest.raises(errors.UserError, match="--draw must name a folder: got .*file"):
        predict.make_folder(str(tmp_path / "file"))
    monkeypatch.setattr(predict.commandline, "given", lambda sections: {"detector": "none"})
    with pytest.raises(errors.UserError, match="wants pictures, folders or videos: got none"):
        predict.main([])
    monkeypatch.setattr(predict.commandline, "given", lambda sections: {"model_dir": str(tmp_path)})
    monkeypatch.setattr(predict.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        errors.UserError, match=r"--detector=mtcnn needs mtcnn: pip install '.*\[predict\]'"
    ):
        predict.main(["a.jpg"])


def program(*words) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "trainer.predict", *map(str, words)],
        capture_output=True, text=True, check=False, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip


def test_a_folder_without_a_model_is_refused_in_one_sentence(tmp_path):
    done = program("a.jpg", f"--model_dir={tmp_path}", "--detector=none")
    assert done.returncode == errors.EXIT_CODE
    assert (
        done.stderr.startswith(f"error: {tmp_path} holds no trained model")
        and done.stderr.count("\n") == 1
    )


@pytest.mark.slow
@pytest.mark.skipif(not HAS_MTCNN, reason="mtcnn is not installed (extra: predict)")
def test_mtcnn_names_the_five_points_in_the_order_that_alignment_takes(drawn):
    path, annotation = drawn
    (shot,) = images.read(path, every_s=1)
    (found,) = face_detector.detector("mtcnn")(shot.pixels)
    wanted = face_alignment.five_points(annotation.landmarks)
    assert np.abs(found.points - wanted).max() < 0.15 * max(annotation.box_xywh[2:])


@pytest.mark.slow
@pytest.mark.skipif(not HAS_MTCNN, reason="mtcnn is not installed (extra: predict)")
def test_the_program_finds_a_drawn_face_and_says_where_there_is_none(run, drawn, tmp_path):
    path, annotation = drawn
    plain = save(tmp_path / "plain.png", gradient(width=200, height=150))
    missing = tmp_path / "missing.jpg"
    done = program(
        missing, path, plain, f"--model_dir={run.model_dir}", "--csv", f"--draw={tmp_path / 'seen'}"
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
    assert sorted(p.name for p in (tmp_path / "seen").iterdir()) == [
        "face.jpg.png",
        "plain.png.png",
    ]
