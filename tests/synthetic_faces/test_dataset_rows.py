"""Rows of a sample: numbers per split and class, names, determinism."""

import collections

import numpy as np
import pytest

from synthetic_faces.examples import dataset_rows


def count(rows, split, subset="manual"):
    return collections.Counter(
        row.code for row in rows if (row.split, row.subset) == (split, subset)
    )


def test_three_thousand_rows_are_shared_out_as_promised():
    rows = dataset_rows.rows(num_images=3000, seed=1)
    assert [row.index for row in rows] == list(range(3000))
    assert dict(count(rows, "validation")) == dict.fromkeys(range(11), 40)
    assert sum(count(rows, "train", "automatic").values()) == 150
    train = count(rows, "train")
    assert [train[code] for code in range(11)] == [
        540,
        891,
        184,
        102,
        60,
        60,
        180,
        60,
        130,
        101,
        102,
    ]


@pytest.mark.parametrize("num_images", [44, 45, 100, 999, 12_345])
def test_a_sample_has_exactly_as_many_rows_as_asked_for_and_no_empty_class(num_images):
    rows = dataset_rows.rows(num_images=num_images, seed=0)
    assert len(rows) == num_images
    assert set(count(rows, "train")) == set(count(rows, "validation")) == set(range(11))
    assert len(set(count(rows, "validation").values())) == 1
    assert set(count(rows, "train", "automatic")) <= set(range(8))


def test_names_and_places_are_unique():
    rows = dataset_rows.rows(num_images=500, seed=3)
    assert len({row.name for row in rows}) == 500
    assert len({(row.split, row.subset, row.position) for row in rows}) == 500
    assert all(len(row.name) == 56 and int(row.name, 16) >= 0 for row in rows)


def test_the_seed_changes_order_and_names_but_no_count():
    first, second = (
        dataset_rows.rows(num_images=300, seed=1),
        dataset_rows.rows(num_images=300, seed=2),
    )
    assert [row.code for row in first] != [row.code for row in second]
    assert {row.name for row in first}.isdisjoint(row.name for row in second)
    assert count(first, "train") == count(second, "train")


def test_a_few_files_are_no_jpg():
    kinds = collections.Counter(row.suffix for row in dataset_rows.rows(num_images=3000, seed=1))
    assert set(kinds) == {".jpg", ".JPG", ".png", ".bmp"}
    assert kinds[".jpg"] > 2700


def test_without_ambiguous_faces_no_row_has_votes():
    rows = dataset_rows.rows(num_images=100, seed=1)
    assert {(row.blend, row.votes) for row in rows} == {(None, ())}


def test_ambiguous_faces_are_as_many_as_asked_for_between_two_expressions():
    rows = dataset_rows.rows(num_images=3000, seed=1, ambiguous_frac=0.25)
    faces = [row for row in rows if row.code <= 7]
    blends = [row.blend for row in faces if row.blend]
    assert 0.22 < len(blends) / len(faces) < 0.28
    assert all(blend.first != blend.second and 0.5 <= blend.share < 1 for blend in blends)
    assert {blend.second for blend in blends} == set(range(8))
    assert all(row.votes == () and row.blend is None for row in rows if row.code > 7)


def test_a_clear_face_has_ten_votes_for_its_code_and_an_ambiguous_one_by_its_shares():
    rows = dataset_rows.rows(num_images=3000, seed=1, ambiguous_frac=0.5)
    clear = [row for row in rows if row.votes and not row.blend]
    assert all(row.votes[row.code] == sum(row.votes) == 10 for row in clear)
    ambiguous = [row for row in rows if row.blend]
    first = [row.votes[row.blend.first] for row in ambiguous]
    second = [row.votes[row.blend.second] for row in ambiguous]
    assert all(one + other == 10 for one, other in zip(first, second, strict=True))
    expected = [10 * row.blend.share for row in ambiguous]
    assert np.corrcoef(first, expected)[0, 1] > 0.6
    assert np.mean(first) == pytest.approx(7.5, abs=0.2)


def test_the_label_is_one_more_vote():
    rows = dataset_rows.rows(num_images=3000, seed=1, ambiguous_frac=1.0)
    ambiguous = [row for row in rows if row.blend]
    assert all(row.code in row.blend[:2] for row in ambiguous)
    for low, high in ((0.5, 0.6), (0.9, 1.0)):
        own = [row.code == row.blend.first for row in ambiguous if low <= row.blend.share < high]
        assert np.mean(own) == pytest.approx((low + high) / 2, abs=0.06)


def test_only_the_votes_and_labels_of_a_sample_with_ambiguous_faces_are_others():
    clear = dataset_rows.rows(num_images=300, seed=1)
    ambiguous = dataset_rows.rows(num_images=300, seed=1, ambiguous_frac=0.5)
    assert [(row.name, row.split, row.suffix) for row in clear] == [
        (row.name, row.split, row.suffix) for row in ambiguous
    ]
    for one, other in zip(clear, ambiguous, strict=True):
        assert one.code == (other.blend.first if other.blend else other.code)
