"""Rows about one picture: said twice, or further faces."""

import json

import numpy as np

from pipeline.rows import annotations, deduplicate, row_index, stable_hash, survey


def row(
    source: str, *, label: int = 0, filename: str = "a.jpg", split: str = "train"
) -> annotations.Row:
    return annotations.Row(
        split, "manual", filename, filename, label, 0.0, 0.0, None, "picture", b"", source
    )


def entry_of(place: int, one: annotations.Row) -> tuple:
    return (
        stable_hash.key(one.filename, 0),
        place,
        0,
        1,
        0,
        row_index.SPLITS.index(one.split),
        one.label,
    )


def settled(*rows: annotations.Row) -> tuple[survey.Survey, list[str]]:
    """Survey rows that stand in this order; return with it the file names of those that may be
    used."""
    total = survey.Survey()
    for one in rows:
        total.add(one)
    entries = np.array([entry_of(place, one) for place, one in enumerate(rows)], row_index.ENTRY)
    found, stays = deduplicate.find_repeats(
        entries, fetch=lambda some: [rows[i] for i in some["start"]], seed=0
    )
    names = [row_index.face_name(rows[one["start"]].filename, one["face"]) for one in stays]
    assert [stable_hash.key(name, 0) for name in names] == stays["key"].tolist()
    return total.merge(found), names


def surveyed(*rows: annotations.Row) -> survey.Survey:
    return settled(*rows)[0]


def test_a_row_said_twice_is_rejected_once():
    found = surveyed(row("t row 2"), row("t row 10"), row("t row 3", filename="b.jpg"))
    assert found.counts == {("train", "manual", 0): 2}
    (reject,) = found.rejects
    assert (reject.source, reject.reason) == ("t row 10", "repeated row")
    assert reject.detail == "a row may be there once: this one repeats t row 2"


def test_a_further_face_in_a_picture_gets_a_name_of_its_own():
    found, names = settled(row("t row 2"), row("t row 4", label=1), row("t row 10", label=3))
    assert names == ["a.jpg", "a.jpg#2", "a.jpg#3"]
    assert not found.rejects


def test_rows_about_other_pictures_are_left_alone_whatever_their_keys(monkeypatch):
    monkeypatch.setattr(stable_hash, "key", lambda filename, seed: 7)
    found, names = settled(row("t row 1"), row("t row 2", filename="b.jpg"), row("t row 3"))
    assert names == ["a.jpg", "b.jpg"]
    assert [reject.source for reject in found.rejects] == ["t row 3"]


def test_rows_are_fetched_some_at_a_time(monkeypatch):
    monkeypatch.setattr(deduplicate, "FETCHED_TOGETHER", 2)
    names = [f"{number % 5}.jpg" for number in range(10)]
    found, left = settled(
        *(row(f"t row {number}", filename=name) for number, name in enumerate(names))
    )
    assert sorted(left) == [f"{number}.jpg" for number in range(5)]
    assert sorted(reject.source for reject in found.rejects) == [
        f"t row {number}" for number in range(5, 10)
    ]


def test_the_same_name_in_another_split_is_no_repeat():
    assert not surveyed(row("t row 1"), row("v row 1", split="validation")).rejects


def test_a_survey_survives_json():
    found = surveyed(row("t row 1"), row("t row 2"), row("t row 3", label=4))
    again = survey.Survey.from_json(found.to_json())
    assert json.loads(again.to_json()) == json.loads(found.to_json())
    assert again.counts[("train", "manual", 4)] == 1 and again.num_rows == 3


def content(
    source: str, path: str, *, split: str = "train", subset: str = "manual"
) -> annotations.Row:
    return row(source, split=split)._replace(path=path, subset=subset)


def deduplicated(*rows: annotations.Row, high: int = 5) -> tuple[survey.Survey, list[str]]:
    """Drop duplicates among rows whose pictures are all the same; return with it the sources of
    those that stay."""
    hashed = np.array(
        [(*entry_of(place, one), high, 6) for place, one in enumerate(rows)], deduplicate.HASHED
    )
    found, stays = deduplicate.drop_duplicates(
        hashed, fetch=lambda some: [rows[i] for i in some["start"]]
    )
    return found, [rows[one["start"]].source for one in stays]


def dropped(*rows: annotations.Row) -> dict[str, str]:
    return deduplicated(*rows)[0].duplicates


def test_validation_wins_over_train():
    assert dropped(content("t 1", "a.jpg"), content("v 1", "b.jpg", split="validation")) == {
        "t 1": "b.jpg"
    }


def test_manual_wins_over_automatic_and_then_the_first_row():
    found = dropped(
        content("t 1", "a.jpg", subset="automatic"),
        content("t 9", "b.jpg"),
        content("t 10", "c.jpg"),
    )
    assert found == {"t 10": "b.jpg", "t 1": "b.jpg"}


def test_further_faces_of_one_file_and_copies_inside_validation_stay():
    assert dropped(content("t 1", "a.jpg"), content("t 2", "a.jpg")) == {}
    assert (
        dropped(
            content("v 1", "a.jpg", split="validation"), content("v 2", "b.jpg", split="validation")
        )
        == {}
    )


def test_pictures_that_cannot_be_read_are_no_duplicates():
    assert deduplicated(content("t 1", "a.jpg"), content("t 2", "b.jpg"), high=0)[1] == [
        "t 1",
        "t 2",
    ]


def test_dropped_rows_are_counted_and_not_used():
    rows = [row("t row 1"), row("t row 2", filename="b.jpg")]
    found, left = deduplicated(*rows)
    total = surveyed(*rows).merge(found)
    assert total.counts["train", "manual", 0] == 1 and total.num_rows == 2
    assert left == ["t row 1"]


def test_cleaned_rows_are_counted_and_not_used():
    found = survey.Survey()
    sad = row("t row 1", label=2)._replace(valence=0.5)
    assert not found.add(sad, clean="emonet")
    assert found.dropped == {
        ("train", "manual", 2, "valence or arousal contradicts the expression"): 1
    }
