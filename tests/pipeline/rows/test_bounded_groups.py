"""Bounded groups: what a key gets, in memory or through files, and how much that can be."""

import collections

import numpy as np
import pytest

from pipeline.beam import find_duplicates
from pipeline.rows import bounded_groups, deduplicate, row_index
from pipeline.shards import plan


def entries(count: int, *, first: int = 0) -> np.ndarray:
    made = np.zeros(count, row_index.ENTRY)
    made["start"] = range(first, first + count)
    return made


def send(staging, sent: dict[int, list[int]], *, share: int) -> dict[int, list[bytes]]:
    """Give every sender's entries to the keys named, one entry each; return the values by key."""
    values = collections.defaultdict(list)
    for number, keys in sent.items():
        sender = bounded_groups.Sender(str(staging), "test", number, share)
        of_sender = entries(len(keys), first=100 * number)
        for key, value in bounded_groups.sent(of_sender, np.array(keys), sender=sender):
            values[key].append(value)
    return values


@pytest.mark.parametrize(("share", "files"), [(1_000, 0), (29 + 24, 1), (28, 2), (0, 2)])
def test_a_key_gets_its_entries_in_memory_or_through_files(tmp_path, share, files):
    # An entry takes 24 bytes, the first byte of a value 1, and Beam 4.
    values = send(tmp_path, {0: [5, 7, 5, 5], 3: [7, 8]}, share=share)
    got = {
        key: bounded_groups.received(of_key, staging=str(tmp_path), stage="test")["start"].tolist()
        for key, of_key in values.items()
    }
    assert got == {5: [0, 2, 3], 7: [1, 300], 8: [301]}
    assert len(list(tmp_path.iterdir())) == files
    assert all(row_index.is_working_file(path.name) for path in tmp_path.iterdir())


def test_a_key_never_gets_more_than_it_may_whatever_it_is_sent(tmp_path, monkeypatch):
    monkeypatch.setattr(bounded_groups, "MAX_KEY_BYTES", 1_000)
    share = bounded_groups.share_bytes(10)
    values = send(tmp_path, {number: [0] * 60 for number in range(10)}, share=share)
    assert 10 * 60 * row_index.ENTRY.itemsize == 14_400
    assert bounded_groups.num_bytes(values[0]) == 10 * (1 + 8 + 8 + 4 + 4)
    found = bounded_groups.received(values[0], staging=str(tmp_path), stage="test")
    assert len(found) == 600


def test_a_key_with_more_than_it_may_get_is_a_defect(monkeypatch):
    monkeypatch.setattr(bounded_groups, "MAX_KEY_BYTES", 30)
    assert bounded_groups.num_bytes([bytes(26)]) == 30
    with pytest.raises(AssertionError, match="a key may get 30 bytes: this one gets 31"):
        bounded_groups.num_bytes([bytes(27)])


def test_keys_that_have_no_shares_are_small_enough_by_their_rows():
    # Ranges of keys are of equal width: their rows differ as draws of a coin do, here by 6 sigma.
    rows = plan.MAX_ROWS_RANKED_TOGETHER + 6 * plan.MAX_ROWS_RANKED_TOGETHER**0.5
    # At worst each entry comes alone, with a byte that says how long it is.
    assert rows * (row_index.ENTRY.itemsize + 1) <= bounded_groups.MAX_KEY_BYTES <= 4_000_000
    batches = find_duplicates.GATHERED_ROWS // find_duplicates.BATCH_ROWS
    hashes = find_duplicates.GATHERED_ROWS * deduplicate.HASHED.itemsize
    assert hashes + batches * bounded_groups.CODER_BYTES <= bounded_groups.MAX_KEY_BYTES
