"""Transforms on lists: each PTransform runs in memory, and its output is compared with a list."""

import json

import apache_beam as beam
import cv2
import numpy as np
import pytest
from apache_beam.testing import test_pipeline, util

from affectnet_tfds import face_crop
from pipeline.beam import (
    assign_tasks,
    counters,
    find_duplicates,
    survey_rows,
    write_shards,
)
from pipeline.files import atomic
from pipeline.rows import annotations, bounded_groups, row_index, stable_hash, survey_files
from pipeline.shards import plan, row_example, shard_writer, tasks
from pipeline.sources import base
from pipeline.sources.layouts import registry
from tests.pipeline import conftest

IMAGES = "Manually_Annotated/Manually_Annotated_Images"
SETTINGS = row_example.ExampleSettings(
    face_crop.Geometry(image_size=32, margin_frac=0.15, align=False), "jpeg", soft_labels=False
)


def assert_gives(transform: beam.PTransform, elements: list, expected: list) -> dict[str, int]:
    """Run a transform on a list; return the counters."""
    with test_pipeline.TestPipeline(runner="FnApiRunner") as pipeline:
        given = pipeline | "List" >> beam.Create(elements) | "Transform" >> transform
        util.assert_that(given, util.equal_to(expected))
    counted = pipeline.result.metrics().query()
    assert {found.key.metric.namespace for found in counted["counters"]} <= {counters.NAMESPACE}
    totals: dict[str, int] = {}
    for found in counted["counters"]:
        name = found.key.metric.name
        totals[name] = totals.get(name, 0) + found.committed
    return totals


def row(number: int, *, label: int = 0, path: str = "", split: str = "train") -> annotations.Row:
    return annotations.Row(
        split=split,
        subset="manual",
        path=path or f"{number}.jpg",
        filename=path or f"{number}.jpg",
        label=label,
        valence=0.5,
        arousal=0.25,
        box=(30.0, 20.0, 50.0, 40.0),
        box_from="annotation",
        landmarks=b"",
        source=f"t row {number}",
    )


def indexed(staging, rows: list[annotations.Row], *, stage: str = "surveyed") -> np.ndarray:
    """Write rows and their index as the survey does, in one bucket."""
    with atomic.writing(row_index.rows_of_part(staging, 0)) as file:
        writer = row_index.Rows(file, 0)
        for one in rows:
            writer.add(one, key=stable_hash.key(one.filename, 0))
    row_index.write(staging, stage, 0, writer.entries())
    return writer.entries()


def test_survey_rows_gives_one_survey_and_writes_an_index_without_repeated_rows(release, tmp_path):
    first = release.add("training", 0)
    release.add("training", 0, path=first)  # A repeated row.
    release.add("training", 1, path=first)  # A further face.
    release.add("training", 12)
    release.add("validation", 3, landmarks="")
    found = registry.recognise(release.write(), base.Request())
    parts = list(enumerate(found.parts()))
    transform = survey_rows.SurveyRows(
        found.root, str(tmp_path), clean="none", seed=0, buckets=2, num_parts=len(parts)
    )
    counted = assert_gives(transform, parts, [0, 1])
    surveyed = survey_files.total(tmp_path, survey_rows.PARTS, survey_rows.BUCKETS)
    assert json.loads(surveyed.to_json()) == (
        {
            "counts": [
                ["train", "manual", 0, 1],
                ["train", "manual", 1, 1],
                ["validation", "manual", 3, 1],
            ],
            "boxes": {"annotation": 4},
            "without_landmarks": 1,
            "rejects": [
                [
                    "train",
                    "manual",
                    "2/00000000000000000000000000000000000000000000000000000004.jpg",
                    -1,
                    "bad label",
                    "label must be 0..10: got '12'",
                    "training.csv row 4",
                ],
                [
                    "train",
                    "manual",
                    f"{IMAGES}/{first}",
                    0,
                    "repeated row",
                    "a row may be there once: this one repeats training.csv row 1",
                    "training.csv row 2",
                ],
            ],
            "dropped": [],
            "duplicates": {},
            "near_duplicates": {},
            "second_opinions": 1,
            "listed": {},
            "lines": {},
        }
    )
    assert counted == {"rows_read": 5, "rows_rejected": 2}
    entries = np.concatenate([row_index.read(tmp_path, "surveyed", bucket) for bucket in (0, 1)])
    names = {one.filename.rpartition(".")[2] for one in row_index.fetch(tmp_path, entries)}
    assert len(entries) == 3 and names == {"jpg", "jpg#2"}


def test_find_duplicates_drops_a_file_of_train_that_has_another_name(tmp_path):
    one, two = (cv2.imencode(".png", np.full((90, 90), gray, np.uint8))[1] for gray in (1, 2))
    for name, content in (("a", one), ("b", one), ("c", two), ("d", one)):
        (tmp_path / name).write_bytes(content.tobytes())
    rows = [row(1, path="a"), row(2, path="b"), row(3, path="c"), row(4, path="gone")]
    indexed(tmp_path, [*rows, row(5, path="d", label=9)])
    scan = find_duplicates.Scan(str(tmp_path), str(tmp_path), classes=8, settings=SETTINGS)
    transform = find_duplicates.FindDuplicates(scan, buckets=1, num_rows=5)
    counted = assert_gives(transform, [0], [0])
    dropped = survey_files.total(tmp_path, find_duplicates.DUPLICATES)
    assert json.loads(dropped.to_json()) == (
        {
            "counts": [["train", "manual", 0, -1]],
            "boxes": {},
            "without_landmarks": 0,
            "rejects": [],
            "dropped": [["train", "manual", 0, "identical file", 1]],
            "duplicates": {"t row 2": "a"},
            "near_duplicates": {},
            "second_opinions": 0,
            "listed": {},
            "lines": {},
        }
    )
    assert (counted["images_read"], counted["bytes_read"]) == (3, 2 * len(one) + len(two))
    left = row_index.fetch(tmp_path, row_index.read(tmp_path, "unique", 0))
    assert sorted(one.path for one in left) == ["a", "c", "gone"]


