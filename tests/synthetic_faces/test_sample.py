"""pipeline.sample: written files, messages, refusals, and the effect of every flag."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from synthetic_faces import release, settings, summary
from synthetic_faces.examples import dataset_rows, scenes

LISTS = Path("Manually_Annotated_file_lists")
NUM_IMAGES = 66


def make(
    folder: Path,
    *,
    num_images: int = NUM_IMAGES,
    seed: int = 1,
    layout: str = "2017",
    num_workers: int = 1,
) -> Path:
    release.make(settings.Settings(folder, num_images, seed, layout), num_workers=num_workers)
    return folder


def sums(folder: Path) -> dict[str, str]:
    """Path below the folder → hash of the file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline.sample", *flags],
        capture_output=True,
        text=True,
        timeout=400,
    )


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return make(tmp_path_factory.mktemp("drawn") / "sample")


def test_the_lists_and_images_are_where_the_release_of_2017_has_them(sample):
    training = (sample / LISTS / "training.csv").read_text().splitlines()
    validation = (sample / LISTS / "validation.csv").read_text().splitlines()
    automatic = (
        (sample / "Automatically_annotated_file_list" / "automatically_annotated.csv")
        .read_text()
        .splitlines()
    )
    assert training[0].startswith("subDirectory_filePath,face_x,")
    assert automatic[0].startswith("#subDirectory_filePath,face_x,")
    assert validation[0].split(",")[0].endswith((".jpg", ".JPG", ".png", ".bmp"))
    assert len(training) - 1 + len(validation) + len(automatic) - 1 == NUM_IMAGES
    for lines, images in (
        (training[1:] + validation, "Manually_Annotated/Manually_Annotated_Images"),
        (automatic[1:], "Automatically_Annotated/Automatically_Annotated_Images"),
    ):
        for line in lines:
            image = cv2.imread(str(sample / images / line.split(",")[0]))
            assert min(image.shape[:2]) >= 140


def test_every_row_has_a_box_68_points_a_code_and_values(sample):
    for line in (sample / LISTS / "validation.csv").read_text().splitlines():
        path, x, y, width, height, points, code, valence, arousal = line.split(",")
        assert len(Path(path).stem) == 56 and Path(path).parent.name.isdecimal()
        assert (
            int(width) > 0
            and int(height) > 0
            and x.lstrip("-").isdecimal()
            and y.lstrip("-").isdecimal()
        )
        assert all(len(number.split(".")[1]) == 2 for number in points.split(";"))
        assert len(points.split(";")) == 136
        if int(code) in (9, 10):
            assert (valence, arousal) == ("-2", "-2")
        else:
            assert -1 <= float(valence) <= 1 and -1 <= float(arousal) <= 1


def test_boxes_are_not_all_square_and_not_all_on_the_diagonal(sample):
    lines = (sample / LISTS / "training.csv").read_text().splitlines()[1:]
    boxes = np.array([[int(number) for number in line.split(",")[1:5]] for line in lines])
    assert (boxes[:, 2] != boxes[:, 3]).mean() > 0.8
    assert (boxes[:, 0] != boxes[:, 1]).mean() > 0.8


def test_the_marker_and_the_readme_identify_the_sample_as_drawn(sample):
    marker = json.loads((sample / "drawn_sample.json").read_text())
    assert marker == {"generator_version": 1, "layout": "2017", "num_images": NUM_IMAGES, "seed": 1}
    assert "not AffectNet" in (sample / "README.txt").read_text()


def test_nothing_is_left_beside_a_finished_sample(sample):
    assert [path.name for path in sample.parent.iterdir()] == ["sample"]


@pytest.mark.slow
def test_bytes_do_not_depend_on_the_number_of_processes(sample, tmp_path):
    assert sums(make(tmp_path / "two", num_workers=2)) == sums(sample)


def test_another_seed_draws_other_faces(sample, tmp_path):
    other = sums(make(tmp_path / "other", seed=2))
    images = {digest for path, digest in other.items() if path.endswith(".jpg")}
    assert images.isdisjoint(sums(sample).values())


def test_what_a_killed_run_left_is_drawn_anew(sample, tmp_path):
    left = tmp_path / "again.drawing" / "Manually_Annotated"
    left.mkdir(parents=True)
    (left / "half.jpg").write_bytes(b"")
    (tmp_path / "again.drawing" / "drawn_sample.json").write_text("{}")
    assert sums(make(tmp_path / "again")) == sums(sample)


def test_a_folder_in_the_place_of_the_half_drawn_one_is_left_alone(tmp_path):
    (tmp_path / "new.drawing").mkdir()
    (tmp_path / "new.drawing" / "mine.txt").write_text("mine")
    with pytest.raises(
        settings.SettingsError, match="is in the way and is no half-drawn sample; move it elsewhere"
    ):
        make(tmp_path / "new")
    assert (tmp_path / "new.drawing" / "mine.txt").read_text() == "mine"


def check(folder: Path, *, overwrite: bool = False, seed: int = 1) -> bool:
    return release.check_target(
        settings.Settings(folder, NUM_IMAGES, seed, "2017"), overwrite=overwrite
    )


def test_a_new_or_empty_folder_is_drawn_into(tmp_path):
    assert check(tmp_path / "new") and check(tmp_path)


