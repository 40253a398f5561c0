"""Box lists: faces by file and time, and rows that cannot be used."""

import pytest

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
    assert not detect(image_of(tmp_path / "b.jpg")) and not detect(image_of(tmp_path / "c.jpg"))
    monkeypatch.chdir(tmp_path)
    assert len(detect(image_of("a.jpg"))) == 2
    sure = face_detector.detector(str(path), min_confidence=0.8, min_face=50)
    assert [face.box for face in sure(image_of("a.jpg"))] == [(5, 6, 50, 60)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,x,y,width\n", "has no column height: its first row must name file, x, y"),
        ("", "has no column file, x, y, width, height"),
        ("file,x,y,width,height\na,1,2,3,wide\n", "row 2: height must be a number: got wide"),
        ("file,x,y,width,height\na,1,2,3\n", "row 2: height must be a number"),
        ("file,x,y,width,height\na,1,nan,3,4\n", "row 2: y must be a number: got nan"),
        ("file,x,y,width,height\na,1,2,0,4\n", "row 2: width and height must be above 0: got 0, 4"),
        ("file,x,y,width,height,time_s\na,1,2,3,4,now\n", "time_s must be a number: got now"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_row(tmp_path, text, said):
    path = tmp_path / "boxes.csv"
    path.write_text(text)
    with pytest.raises(errors.UserError) as no:
        box_list.read(path)
    assert str(path) in str(no.value) and said in str(no.value)
