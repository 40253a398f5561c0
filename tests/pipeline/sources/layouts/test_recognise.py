"""Detection of a folder's layout, the messages where there is none, and a release's fingerprint."""

import os

import pytest

from pipeline.sources import base
from pipeline.sources.layouts import registry
from runtime import errors
from tests.pipeline import conftest as release
from tests.pipeline.sources.conftest import put, read, recognise
from tests.pipeline.sources.layouts import test_affectnet_2021_npy, test_affectnet_plus, test_yolo

LINE = f"7/a.jpg,134.0,20,50,40,{release.landmarks_text()},1,0.5,-0.25\n"


def make_2017(root):
    put(root, "Manually_Annotated_Images/7/a.jpg")
    return put(root, "training.csv", content=LINE)


def make_npy(root):
    put(root, "train_set/images/0.jpg")
    return test_affectnet_2021_npy.annotate(root, "train_set", "0")


def make_plus(root):
    return test_affectnet_plus.annotate(root, test_affectnet_plus.TRAIN, "a")


def make_yolo(root):
    put(root, "data.yaml", content=test_yolo.ALPHABET)
    put(root, "train/images/a.jpg")
    return put(root, "train/labels/a.txt", content="0 0.5 0.5 1 1\n")


def make_folders(root):
    return put(root, "train/happy/a.jpg")


MAKE = {
    "2017": make_2017,
    "npy": make_npy,
    "affectnetplus": make_plus,
    "yolo": make_yolo,
    "folders": make_folders,
}


@pytest.mark.parametrize("layout", MAKE)
def test_each_layout_is_recognised_and_by_its_name_too(tmp_path, layout):
    MAKE[layout](tmp_path)
    assert recognise(tmp_path).layout == layout
    assert recognise(tmp_path, layout=layout) == recognise(tmp_path)


@pytest.mark.parametrize("layout", MAKE)
@pytest.mark.parametrize("named", MAKE)
def test_no_layout_is_taken_for_another_that_is_named(tmp_path, layout, named):
    MAKE[layout](tmp_path)
    if named != layout:
        with pytest.raises(errors.UserError, match="is no AffectNet release in a known layout"):
            recognise(tmp_path, layout=named)


def test_two_layouts_in_one_folder_are_refused(tmp_path):
    make_npy(make_2017(tmp_path))
    with pytest.raises(
        errors.UserError, match="holds several layouts: 2017, npy; choose one with --layout"
    ):
        recognise(tmp_path)
    assert recognise(tmp_path, layout="npy").layout == "npy"


def test_a_list_that_is_named_is_read_whatever_else_is_there(tmp_path):
    make_2017(tmp_path)
    put(tmp_path, "mine.csv", content="image,label\n7/a.jpg,happy\n")
    assert recognise(tmp_path, csv="train=mine.csv").layout == "csv"


def test_the_message_on_an_unknown_folder_lists_what_was_looked_for_and_found(tmp_path):
    put(tmp_path, "photos/a.jpg", "photos/b.jpg", "notes.txt")
    with pytest.raises(errors.UserError) as caught:
        recognise(tmp_path)
    looked_for = [registry.LAYOUTS[name].LOOKED_FOR for name in (*registry.AUTOMATIC, "folders")]
    assert str(caught.value) == (
        f"{tmp_path} is no AffectNet release in a known layout, or has no manual annotations "
        f"(looked for: {', '.join(looked_for)}; found: 2 jpg, 1 txt in 2 folders); "
        "docs/data.md shows each layout, and --csv takes any list of images"
    )
    assert looked_for[:1] + looked_for[-1:] == [
        "training.csv, validation.csv or automatically_annotated.csv (2017)",
        "class folders (happy or 1, below train and val)",
    ]
    assert {
        "train_set/annotations/*_exp.npy (2021)",
        "human_annotated/train_set/annotations/*.json (AffectNet+)",
        "data.yaml with train/images and train/labels (YOLO)",
    } <= set(looked_for)


@pytest.mark.parametrize("layout", ["npy", "yolo", "folders"])
def test_layouts_without_automatic_annotations_are_not_there_for_them(tmp_path, layout):
    MAKE[layout](tmp_path)
    with pytest.raises(errors.UserError, match="has no automatic annotations"):
        recognise(tmp_path, subsets=("automatic",))


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        (
            {"difficulty": "easy"},
            "--difficulty has no effect with the layout 2017: it needs --layout=affectnetplus",
        ),
        (
            {"labels": "1=sad"},
            "--labels has no effect with the layout 2017: it needs --layout=csv or folders or yolo",
        ),
        (
            {"columns": "path=1"},
            "--columns has no effect with the layout 2017: it needs --layout=csv",
        ),
        (
            {"csv": "a.csv", "layout": "2017"},
            "--csv has no effect with the layout 2017: it needs --layout=csv",
        ),
    ],
)
def test_a_flag_without_effect_is_refused(tmp_path, flag, message):
    make_2017(tmp_path)
    with pytest.raises(errors.UserError) as caught:
        recognise(tmp_path, **flag)
    assert str(caught.value) == message


class Entries(list):
    """A folder's entries as os.scandir returns them: closed by a context."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.mark.parametrize("layout", MAKE)
def test_the_order_in_which_the_disk_lists_does_not_matter(tmp_path, layout, monkeypatch):
    MAKE[layout](tmp_path)
    if layout == "folders":
        put(tmp_path, "train/sad/b.jpg", "train/happy/c.jpg")
    forward = recognise(tmp_path)
    listed = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: Entries(reversed(list(listed(path)))))
    assert recognise(tmp_path) == forward


@pytest.mark.parametrize("layout", MAKE)
def test_a_release_is_known_by_its_annotations_wherever_it_lies(tmp_path, layout):
    MAKE[layout](tmp_path / "a")
    MAKE[layout](tmp_path / "b")
    first, other = recognise(tmp_path / "a"), recognise(tmp_path / "b")
    assert base.fingerprint(first) == base.fingerprint(other)


def test_one_more_annotation_is_another_release(tmp_path):
    before = base.fingerprint(recognise(make_npy(tmp_path)))
    test_affectnet_2021_npy.annotate(tmp_path, "train_set", "1")
    assert base.fingerprint(recognise(tmp_path)) != before


def test_a_repaired_image_is_the_same_release(tmp_path):
    before = base.fingerprint(recognise(make_folders(tmp_path)))
    put(tmp_path, "train/happy/a.jpg", content=b"repaired")
    assert base.fingerprint(recognise(tmp_path)) == before


def test_another_meaning_of_labels_is_another_release(tmp_path):
    make_folders(tmp_path)
    before = base.fingerprint(recognise(tmp_path))
    assert base.fingerprint(recognise(tmp_path, labels="happy=sad")) != before


def test_a_folder_of_many_files_is_read_in_parts(tmp_path):
    put(tmp_path, *(f"train/happy/{i}.jpg" for i in range(5)))
    (table,) = recognise(tmp_path).tables
    assert [len(part.names) for part in base.in_parts(table.parts[0].names, names_per_part=2)] == [
        2,
        2,
        1,
    ]
    assert table.parts[0].num_bytes == 5 * base.FILES_BYTES
    assert len(read(tmp_path)) == 5


def test_every_layout_has_what_it_needs():
    for layout in registry.LAYOUTS.values():
        assert (
            layout.LOOKED_FOR
            and callable(layout.detect)
            and callable(layout.find_release)
            and callable(layout.read)
        )
