"""Rows in files, and the entries that find them again."""

import math

import numpy as np
import pytest

from pipeline.files import atomic
from pipeline.rows import annotations, row_index


def row(number: int, *, split: str = "train", size: int = 8) -> annotations.Row:
    return annotations.Row(
        split=split,
        subset="manual",
        path=f"p/{number}.jpg",
        filename=f"{number}.jpg",
        label=number % 8,
        valence=math.nan,
        arousal=0.25,
        box=(1.0, 2.0, 30.5, 40.0),
        box_from="annotation",
        landmarks=bytes(size),
        source=f"t row {number}",
        soft_label=(0.5, 0.5),
    )


def written(staging, part: int, rows: list[annotations.Row]) -> np.ndarray:
    with atomic.writing(row_index.rows_of_part(staging, part)) as file:
        kept = row_index.Rows(file, part)
        for number, one in enumerate(rows):
            kept.add(one, key=number)
    return kept.entries()


def same(found: list[annotations.Row], wanted: list[annotations.Row]) -> bool:
    return repr(found) == repr(wanted)  # NaN is not equal to itself.


def test_rows_come_back_as_they_were_in_the_order_asked_for(tmp_path):
    first, second = [row(n) for n in range(20)], [row(n, split="validation") for n in range(20, 25)]
    entries = np.concatenate([written(tmp_path, 3, first), written(tmp_path, 0, second)])
    order = np.random.default_rng(0).permutation(25)
    assert same(row_index.fetch(tmp_path, entries[order]), [[*first, *second][n] for n in order])
    assert [row_index.SPLITS[n] for n in entries["split"]] == ["train"] * 20 + ["validation"] * 5
    assert entries["label"].tolist() == [n % 8 for n in range(25)]
    assert row_index.fetch(tmp_path, entries[:0]) == []


def test_a_further_face_is_fetched_under_its_own_name(tmp_path):
    entries = written(tmp_path, 0, [row(1), row(2), row(3)])
    entries["face"] = [0, 1, 2]
    assert [one.filename for one in row_index.fetch(tmp_path, entries)] == [
        "1.jpg",
        "2.jpg",
        "3.jpg#2",
    ]


def test_neighbours_are_read_at_once_and_what_lies_between_far_ones_is_not(tmp_path, monkeypatch):
    entries = written(tmp_path, 0, [row(n, size=3_000) for n in range(6)])
    reads, real = [], row_index._read_span
    monkeypatch.setattr(
        row_index, "_read_span", lambda place, span: reads.append(len(span)) or real(place, span)
    )
    wanted = entries[
        [0, 2, 5]
    ]  # 3 kB lie between the first two: reading them is quicker than another call.
    assert [one.filename for one in row_index.fetch(tmp_path, wanted)] == [
        "0.jpg",
        "2.jpg",
        "5.jpg",
    ]
    assert reads == [2, 1]


def test_large_pieces_are_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(row_index, "SPAN_BYTES", 2_000)
    entries = written(tmp_path, 0, [row(n, size=900) for n in range(9)])
    spans = list(row_index._spans(entries, np.arange(9), gap_bytes=1 << 20))
    assert sum(map(len, spans)) == 9 and max(map(len, spans)) == 2
    assert len(row_index.fetch(tmp_path, entries)) == 9


def test_an_entry_takes_as_little_as_the_docs_say():
    assert row_index.ENTRY.itemsize == 24


def test_a_file_of_the_index_that_had_nothing_is_empty(tmp_path):
    entries = written(tmp_path, 0, [row(1), row(2)])
    row_index.write(tmp_path, "stage", 4, entries)
    assert np.array_equal(row_index.read(tmp_path, "stage", 4), entries)
    assert len(row_index.read(tmp_path, "stage", 5)) == 0
    assert all(row_index.is_working_file(path.name) for path in tmp_path.iterdir())


def test_what_an_earlier_attempt_left_goes_and_finished_shards_stay(tmp_path):
    row_index.write(tmp_path, "unique", 7, written(tmp_path, 3, [row(1)]))
    (tmp_path / "affectnet_faces-train.tfrecord-00000-of-00001").touch()
    row_index.clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [
        "affectnet_faces-train.tfrecord-00000-of-00001"
    ]
    assert len(row_index.read(tmp_path, "unique", 7)) == 0


@pytest.mark.parametrize("numbers", [[], [4, 4, 4], [2, 0, 2]])
def test_entries_are_dealt_to_the_numbers_that_there_are(numbers):
    entries = np.zeros(len(numbers), row_index.ENTRY)
    entries["start"] = range(len(numbers))
    made = [
        (number, some["start"].tolist())
        for number, some in row_index.dealt(entries, np.array(numbers, int))
    ]
    assert made == {0: [], 4: [(4, [0, 1, 2])], 2: [(0, [1]), (2, [0, 2])]}[max(numbers, default=0)]


def test_groups_are_the_entries_that_agree_in_all_fields_in_the_order_of_the_release():
    entries = np.zeros(7, row_index.ENTRY)
    entries["key"] = [5, 9, 5, 5, 9, 7, 5]
    entries["split"] = [0, 0, 1, 0, 0, 0, 1]
    entries["part"] = [1, 0, 0, 0, 0, 0, 0]
    entries["start"] = [0, 50, 7, 9, 20, 0, 3]
    groups = {tuple(group.tolist()) for group in row_index.grouped(entries, ("key", "split"))}
    assert groups == {(3, 0), (4, 1), (6, 2)}
    assert list(row_index.grouped(entries[:0], ("key",))) == []


@pytest.mark.parametrize(("num_bytes", "files"), [(0, 1), (16 << 20, 1), ((16 << 20) + 1, 2)])
def test_the_index_is_kept_in_files_of_some_megabytes_of_annotations(num_bytes, files):
    assert row_index.num_buckets(num_bytes) == files
