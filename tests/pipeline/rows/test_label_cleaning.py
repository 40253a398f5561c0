"""EmoNet's rules on rows worked out by hand."""

import math

import pytest

from pipeline.rows import annotations, label_cleaning


def reason(label: int, valence: float, arousal: float, rules: str = "emonet") -> str:
    row = annotations.Row(
        "train", "manual", "a", "a", label, valence, arousal, None, "picture", b"", "s"
    )
    return label_cleaning.contradiction(row, rules)


@pytest.mark.parametrize(
    ("label", "valence", "arousal", "stays"),
    [
        (0, 0.1, 0.1, True), (0, 0.2, 0.0, False),
        (1, 0.3, -0.5, True), (1, -0.3, 0.5, False), (1, 0.1, 0.1, False), (1, 0.2, 0.0, False),
        (2, -0.3, 0.0, True), (2, 0.3, 0.0, False),
        (3, -0.9, 0.1, True), (3, 0.9, -0.1, False),
        (4, 0.0, 0.3, True), (4, 0.1, 0.3, False), (4, -0.3, -0.1, False),
        (5, -0.31, 0.0, True), (5, -0.25, 0.0, False), (5, 0.4, 0.0, False),
        (6, -0.3, 0.3, True), (6, -0.3, -0.3, False),
        (7, -0.3, 0.0, True), (7, 0.3, 0.0, False),
        (8, 0.9, 0.9, True), (1, math.nan, 0.5, True),
    ],
)  # fmt: skip
def test_rows_stay_or_go_by_the_published_rules(label, valence, arousal, stays):
    assert (reason(label, valence, arousal) == "") is stays


def test_nothing_goes_without_the_flag():
    assert reason(1, -0.9, 0.0, rules="none") == ""


def test_the_reason_is_said():
    assert reason(0, 0.9, 0.0) == "neutral but intense"
    assert reason(2, 0.9, 0.0) == "valence or arousal contradicts the expression"
    assert reason(2, -0.1, 0.0) == "too weak for its expression"