@pytest.mark.parametrize("rows_ranked_together", [150_000, 2])
def test_assign_tasks_gives_each_shard_the_entries_of_its_examples(
    tmp_path, monkeypatch, rows_ranked_together
):
    monkeypatch.setattr(plan, "MAX_ROWS_RANKED_TOGETHER", rows_ranked_together)
    entries = indexed(tmp_path, [row(number, label=number // 4) for number in range(5)])
    by_key = entries[:4][np.argsort(entries["key"][:4])]
    split_plan = plan.SplitPlan("train", {0: 4, 1: 1}, {0: 3, 1: 2}, 2)
    name = "affectnet_faces-train.tfrecord-{:05d}-of-00002".format
    # Class 0: the 3 rows of lowest key, to shards 0, 1, 0; class 1: two copies, to shards 1, 0.
    expected = [
        (name(0), (int(by_key["start"][0]), 0)),
        (name(1), (int(by_key["start"][1]), 0)),
        (name(0), (int(by_key["start"][2]), 0)),
        (name(1), (int(entries["start"][4]), 0)),
        (name(0), (int(entries["start"][4]), 1)),
    ]

    class Unpacked(beam.PTransform):
        def expand(self, buckets):
            transform = assign_tasks.AssignTasks(
                {"train": split_plan}, str(tmp_path), stage="surveyed"
            )
            return (
                buckets
                | "Under" >> transform
                | "Unpack" >> beam.FlatMapTuple(_unpacked, staging=str(tmp_path))
            )

    assert_gives(Unpacked(), [0, 1], expected)  # Bucket 1 had nothing to write.


def _unpacked(name: str, value: bytes, staging: str = "") -> list[tuple[str, tuple[int, int]]]:
    dealt = bounded_groups.received([value], staging=staging, stage="dealt", dtype=tasks.DEALT)
    return [
        (name, pair) for pair in zip(dealt["start"].tolist(), dealt["copy"].tolist(), strict=True)
    ]


NAME = "affectnet_faces-train.tfrecord-00000-of-00001"


@pytest.fixture
def three_rows(release, tmp_path) -> tuple[shard_writer.Spec, list[bytes]]:
    """Three rows to write, the last without its file; the first also as a further copy."""
    paths = [f"{IMAGES}/{release.add('training', 0)}" for _ in range(2)]
    entries = indexed(tmp_path, [row(n, path=path) for n, path in enumerate([*paths, "gone"])])
    dealt = row_index.converted(entries[[0, 1, 2, 0]], tasks.DEALT)
    dealt["copy"] = [0, 0, 0, 1]
    spec = shard_writer.Spec(str(release.root), str(tmp_path), SETTINGS, seed=0, content={})
    return spec, [bounded_groups.whole(dealt[:2]), bounded_groups.whole(dealt[2:])]


def test_write_shards_gives_the_names_of_finished_shards_and_counts_once(three_rows, tmp_path):
    spec, packed = three_rows
    elements = [(NAME, part) for part in packed]
    counted = assert_gives(write_shards.WriteShards(spec), elements, [NAME])
    done = shard_writer.sidecar(spec, NAME)
    image_bytes = [path.stat().st_size for path in sorted(tmp_path.rglob("*/?/*.jpg"))]
    assert (done["num_examples"], len(done["rejects"]), len(image_bytes)) == (3, 1, 2)
    decoding_ms, hashing_ms = counted.pop("decoding_ms"), counted.pop("hashing_ms")
    assert 0 <= hashing_ms <= decoding_ms < 60_000
    assert counted == {
        "images_read": 3,
        "images_rejected": 1,
        "images_written": 3,
        "bytes_read": 2 * done_bytes(spec, 0) + done_bytes(spec, 1),
        "bytes_written": (tmp_path / NAME).stat().st_size,
    }
    again = assert_gives(write_shards.WriteShards(spec), elements, [NAME])
    assert again == {}  # The shard was there.


def done_bytes(spec: shard_writer.Spec, number: int) -> int:
    """Bytes of the image file of a row."""
    entries = row_index.read(conftest.storage.path(spec.staging), "surveyed", 0)
    (found,) = row_index.fetch(conftest.storage.path(spec.staging), entries[[number]])
    return (conftest.storage.path(spec.root) / found.path).stat().st_size


def test_write_shards_gives_nothing_when_the_attempt_was_given_up(three_rows):
    spec, packed = three_rows
    given_up = spec._replace(attempt="mine")
    assert_gives(write_shards.WriteShards(given_up), [(NAME, packed[0])], [])


def test_write_shards_fails_on_a_row_of_another_format_version(three_rows, tmp_path):
    spec, packed = three_rows
    row_index.rows_of_part(tmp_path, 0).rename(tmp_path / "rows-000000")
    with pytest.raises(
        RuntimeError, match=r"rows-v2-000000' \[while running 'Transform/WriteShard'\]"
    ):
        assert_gives(write_shards.WriteShards(spec), [(NAME, packed[0])], [NAME])