def test_the_same_sample_is_drawn_again_only_when_told(sample):
    assert not check(sample)
    assert check(sample, overwrite=True)


def test_a_folder_that_is_no_sample_is_refused_even_with_overwrite(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"")
    for overwrite in (False, True):
        with pytest.raises(settings.SettingsError) as error:
            check(tmp_path, overwrite=overwrite)
        assert str(error.value) == (
            f"--output_dir={tmp_path} is not empty and holds no drawn sample; "
            "name an empty or a new folder."
        )


def test_another_sample_is_refused_and_replaced_when_told(sample):
    with pytest.raises(settings.SettingsError) as error:
        check(sample, seed=7)
    assert str(error.value) == (
        f"--output_dir={sample} holds another drawn sample (seed 1, not 7); "
        "name another folder, or replace that one with --overwrite."
    )
    assert check(sample, seed=7, overwrite=True)


def test_ambiguous_faces_are_drawn_otherwise_and_the_marker_has_their_share(sample, tmp_path):
    asked = settings.Settings(tmp_path / "votes", NUM_IMAGES, 1, "2017", 1.0)
    release.make(asked, num_workers=1)
    marker = json.loads((tmp_path / "votes" / "drawn_sample.json").read_text())
    assert marker["ambiguous_frac"] == 1.0
    votes, clear = ({*sums(folder).values()} for folder in (tmp_path / "votes", sample))
    assert len(votes & clear) < NUM_IMAGES // 2  # Those without an expression are the same.
    with pytest.raises(settings.SettingsError, match=r"sample \(ambiguous_frac 0, not 1.0\)"):
        release.check_target(settings.Settings(sample, NUM_IMAGES, 1, "2017", 1.0), overwrite=False)
    with pytest.raises(settings.SettingsError, match=r"sample \(ambiguous_frac 1.0, not 0\)"):
        check(tmp_path / "votes")


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(settings.SettingsError, match="is a file; name a folder"):
        check(tmp_path / "file")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"num_images": 43},
            "--num_images must be at least 44, or a class would be empty: got 43.",
        ),
        ({"seed": -1}, "--seed must not be negative: got -1."),
        (
            {"layout": "2018"},
            "--layout must be one of 2017, npy, affectnetplus, folders, code_folders, yolo, csv, "
            "fer2013, ferplus, rafdb, ckplus, kdef, jaffe, afew, caer: got '2018'.",
        ),
    ],
)
def test_impossible_settings_are_refused(changed, sentence):
    given = {"output_dir": Path("x"), "num_images": 44, "seed": 0, "layout": "2017"} | changed
    with pytest.raises(settings.SettingsError) as error:
        settings.Settings(**given)
    assert str(error.value) == sentence


def test_the_line_at_the_end_counts_rows_and_names_the_command_that_reads_them(tmp_path):
    rows = [
        dataset_rows.Row(0, "train", "manual", 0, 1, "a", ".jpg"),
        dataset_rows.Row(1, "train", "automatic", 0, 1, "b", ".jpg"),
        dataset_rows.Row(2, "train", "manual", 1, 2, "c", ".jpg"),
    ]
    annotations = [
        scenes.Annotation(row, 9, 9, (0, 0, 9, 9), np.zeros((68, 2)), 0.0, 0.0) for row in rows
    ]
    assert summary.describe(annotations, layout="csv", folder=Path("b/d"), seconds=1.6) == (
        "sample        3 drawn faces (2 train, 1 automatic) in 2 s: b/d   "
        "next: python -m pipeline.main --input_dir=b/d --layout=csv --csv=faces.csv "
        "--columns=path=image,label=emotion,split=split,left=x0,top=y0,right=x1,bottom=y1,"
        "landmarks=points"
    )


@pytest.mark.slow
def test_the_program_draws_once_and_finds_the_sample_the_second_time(tmp_path):
    flags = [
        f"--output_dir={tmp_path / 'd'}",
        "--num_images=50",
        "--seed=3",
        "--layout=npy",
        "--num_workers=1",
    ]
    first = run(*flags)
    second = run(*flags)
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert first.stdout.startswith("sample        39 drawn faces (31 train, 8 validation) in ")
    assert first.stdout.endswith(f"next: python -m pipeline.main --input_dir={tmp_path / 'd'}\n")
    assert second.stdout == (
        f"sample        already in {tmp_path / 'd'}: nothing to draw (--overwrite draws it again)\n"
    )
    assert json.loads((tmp_path / "d" / "drawn_sample.json").read_text()) == {
        "generator_version": 1, "layout": "npy", "num_images": 50, "seed": 3,
    }  # fmt: skip
    assert run(*flags, "--overwrite").stdout.startswith("sample        39 drawn faces")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (
            ["--num_images=1"],
            "error: --num_images must be at least 44, or a class would be empty: got 1.\n",
        ),
        (["--num_workers=-1"], "error: --num_workers must be at least 0: got -1\n"),
        (
            ["photos"],
            "error: flags are written --name=value: got 'photos' by itself; --help lists them\n",
        ),
    ],
)
def test_the_program_refuses_in_one_sentence_with_exit_code_2(tmp_path, flags, sentence):
    refused = run(f"--output_dir={tmp_path}", *flags)
    assert (refused.returncode, refused.stderr) == (2, sentence)
