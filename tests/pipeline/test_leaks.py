"""Identical files, by where they are."""

from pipeline import leaks


def sidecar(split: str, **contents: tuple[str, str]) -> dict:
    return {
        "name": f"affectnet_faces-{split}.tfrecord-00000-of-00001",
        "contents": {name.replace("_", "."): value for name, value in contents.items()},
    }


def test_groups_are_told_apart_by_what_they_span():
    found = leaks.find(
        [
            sidecar(
                "train", a_jpg=("1", "manual"), b_jpg=("1", "manual"), c_jpg=("2", "manual"), d_jpg=("9", "manual")
            ),
            sidecar("train", e_jpg=("3", "manual"), f_jpg=("3", "automatic")),
            sidecar("validation", g_jpg=("2", "manual")),
        ]
    ).to_json()
    assert found == {
        "within_split": [["train: a.jpg", "train: b.jpg"]],
        "across_splits": [["train: c.jpg", "validation: g.jpg"]],
        "across_subsets": [["train: f.jpg", "train: e.jpg"]],
    }


def test_further_faces_of_one_file_are_no_duplicates():
    one = {"name": "affectnet_faces-train.tfrecord-00000-of-00001", "contents": {}}
    one["contents"] = {"a.jpg": ("1", "manual"), "a.jpg#2": ("1", "manual")}
    assert leaks.find([one]).to_json()["within_split"] == []
