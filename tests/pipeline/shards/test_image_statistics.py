"""Statistics of a shard's images: bins, cells, specimens and sums."""

import collections
import math

import numpy as np
import pytest

from affectnet_tfds import crop_geometry, face_alignment
from pipeline.shards import image_statistics

Row = collections.namedtuple("Row", "label path valence arousal")


def info(*, size=(200, 100), box=50.0, side=80):
    return image_statistics.ImageInfo(size, box, crop_geometry.Square(10, 20, side).outline())


def counted(*rows, **changes):
    statistics = image_statistics.ImageStatistics()
    for offset, row in enumerate(rows):
        statistics.add(row, info(**changes), image_size=64, offset=offset)
    return statistics.to_json()


def test_sizes_are_counted_by_the_next_smaller_edge():
    found = counted(Row(0, "a", 0.5, 0.5), size=(100, 255), box=64.0)
    assert (found["picture_px"], found["box_px"]) == ({"192": 1}, {"64": 1})
    assert counted(Row(0, "a", 0.5, 0.5), size=(9000, 10), box=8.0)["picture_px"] == {"4096": 1}


@pytest.mark.parametrize(
    ("value", "cell"), [(-1, 0), (-0.95, 0), (0, 10), (0.05, 10), (0.999, 19), (1, 19)]
)
def test_valence_and_arousal_fall_into_cells_of_a_tenth(value, cell):
    assert counted(Row(3, "a", value, 0.25))["affect"] == [[3, cell, 12, 1]]


def test_rows_without_valence_are_not_counted_there():
    assert counted(Row(3, "a", math.nan, 0.25), Row(3, "a", 0.25, math.nan))["affect"] == []


def test_crops_smaller_than_the_picture_they_become_are_counted():
    assert counted(Row(0, "a", 0, 0), side=63)["enlarged"] == 1
    assert counted(Row(0, "a", 0, 0), side=64)["enlarged"] == 0


def test_a_few_specimens_of_each_class_are_remembered():
    found = counted(*[Row(label, f"{label}{i}", 0, 0) for i in range(6) for label in (0, 7)])
    assert [one["path"] for one in found["specimens"]] == [
        "00",
        "70",
        "01",
        "71",
        "02",
        "72",
        "03",
        "73",
    ]
    assert found["specimens"][1] == {
        "label": 7,
        "path": "70",
        "at": 1,
        "picture_size": [200, 100],
        "outline": [[10, 20], [90, 20], [10, 100]],
    }


def test_shards_add_up():
    one, two = counted(Row(0, "a", 0, 0)), counted(Row(0, "b", 0, 0), Row(1, "c", 0, 0), side=10)
    total = image_statistics.total([one, two])
    assert total.image_px == {192: 3} and total.enlarged == 2
    assert total.affect == {(0, 10, 10): 2, (1, 10, 10): 1}


def test_the_outline_of_an_aligned_crop_maps_to_its_corners():
    turned = face_alignment.Similarity(a=0.006, b=0.008, tx=-0.3, ty=0.2)
    np.testing.assert_allclose(turned.points(turned.outline()), [(0, 0), (1, 0), (0, 1)], atol=1e-6)
    assert image_statistics.crop_side(turned.outline()) == pytest.approx(100)


def test_the_middle_of_a_cell():
    assert [image_statistics.cell_centre(cell) for cell in (0, 10, 19)] == [-0.95, 0.05, 0.95]
