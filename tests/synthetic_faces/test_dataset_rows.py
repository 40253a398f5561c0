"""Rows of a sample: numbers per split and class, names, determinism."""

import collections

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
