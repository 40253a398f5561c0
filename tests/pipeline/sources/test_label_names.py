"""Names of expressions and splits, and the flag that gives labels a meaning."""

import pytest

from pipeline.sources import label_names
from runtime import errors


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1", "--labels must be like --labels=1=surprise,2=fear: got '1' in '1'"),
        ("1=glee", "--labels must give each label one of neutral, happy, .*: got 1=glee"),
        ("1=11", "--labels must give each label one of neutral, happy, .*: got 1=11"),
    ],
)
def test_a_flag_that_names_no_expression_is_refused(text, message):
    with pytest.raises(errors.UserError, match=message):
        label_names.parse_labels(text)


@pytest.mark.parametrize("name", ["faces", "train", "123", "", "images", "happyhour"])
def test_other_words_are_no_expression(name):
    assert label_names.code_of(name) is None


@pytest.mark.parametrize(
    "name", ["trainer", "images", "evaluation", "", "latest", "contest", "strain"]
)
def test_other_words_are_no_split(name):
    assert label_names.split_of(name) == ""
