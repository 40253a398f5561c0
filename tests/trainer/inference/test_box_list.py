"""Box lists: faces by file and time, and rows that cannot be used."""

import os

import pytest

from affectnet_tfds import invalid_example
from runtime import errors
from tests.trainer.inference import samples
from trainer.inference import box_list, face_detector, images


def image_of(path, *, time_s=None) -> images.InputImage:
    pixels = samples.gradient(width=100, height=80)
    return images.from_pixels(pixels, name=str(path), time_s=time_s)


def test_boxes_are_found_by_file_and_by_time(tmp_path, monkeypatch):
    path = tmp_path / "boxes.csv"
    path.write_text(
        "file,time_s,x,y,width,height,confidence\n"
        "a.jpg,,1,2,30,40,0.5\n"
        f"{tmp_path}/a.jpg,,5,6,50,60,\n"
        "clip.avi,1.5,7,8,20,20,0.9\n"
        "b.jpg,,,,,,\n"
    )
    (tmp_path / "a.jpg").touch()
    detect = face_detector.detector(str(path))
    faces = detect(image_of(tmp_path / "a.jpg"))
    assert [(face.box, face.confidence) for face in faces] == [
        ((5, 6, 50, 60), 1.0),  # The largest first.
        ((1, 2, 30, 40), 0.5),
    ]
    assert [face.box for face in detect(image_of(tmp_path / "clip.avi", time_s=1.5))] == [
        (7, 8, 20, 20)
    ]
    assert not detect(image_of(tmp_path / "clip.avi", time_s=1.0))
    assert not detect(image_of(tmp_path / "b.jpg"))
    monkeypatch.chdir(tmp_path)
    assert len(detect(image_of("a.jpg"))) == 2
    sure = face_detector.detector(str(path), min_confidence=0.8, min_face=50)
    assert [face.box for face in sure(image_of("a.jpg"))] == [(5, 6, 50, 60)]


def boxes_of(folder, *rows) -> "face_detector.Detector":
    path = folder / "boxes.csv"
    path.write_text("\n".join(["file,x,y,width,height,time_s", *rows]))
    return face_detector.detector(str(path))


def test_an_image_without_a_row_is_no_image_without_a_face(tmp_path):
    detect = boxes_of(tmp_path, "photos/a.jpg,1,2,30,40")
    with pytest.raises(
        invalid_example.InvalidExample, match=r"boxes.csv has no row for it: .*relative to the CSV"
    ):
        detect(image_of(tmp_path / "a.jpg"))


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ("500,0,30,40", "the box at 500, 0 of 30 x 40 has no pixel in 100 x 80"),
        ("-30,0,30,40", "the box at -30, 0 of 30 x 40 has no pixel"),
        ("5,5,4e9,40", "the box of 4e+09 x 40 with its margin has a longer one"),
    ],
)
def test_a_box_that_is_not_in_its_image_is_told_of_it(tmp_path, box, said):
    detect = boxes_of(tmp_path, f"a.jpg,{box}", "a.jpg,1,2,30,40")
    with pytest.raises(invalid_example.InvalidExample) as no:
        detect(image_of(tmp_path / "a.jpg"))
    assert said in str(no.value) and str(tmp_path / "boxes.csv") in str(no.value)


def test_a_box_too_small_for_a_face_is_left_out(tmp_path):
    detect = boxes_of(tmp_path, "a.jpg,5,5,4,4", "a.jpg,1,2,30,40")
    assert [face.box for face in detect(image_of(tmp_path / "a.jpg"))] == [(1, 2, 30, 40)]


def test_rows_that_no_image_has_used_are_told(tmp_path):
    detect = boxes_of(
        tmp_path, "a.jpg,1,2,30,40", "b.jpg,,,,", "a.jpg,1,2,30,40,1.5", "clip.avi,1,2,30,40"
    )
    assert "has 4 rows that no image has used, the first of them row 2: " in (
        face_detector.unused_boxes(detect)
    )
    detect(image_of(tmp_path / "a.jpg"))
    assert not detect(image_of(tmp_path / "clip.avi", time_s=0.0))
    assert "has 3 rows that no image has used, the first of them row 3: " in (
        face_detector.unused_boxes(detect)
    )
    detect(image_of(tmp_path / "b.jpg"))
    detect(image_of(tmp_path / "a.jpg", time_s=1.5))
    assert "has a row that no image has used, the first of them row 5: " in (
        face_detector.unused_boxes(detect)
    )
    detect(image_of(tmp_path / "clip.avi"))
    assert not face_detector.unused_boxes(detect)
    assert not face_detector.unused_boxes(face_detector.detector("none"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,x,y,width\n", "has no column height: its first row must name file, x, y"),
        ("", "has no column file, x, y, width, height"),
        ("file,x,y,width,height\na,1,2,3,wide\n", "row 2: height must be a number: got wide"),
        ("file,x,y,width,height\na,1,2\n", "row 2: the row has 3 of 5 columns: give each"),
        ("file,x,y,width,height\na,1,2,3,4,5\n", "row 2: the row has 6 of 5 columns: give each"),
        ("file,x,y,width,height\n,1,2,3,4\n", "row 2: file must name an image or a video: got no"),
        (
            "file,x,y,width,height\na,1,2,3,4\n".encode("utf-16"),
            "is in UTF-16, and must be in UTF-8",
        ),
        (b"file,\xff\xfe\x9a", "must be text in UTF-8: byte 5 is 0xff; save it as UTF-8"),
        (
            b"file,x,y,width,height\na\0,1,2,3,4\n",
            "row 2: file must name an image or a video: got a\\x00",
        ),
        ("file,x,y,width,height\na,1,nan,3,4\n", "row 2: y must be a number: got nan"),
        ("file,x,y,width,height\na,1,2,0,4\n", "row 2: width and height must be above 0: got 0, 4"),
        ("file,x,y,width,height,time_s\na,1,2,3,4,now\n", "row 2: time_s must be a number: got"),
        *(
            (
                f"file,x,y,width,height,confidence\na,1,2,3,4,{confidence}\n",
                f"row 2: confidence must be between 0 and 1: got {confidence}",
            )
            for confidence in ("-0.5", "99")
        ),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_row(tmp_path, text, said):
    path = tmp_path / "boxes.csv"
    path.write_bytes(text if isinstance(text, bytes) else os.fsencode(text))
    with pytest.raises(errors.UserError) as no:
        box_list.read(path)
    assert str(path) in str(no.value) and said in str(no.value)
