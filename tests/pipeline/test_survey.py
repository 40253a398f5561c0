"""Rows about one picture: said twice, or further faces."""

import json

from pipeline import annotations, survey


def row(source: str, *, label: int = 0, filename: str = "a.jpg", split: str = "train") -> annotations.Row:
    return annotations.Row(split, "manual", filename, filename, label, 0.0, 0.0, None, "picture", b"", source)


def surveyed(*rows: annotations.Row) -> survey.Survey:
    total = survey.Survey()
    for one in rows:
        total.add(one)
    return total.merge(survey.find_repeats(survey.mention(one)[1] for one in rows))


def test_a_row_said_twice_is_rejected_once():
    found = surveyed(row("t row 2"), row("t row 10"), row("t row 3", filename="b.jpg"))
    assert found.counts == {("train", "manual", 0): 2}
    (reject,) = found.rejects
    assert (reject.source, reject.reason) == ("t row 10", "repeated row")
    assert reject.detail == "a row may be there once: this one repeats t row 2"


def test_a_further_face_in_a_picture_gets_a_name_of_its_own():
    rows = [row("t row 10", label=3), row("t row 2"), row("t row 4", label=1)]
    found = surveyed(*rows)
    assert found.renamed == {"t row 4": "a.jpg#2", "t row 10": "a.jpg#3"}
    assert [r.filename for r in survey.usable(rows, found)] == ["a.jpg#3", "a.jpg", "a.jpg#2"]
    assert not found.rejects


def test_the_same_name_in_another_split_is_no_repeat():
    assert not surveyed(row("t row 1"), row("v row 1", split="validation")).rejects


def test_usable_leaves_out_rejects():
    found = surveyed(row("t row 1"), row("t row 2"))
    reject = annotations.Reject("train", "manual", "x", -1, "bad label", "…", "t row 3")
    assert [r.source for r in survey.usable([row("t row 1"), row("t row 2"), reject], found)] == ["t row 1"]


def test_a_survey_survives_json():
    found = surveyed(row("t row 1"), row("t row 2"), row("t row 3", label=4))
    again = survey.Survey.from_json(found.to_json())
    assert json.loads(again.to_json()) == json.loads(found.to_json())
    assert again.counts[("train", "manual", 4)] == 1 and again.num_rows == 3


def content(source: str, path: str, *, split: str = "train", subset: str = "manual", hash_: str = "h"):
    return survey.Content(hash_, split, subset, 0, path, source)


def dropped(*contents: survey.Content) -> dict[str, str]:
    return survey.drop_duplicates(contents).duplicates


def test_validation_wins_over_train():
    assert dropped(content("t 1", "a.jpg"), content("v 1", "b.jpg", split="validation")) == {"t 1": "b.jpg"}


def test_manual_wins_over_automatic_and_then_the_first_row():
    found = dropped(
        content("t 10", "c.jpg"), content("t 9", "b.jpg"), content("t 1", "a.jpg", subset="automatic")
    )  # fmt: skip
    assert found == {"t 10": "b.jpg", "t 1": "b.jpg"}


def test_further_faces_of_one_file_and_copies_inside_validation_stay():
    assert dropped(content("t 1", "a.jpg"), content("t 2", "a.jpg")) == {}
    assert dropped(content("v 1", "a.jpg", split="validation"), content("v 2", "b.jpg", split="validation")) == {}


def test_dropped_rows_are_counted_and_not_usable():
    rows = [row("t row 1"), row("t row 2", filename="b.jpg")]
    found = surveyed(*rows).merge(
        survey.drop_duplicates([content("t row 1", "a.jpg"), content("t row 2", "b.jpg")])
    )  # fmt: skip
    assert found.counts["train", "manual", 0] == 1 and found.num_rows == 2
    assert [r.source for r in survey.usable(rows, found)] == ["t row 1"]


def test_cleaned_rows_are_counted_and_not_usable():
    found = survey.Survey()
    sad = row("t row 1", label=2)._replace(valence=0.5)
    assert not found.add(sad, clean="emonet")
    assert found.dropped == {("train", "manual", 2, "valence or arousal contradicts the expression"): 1}
    assert list(survey.usable([sad], found, clean="emonet")) == []
