"""Layouts of other data sets than AffectNet: their own codes, names and splits."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from affectnet_tfds import image_codec
from pipeline import config, verify
from pipeline.rows import annotations
from pipeline.shards import image_files
from pipeline.sources import base
from pipeline.sources.layouts import ferplus, registry
from runtime import errors
from synthetic_faces import release, settings
from synthetic_faces.examples import dataset_rows
from tests.pipeline import test_main
from tests.pipeline.sources.conftest import brief, put, read, recognise
from tests.pipeline.sources.layouts import test_layout_builds

# They hold the pixels 0, 1, 2, … of 2 x 2 images.
FER2013 = """emotion,pixels,Usage
0,0 1 2 3,Training
3,4 5 6 7,PublicTest
6,8 9 10 11,PrivateTest
"""
ICML = """emotion, Usage, pixels
0,Training,0 1 2 3
3,PublicTest,4 5 6 7
6,PrivateTest,8 9 10 11
"""
VOTES = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
FER_NEW = f"""Usage,Image name,{VOTES}
Training,fer0000000.png,6,0,0,1,3,0,0,0,0,0
PublicTest,fer0000001.png,0,5,5,0,0,0,0,0,0,0
PrivateTest,,0,0,0,0,0,0,0,0,0,10
"""


def pixels(root: Path, row: annotations.Row) -> list[list[int]]:
    content = image_files.read(root, row.path)
    assert isinstance(content, bytes)
    return image_codec.decode(content)[:, :, 0].tolist()


@pytest.mark.parametrize(
    ("name", "content"), [("fer2013.csv", FER2013), ("challenges/icml_face_data.csv", ICML)]
)
@pytest.mark.parametrize(("end", "delimiter"), [("\n", ","), ("\r\n", ";"), ("\r", "\t")])
def test_pixels_in_a_list_are_images(tmp_path, name, content, end, delimiter):
    put(tmp_path, name, content="\ufeff" + content.replace("\n", end).replace(",", delimiter))
    assert recognise(tmp_path).layout == "fer2013"
    rows = read(tmp_path)
    assert [(row.split, row.filename, row.label) for row in rows] == [
        ("train", "Training/fer0000000.png", 6),
        ("validation", "PublicTest/fer0000001.png", 1),
        ("test", "PrivateTest/fer0000002.png", 0),
    ]
    assert [pixels(tmp_path, row) for row in rows] == [
        [[0, 1], [2, 3]], [[4, 5], [6, 7]], [[8, 9], [10, 11]],
    ]  # fmt: skip


def test_pixels_that_are_no_square_or_no_numbers_are_rejected_when_they_are_read(tmp_path):
    put(tmp_path, "fer2013.csv", content="emotion,pixels,Usage\n0,1 2 3,Training\n0,1 2 300 4,\n")
    for row in read(tmp_path):
        found = image_files.read(tmp_path, row.path)
        assert isinstance(found, annotations.InvalidExample) and found.reason == "bad pixels"


def test_rows_of_fer2013_that_break_a_rule_are_rejected_by_name(tmp_path):
    put(tmp_path, "fer2013.csv", content="emotion,pixels,Usage\n7,1,Training\n0\n")
    assert brief(read(tmp_path)) == [
        ("Training/fer0000000.png", "bad label"),
        ("Training/fer0000001.png", "short row"),
    ]


def test_the_votes_of_ferplus_are_label_and_soft_label(tmp_path):
    put(tmp_path, "fer2013new.csv", content=FER_NEW)
    with pytest.raises(errors.UserError, match="put fer2013.csv beside it"):
        recognise(tmp_path)
    put(tmp_path, "fer2013.csv", content=FER2013)
    with pytest.raises(errors.UserError, match="several layouts: fer2013, ferplus; choose one"):
        recognise(tmp_path)
    rows = read(tmp_path, layout="ferplus")
    assert [(row.split, row.filename, row.label) for row in rows] == [
        ("train", "FER2013Train/fer0000000.png", 0),
        ("validation", "FER2013Valid/fer0000001.png", 9),
        ("test", "FER2013Test/fer0000002.png", 10),
    ]
    assert [pixels(tmp_path, row)[0] for row in rows] == [[0, 1], [4, 5], [8, 9]]
    # Sad has a single vote, which does not count.
    assert rows[0].soft_label == pytest.approx((6 / 9, 0, 0, 0, 0, 0, 3 / 9, 0))
    assert rows[1].soft_label == pytest.approx((0, 0.5, 0, 0.5, 0, 0, 0, 0))
    assert rows[2].soft_label == ()


@pytest.mark.parametrize(("delimiter", "numbers"), [(";", False), ("\t", True), (",", True)])
def test_votes_that_were_saved_anew_are_read(tmp_path, delimiter, numbers):
    put(tmp_path, "fer2013.csv", content=FER2013)
    lines = [f"{number}," * numbers + line for number, line in enumerate(FER_NEW.splitlines())]
    saved = "\r\n".join(lines).replace(",", delimiter).replace("6", "6.0")
    put(tmp_path, "fer2013new.csv", content=f"\ufeff{saved}\r\n")
    assert [row.label for row in read(tmp_path, layout="ferplus")] == [0, 9, 10]
    put(tmp_path, "FER2013Train/a.png")
    line = 'a.png,"(0, 0, 48, 48)",1,9,0,0,0,0,0,0,0,0\n'.replace(",", delimiter)
    put(tmp_path, "FER2013Train/label.csv", content=line)
    assert [row.label for row in read(tmp_path, layout="ferplus")] == [1]


def test_other_votes_are_another_release(tmp_path):
    put(tmp_path, "fer2013new.csv", content=FER_NEW)
    put(tmp_path, "fer2013.csv", content=FER2013)
    before = base.fingerprint(recognise(tmp_path, layout="ferplus"))
    put(tmp_path, "fer2013new.csv", content=FER_NEW.replace("6,0,0,1,3", "3,0,0,1,6"))
    assert base.fingerprint(recognise(tmp_path, layout="ferplus")) != before


@pytest.mark.parametrize("box", ['"(0, 0, 48, 48)",', ""])
def test_votes_in_folders_are_read_and_bad_ones_rejected(tmp_path, box):
    put(tmp_path, "data/FER2013Train/fer0000003.png")
    votes = f"fer0000003.png,{box}0,0,0,0,1,0,9,0,0,0\nx.png,{box}1,2\n"
    put(tmp_path, "data/FER2013Train/label.csv", content=votes)
    good, bad = read(tmp_path)
    assert brief([good]) == [("train", "data/FER2013Train/fer0000003.png", 4)]
    assert good.filename == "FER2013Train/fer0000003.png"
    assert brief([bad]) == [("", "bad votes")]


@pytest.mark.parametrize(
    ("votes", "code"), [((0, 0, 3, 1), 2), ((2, 2, 0, 0), 9), ((3, 2, 2, 0), 9), ((5, 0, 0, 4), 0)]
)
def test_an_expression_needs_more_than_half_of_the_votes(votes, code):
    assert ferplus.majority(votes) == code


@pytest.mark.parametrize(
    ("votes", "code", "shares"),
    [
        # Rows of FERPlus' own lists: single votes go first, of which 5 of 10 may be a majority.
        ("1,0,0,1,2,3,1,1,1,0", 5, {5: 3 / 5, 6: 2 / 5}),
        ("4,0,0,4,1,0,0,0,1,0", 9, {0: 1 / 2, 2: 1 / 2}),
        ("5,0,1,1,0,0,0,1,2,0", 0, {0: 1.0}),
        ("3,1,0,0,0,0,0,0,6,0", 9, {0: 1.0}),
        ("1,1,1,1,1,1,1,1,1,1", 9, {}),
    ],
)
def test_single_votes_are_dropped_before_a_majority_is_sought(tmp_path, votes, code, shares):
    put(tmp_path, "FER2013Train/fer0000298.png")
    put(tmp_path, "FER2013Train/label.csv", content=f"fer0000298.png,{votes}\n")
    (row,) = read(tmp_path)
    assert row.label == code
    soft = dict(enumerate(row.soft_label))
    assert {code: share for code, share in soft.items() if share} == pytest.approx(shares)


def test_rafdb_has_its_own_codes_and_its_test_images_are_validation(tmp_path):
    put(tmp_path, "basic/Image/aligned/train_00001_aligned.jpg")
    lines = "".join(f"train_{label:05d}.jpg {label}\n" for label in range(1, 8))
    put(tmp_path, "basic/EmoLabel/list_patition_label.txt", content=f"{lines}test_0001.jpg 8\nx\n")
    assert recognise(tmp_path).layout == "rafdb"
    *rows, bad, short = read(tmp_path)
    assert [row.label for row in rows] == [3, 4, 5, 1, 2, 6, 0]
    assert rows[0].path == "basic/Image/aligned/train_00001_aligned.jpg"
    assert rows[0].filename == "Image/aligned/train_00001_aligned.jpg"
    assert (bad.split, bad.reason, short.reason) == ("validation", "bad label", "short row")


@pytest.mark.parametrize("delimiter", [" ", "\t", ",", " ; "])
def test_the_list_of_rafdb_may_be_saved_anew(tmp_path, delimiter):
    put(tmp_path, "Image/aligned/train_00001_aligned.jpg")
    lines = "\ufefftrain_00001.jpg 5\r\ntest_0001.jpg 1\r\n".replace(" ", delimiter)
    put(tmp_path, "EmoLabel/list_patition_label.txt", content=lines)
    assert [row.label for row in read(tmp_path)] == [2, 3]


def test_rafdb_without_aligned_images_says_what_is_missing(tmp_path):
    put(tmp_path, "EmoLabel/list_patition_label.txt", content="train_00001.jpg 1\n")
    with pytest.raises(errors.UserError, match="unpack aligned.zip beside the list"):
        recognise(tmp_path)


def ckplus(root: Path) -> Path:
    for frame in range(1, 8):
        put(root, f"cohn-kanade-images/S005/001/S005_001_{frame:08d}.png")
    put(root, "cohn-kanade-images/S005/002/S005_002_00000001.png")
    put(root, "cohn-kanade-images/S005/001/.DS_Store")
    label = "Emotion/S005/001/S005_001_00000007_emotion.txt"
    return put(root, label, content="   3.0000000e+00\n")


def test_the_last_frames_of_ckplus_are_the_peak_and_the_first_is_neutral(tmp_path):
    ckplus(tmp_path)
    folder = "cohn-kanade-images/S005/001"
    assert brief(read(tmp_path)) == [
        ("train", f"{folder}/S005_001_00000001.png", 0),
        ("train", f"{folder}/S005_001_00000005.png", 5),
        ("train", f"{folder}/S005_001_00000006.png", 5),
        ("train", f"{folder}/S005_001_00000007.png", 5),
    ]
    assert [tuple(kind)[:2] for kind in recognise(tmp_path).passed_over] == [
        ("frames between the first and the peak", 3),
        ("files of macOS or Windows", 1),
        ("frames without a label", 1),
    ]


def test_archives_of_ckplus_may_be_unpacked_into_folders_of_their_own(tmp_path):
    ckplus(tmp_path)
    points = "\n".join(f"{10 + i:.7e} {20 + 2 * i:.7e}" for i in range(68))
    put(tmp_path, "Landmarks/S005/001/S005_001_00000007_landmarks.txt", content=points)
    for name, outer in (
        ("cohn-kanade-images", "extended-cohn-kanade-images"),
        ("Emotion", "Emotion_labels"),
        ("Landmarks", "Landmarks (1)"),
    ):
        (tmp_path / name).rename(tmp_path / "inner")
        (tmp_path / outer).mkdir()
        (tmp_path / "inner").rename(tmp_path / outer / name)
    *_, last = read(tmp_path)
    assert last.path.startswith("extended-cohn-kanade-images/cohn-kanade-images/S005/001/")
    assert last.filename == "cohn-kanade-images/S005/001/S005_001_00000007.png"
    assert (last.label, last.box_from) == (5, "landmarks")


def test_another_emotion_of_ckplus_is_a_reject_with_its_own_range(tmp_path):
    label = "Emotion/S005/001/S005_001_00000007_emotion.txt"
    ckplus(tmp_path)
    put(tmp_path, label, content="   9.0000000e+00\n")
    *_, last = read(tmp_path)
    assert last.detail == "an emotion of CK+ must be 0..7: got '9.0000000e+00'"
    assert last.reason == "bad label"


def test_the_face_of_ckplus_is_where_its_landmarks_are(tmp_path):
    ckplus(tmp_path)
    points = "\n".join(f"{10 + i:.7e} {20 + 2 * i:.7e}" for i in range(68))
    put(tmp_path, "Landmarks/S005/001/S005_001_00000007_landmarks.txt", content=points)
    *others, last = read(tmp_path)
    assert {row.box for row in others} == {None}
    assert last.box == (10, 20, 67, 134)
    assert np.allclose(annotations.points_of(last)[1], (11, 22))


@pytest.mark.parametrize(
    ("layout", "names", "subjects"),
    [
        (
            "kdef",
            {"KDEF/AF01/AF01ANS.JPG": 6, "KDEF/BM35/BM35NEHL.jpg": 0, "AF02/AF02SUFR.JPG": 3},
            {"F01", "M35", "F02"},
        ),
        ("jaffe", {"jaffe/KA.AN1.39.tiff": 6, "jaffe/YM.FE3.69.tiff": 4}, {"KA", "YM"}),
    ],
)
def test_names_carry_subject_and_expression(tmp_path, layout, names, subjects):
    put(tmp_path, *names, "README", "AF01/AF01XXS.JPG")
    assert recognise(tmp_path).layout == layout
    rows = read(tmp_path)
    assert {row.path: row.label for row in rows} == names
    assert {registry.SUBJECTS[layout](row.path) for row in rows} == subjects
    assert sorted(tuple(kind) for kind in recognise(tmp_path).passed_over) == [
        (".jpg", 1, "AF01/AF01XXS.JPG"),
        ("without an ending", 1, "README"),
    ]


@pytest.mark.parametrize(
    ("layout", "train", "other", "names"),
    [
        (
            "afew",
            "Train_AFEW/Angry/000046280/001.jpg",
            "Val_AFEW/Happy/000149120/7.jpg",
            ["train/Angry/000046280/001.jpg", "validation/Happy/000149120/7.jpg"],
        ),
        (
            "caer",
            "CAER-S/train/Anger/0001.png",
            "CAER-S/test/Happy/0001.png",
            ["train/Anger/0001.png", "validation/Happy/0001.png"],
        ),
    ],
)
def test_frames_of_films_are_class_folders_of_another_name(tmp_path, layout, train, other, names):
    put(tmp_path, train, other)
    found = recognise(tmp_path)
    assert (found.layout, found.data) == (layout, {"afew": "AFEW", "caer": "CAER-S"}[layout])
    rows = read(tmp_path)
    assert [(row.label, row.filename) for row in rows] == [(6, names[0]), (1, names[1])]
    # Without its name in a folder, it is read as what the flag says.
    for folder in tmp_path.iterdir():
        folder.rename(tmp_path / folder.name.lower().replace(layout, "frames"))
    assert recognise(tmp_path).layout == "folders"
    assert recognise(tmp_path, layout=layout).layout == layout


@pytest.mark.parametrize(
    ("file", "content"),
    [("train/angry/AF01ANS.JPG", ""), ("train/angry/KA.AN1.39.tiff", ""), ("fer2013.csv", FER2013)],
)
def test_images_that_are_sorted_into_class_folders_are_not_taken_for_either(
    tmp_path, file, content
):
    put(tmp_path, "train/happy/1.jpg", "val/happy/2.jpg")
    put(tmp_path, file, **({"content": content} if content else {}))
    with pytest.raises(errors.UserError, match=r"holds several layouts: \w+, folders; choose one"):
        recognise(tmp_path)
    assert {row.split for row in read(tmp_path, layout="folders")} == {"train", "validation"}


CODES = dict.fromkeys(registry.OTHERS, 6) | {"ferplus": 10, "ckplus": 7}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("drawn")


def draw(folder: Path, layout: str) -> Path:
    made = settings.Settings(folder / layout, dataset_rows.MIN_IMAGES, seed=3, layout=layout)
    if not made.output_dir.is_dir():
        release.make(made, num_workers=1)
    return made.output_dir


@pytest.mark.parametrize("layout", registry.OTHERS)
def test_a_drawn_sample_is_recognised_and_its_labels_are_those_that_were_drawn(drawn, layout):
    root = draw(drawn, layout)
    assert recognise(root).layout == layout
    assert recognise(root).passed_over == ()
    rows = read(root)
    labels = sorted(row.label for row in rows)
    codes = [row.code for row in dataset_rows.rows(num_images=dataset_rows.MIN_IMAGES, seed=3)
             if row.subset == "manual" and row.code <= CODES[layout] and row.code != 8]  # fmt: skip
    assert labels == sorted(codes)
    contents = [image_files.read(root, row.path) for row in rows]
    assert len({hashlib.sha256(content).digest() for content in contents}) == len(rows)


@pytest.mark.parametrize("layout", registry.OTHERS)
def test_a_drawn_sample_is_built_with_a_validation_split(drawn, layout, tmp_path):
    fraction = 0.2 if layout in registry.SUBJECTS_ALWAYS else 0.0
    built = test_main.run(
        config.JobConfig(
            input_dir=str(draw(drawn, layout)),
            data_dir=str(tmp_path),
            image_size=32,
            num_workers=1,
            balance="none",
            validation_frac=fraction,
        )
    )
    assert verify.verify(built.version) == []
    assert built.report["layout"] == layout and "passed_over" not in built.report
    assert built.report["made_from"]["settings"].get("validation_frac", 0.0) == fraction
    found = {
        split: [example.filename for example in test_layout_builds.examples(built, split)]
        for split in ("train", "validation")
    }
    assert all(found.values())
    if fraction:
        subject = registry.SUBJECTS[layout]
        assert {subject(name) for name in found["train"]}.isdisjoint(
            subject(name) for name in found["validation"]
        )
