"""Identical files, by where they are."""

from pipeline.shards import duplicate_files


def sidecar(split: str, **contents: tuple[str, str]) -> dict:
    return {
        "name": f"affectnet_faces-{split}.tfrecord-00000-of-00001",
        "contents": {
            name.replace("_", "."): (f"{int(content):032x}", subset)
            for name, (content, subset) in contents.items()
        },
    }


def found(*sidecars: dict) -> duplicate_files.Leaks:
    hashes = duplicate_files.Hashes()
    for one in sidecars:
        hashes.add(one)
    return duplicate_files.find(hashes.repeated(), sidecars)


def test_groups_are_told_apart_by_what_they_span():
    groups = found(
        sidecar(
            "train",
            a_jpg=("1", "manual"),
            b_jpg=("1", "manual"),
            c_jpg=("2", "manual"),
            d_jpg=("9", "manual"),
        ),
        sidecar("train", e_jpg=("3", "manual"), f_jpg=("3", "automatic")),
        sidecar("validation", g_jpg=("2", "manual")),
    )
    assert groups.to_json() == {
        "within_split": [["train: a.jpg", "train: b.jpg"]],
        "across_splits": [["train: c.jpg", "validation: g.jpg"]],
        "across_subsets": [["train: f.jpg", "train: e.jpg"]],
    }


def test_further_faces_of_one_file_are_no_duplicates():
    one = sidecar("train", a_jpg=("1", "manual"))
    one["contents"]["a.jpg#2"] = one["contents"]["a.jpg"]
    assert found(one).to_json()["within_split"] == []


def test_hashes_that_agree_in_one_half_are_not_the_same():
    hashes = duplicate_files.Hashes()
    hashes.add(
        sidecar(
            "train", a_jpg=(1 << 64, "manual"), b_jpg=(1, "manual"), c_jpg=((1 << 64) + 1, "manual")
        )
    )
    assert hashes.repeated() == frozenset()
    hashes.add(sidecar("validation", d_jpg=(1 << 64, "manual"), e_jpg=(1 << 64, "manual")))
    assert hashes.repeated() == {f"{1 << 64:032x}"}
