"""Frequent confusions: order, shares and links, by hand."""

import re

from trainer.reports.sections import frequent_confusions
from webpage import markup

NAMES = ("neutral", "happy", "sad")
COUNTS = ((50, 6, 4), (0, 20, 4), (10, 0, 6))


def drawn(confusion, names=NAMES):
    content = frequent_confusions.section(confusion, names=names, anchor="at-{truth}-{predicted}")
    return str(markup.joined(content))


def test_confusions_are_sorted_by_count_and_of_equals_the_rarer_class_comes_first():
    found = frequent_confusions.ranked(COUNTS)
    assert [(each.truth, each.predicted, each.num_examples) for each in found] == [
        *((2, 0, 10), (0, 1, 6), (1, 2, 4), (0, 2, 4))
    ]
    assert found[0].of_class == 16 and found[0].of_mistakes == 24


def test_a_row_has_count_and_shares_and_leads_to_the_images():
    text = drawn(COUNTS)
    rows = re.findall(r"<tr><td>(.*?)</tr>", text)
    assert len(rows) == 4
    assert rows[0] == (
        'sad</td><td><a href="#at-2-0">neutral</a></td><td class="number">10</td>'
        '<td class="number">62%</td><td class="number">42%</td>'
    )
    assert "4 of 4 pairs of classes that were confused: 100% of the 24 mistakes." in text


def test_ten_are_shown_and_their_share_is_told():
    size = 5
    confusion = [[0 if i == j else 1 for j in range(size)] for i in range(size)]
    text = drawn(confusion, names=[f"c{n}" for n in range(size)])
    assert text.count("<tr><td>") == 10
    assert "10 of 20 pairs of classes that were confused: 50% of the 20 mistakes." in text


def test_without_a_mistake_it_says_so():
    assert "None: every example was predicted correctly." in drawn(
        ((3, 0, 0), (0, 2, 0), (0, 0, 0))
    )
