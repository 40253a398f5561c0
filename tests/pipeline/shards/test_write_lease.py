"""Workers that nobody waits for stop, and leave nothing."""

import pytest

from affectnet_tfds import dataset_paths, face_crop
from pipeline.rows import annotations
from pipeline.shards import row_example, shard_writer, tasks, write_lease
from tests.pipeline import conftest

SETTINGS = row_example.ExampleSettings(
    face_crop.Geometry(image_size=32, margin_frac=0.15, align=False), "jpeg", soft_labels=False
)
NAME = "affectnet_faces-train.tfrecord-00000-of-00001"


@pytest.fixture
def three_tasks(tmp_path) -> list[tasks.Task]:
    writer = conftest.ReleaseWriter(tmp_path)
    paths = [writer.add("training", 0) for _ in range(3)]
    row = annotations.Row(
        "train", "manual", "", "", 0, 0.0, 0.0, (30, 20, 50, 40), "annotation", b"", ""
    )
    images = "Manually_Annotated/Manually_Annotated_Images"
    return [
        tasks.Task(i, 0, row._replace(path=f"{images}/{path}", filename=path))
        for i, path in enumerate(paths)
    ]


def spec(tmp_path, attempt: str) -> shard_writer.Spec:
    (tmp_path / "staging").mkdir(exist_ok=True)
    return shard_writer.Spec(
        str(tmp_path), str(tmp_path / "staging"), SETTINGS, seed=0, content={}, attempt=attempt
    )


def finished(tmp_path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "staging").glob("affectnet_faces*"))


def test_the_workers_of_the_attempt_write(tmp_path, three_tasks):
    spec(tmp_path, "")
    with write_lease.opened(tmp_path / "staging") as attempt:
        written = shard_writer.write(spec(tmp_path, attempt), NAME, three_tasks)
    assert written.sidecar["num_examples"] == 3
    assert finished(tmp_path) == sorted([dataset_paths.index_name(NAME), NAME, f"{NAME}.json"])
    assert not (tmp_path / "staging" / write_lease.LEASE_FILE).exists()


@pytest.mark.parametrize("given_up", [True, False])
def test_those_of_an_attempt_given_up_or_replaced_do_not(tmp_path, three_tasks, given_up):
    spec(tmp_path, "")
    if not given_up:
        (tmp_path / "staging" / write_lease.LEASE_FILE).write_text("another")
    with pytest.raises(write_lease.Abandoned):
        shard_writer.write(spec(tmp_path, "mine"), NAME, three_tasks)
    assert finished(tmp_path) == []


def test_a_worker_stops_in_the_middle_of_a_shard(tmp_path, three_tasks, monkeypatch):
    crop, count = row_example.crop, []

    def crop_and_give_up(*arguments):
        count.append(arguments)
        note.unlink(missing_ok=True)
        return crop(*arguments)

    monkeypatch.setattr(row_example, "crop", crop_and_give_up)
    spec(tmp_path, "")
    note = tmp_path / "staging" / write_lease.LEASE_FILE
    with pytest.raises(write_lease.Abandoned), write_lease.opened(tmp_path / "staging") as attempt:
        shard_writer.write(spec(tmp_path, attempt), NAME, three_tasks)
    assert len(count) == 1
    assert NAME not in finished(tmp_path)


def test_a_folder_that_is_gone_belongs_to_nobody(tmp_path):
    with pytest.raises(
        write_lease.Abandoned, match=r"attempt mine may not write into .*: none may"
    ):
        write_lease.check(tmp_path / "gone", "mine")
