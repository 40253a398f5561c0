"""Rows about one image: repeated, about further faces, and second opinions on the same face."""

import numpy as np
import pytest

from pipeline.rows import annotations, deduplicate, row_index

BOX = {"x": "1", "y": "2", "width": "30", "height": "30"}
OTHER = {**BOX, "x": "50"}


def row(number: int, label: int, split: str = "train", **box: str) -> annotations.Row:
    place = annotations.Place(split, "manual", "", "", f"list.csv row {number}")
    found = annotations.parse({"path": "p.jpg", "label": str(label), **box}, place)
    assert isinstance(found, annotations.Row)
    return found


def settled(rows: list[annotations.Row], *, drop: bool):
    """The corrections, and (row's place, number of its face) of those that stay."""
    entries = np.zeros(len(rows), row_index.ENTRY)
    entries["start"] = np.arange(len(rows))
    corrections, stay = deduplicate.find_repeats(
        entries, fetch=lambda found: [rows[at] for at in found["start"]], seed=0, drop=drop
    )
    return corrections, [(int(entry["start"]), int(entry["face"])) for entry in stay]


@pytest.mark.parametrize("box", [{}, BOX], ids=["whole image", "box"])
def test_a_second_opinion_on_a_face_is_counted_and_stays(box):
    corrections, stay = settled([row(1, 1, **box), row(2, 2, **box)], drop=False)
    assert (corrections.second_opinions, stay) == (1, [(0, 0), (1, 2)])
    assert not corrections.dropped and not corrections.rejects


@pytest.mark.parametrize("box", [{}, BOX], ids=["whole image", "box"])
def test_a_second_opinion_is_dropped_if_asked_and_further_faces_stay(box):
    rows = [row(1, 1, **box), row(2, 2, **box), row(3, 2, **OTHER), row(4, 1, **box)]
    corrections, stay = settled(rows, drop=True)
    assert stay == [(0, 0), (2, 2)]
    assert corrections.dropped == {("train", "manual", 2, "second row about a face"): 1}
    assert corrections.duplicates == {"list.csv row 2": "p.jpg"}
    assert [reject.reason for reject in corrections.rejects] == ["repeated row"]
    assert corrections.second_opinions == 0


def test_a_row_of_train_whose_very_file_is_in_validation_is_dropped():
    rows = [row(1, 1), row(2, 1, split="validation")]
    hashed = np.zeros(2, deduplicate.HASHED)
    hashed["start"], hashed["high"] = [0, 1], 7
    corrections, stay = deduplicate.drop_duplicates(
        hashed, fetch=lambda found: [rows[at] for at in found["start"]]
    )
    assert stay["start"].tolist() == [1]
    assert corrections.dropped == {("train", "manual", 1, "identical file"): 1}
