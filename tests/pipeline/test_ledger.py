"""The account of every row."""

import pytest

from pipeline import ledger
from pipeline.rows import annotations, survey
from pipeline.shards import plan


def sidecar(split: str, rows: dict, examples: dict, rejects=()) -> dict:
    return {
        "name": f"affectnet_faces-{split}.tfrecord-00000-of-00001",
        "rows": rows, "label_counts": examples, "rejects": [list(r) for r in rejects],
    }  # fmt: skip


def bad(source: str, label: int = 0, reason: str = "broken picture") -> annotations.Reject:
    return annotations.Reject("train", "manual", "x.jpg", label, reason, "…", source)


def account(rows_written: int) -> ledger.Ledger:
    found = survey.Survey()
    found.counts.update(
        {("train", "manual", 0): 10, ("train", "automatic", 0): 5, ("train", "manual", 9): 4}
    )
    found.rejects = [
        bad("t row 1", label=-1, reason="bad label"),
        bad("t row 2", reason="bad valence"),
    ]
    plans = {"train": plan.SplitPlan("train", {0: 15}, {0: 8}, 1)}
    late = [
        bad("t row 12"),
        bad("t row 12"),
        bad("t row 5"),
    ]  # One of them met twice, for two copies.
    return ledger.make(found, plans, [sidecar("train", {"0": rows_written}, {"0": 6}, late)])


def test_every_row_has_one_fate():
    bad_label, neutral, uncertain = account(6).lines
    assert (bad_label.label, bad_label.read, bad_label.rejected) == (-1, 1, 1)
    assert neutral == ledger.Line(
        "train", 0, read=16, written=6, left_out=7, other_class=0, dropped=0, rejected=3, examples=6
    )
    assert (uncertain.read, uncertain.other_class) == (4, 4)
    assert account(6).num_rows == 21


def test_an_account_that_does_not_close_is_a_defect():
    with pytest.raises(AssertionError, match="does not close"):
        account(5)


def test_rejects_are_counted_by_split_class_and_reason():
    assert account(6).to_json()["rejected_by_class"] == [
        {"split": "train", "label": -1, "reason": "bad label", "rows": 1},
        {"split": "train", "label": 0, "reason": "bad valence", "rows": 1},
        {"split": "train", "label": 0, "reason": "broken picture", "rows": 2},
    ]


def test_reasons_are_counted_once_a_row_and_the_worst_comes_first():
    assert account(6).reasons() == [("broken picture", 2), ("bad label", 1), ("bad valence", 1)]
