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
