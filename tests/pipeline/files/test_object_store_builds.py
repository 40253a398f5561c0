"""A release in a store, shards in a store: the bytes of a build on a disk, visible as a whole or
not at all."""

import csv
import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tensorflow_datasets as tfds

from affectnet_tfds import tfrecord
from pipeline import build, console, convert, verify
from pipeline.files import atomic, checksums, object_store, storage
from pipeline.shards import array_record
from pipeline.sources import base
from pipeline.sources.layouts import registry
from runtime import machine
from synthetic_faces import release as sample_release
from synthetic_faces import settings
from tests.pipeline import conftest, test_main
from tests.pipeline.files import s3_server

pytestmark = pytest.mark.slow

RELEASE, DATA = "s3://bucket/AffectNet", "s3://bucket/data"
FOLDER = f"{DATA}/affectnet_faces/tiny"
VERSION = f"{FOLDER}/1.0.0"
SCALING = (Path(__file__).parents[3] / "docs" / "scaling.md").read_text(encoding="utf-8")


def sums(version: str) -> dict[str, str]:
    shards = object_store.parse(version).glob("*.tfrecord*")
    return {shard.name: hashlib.sha256(shard.read_bytes()).hexdigest() for shard in shards}


@pytest.fixture
def on_s3(s3, job_config, small_release):
    """Make configurations for the small release, in the store."""
    s3_server.upload(small_release, RELEASE)
    s3.requests.clear()
    return lambda **changes: job_config(**{"input_dir": RELEASE, "data_dir": DATA, **changes})


def test_the_bytes_are_those_of_a_build_on_a_disk(s3, on_s3, job_config):
    local, remote = test_main.run(job_config()), test_main.run(on_s3())
    assert str(remote.version) == VERSION
    assert sums(VERSION) == test_main.sums(local.version)
    assert s3_server.names(VERSION) == sorted(path.name for path in local.version.iterdir())
    assert remote.account == local.account
    assert all(name.startswith("1.0.0/") for name in s3_server.names(FOLDER)), (
        "the staging folder is gone"
    )
    for name in ("dataset_info.json", "features.json"):
        assert (object_store.parse(VERSION) / name).read_text() == (
            local.version / name
        ).read_text()


def test_the_bytes_do_not_depend_on_workers_or_on_where_only_the_shards_are(
    s3, on_s3, job_config, small_release
):
    local = test_main.sums(test_main.run(job_config(num_shards=5)).version)
    test_main.run(on_s3(num_shards=5, num_workers=2, input_dir=str(small_release)))
    assert sums(VERSION) == local


def test_verify_proves_what_is_in_a_store_and_sees_what_is_wrong(s3, on_s3, capsys, monkeypatch):
    monkeypatch.setattr(machine, "cpu_count", lambda: 1)  # A process takes seconds to start.
    test_main.run(on_s3())
    assert verify.run(DATA) == 0
    assert (
        f"verified      {VERSION}: " in (said := capsys.readouterr().out)
        and "all checksums, counts, labels and images are correct" in said
    )
    shard = next(object_store.parse(VERSION).glob("*train.tfrecord*"))
    shard.write_text("no records")
    assert verify.run(VERSION) == 1
    assert f"{shard.name}, record 0: the checksum of its length" in capsys.readouterr().out


def test_the_metadata_come_last(s3, on_s3):
    test_main.run(on_s3())
    made = [
        request for request in s3.requests if request.key.startswith(VERSION.removeprefix("s3://"))
    ]
    written = [request.key.rpartition("/")[2] for request in made if request.method == "COPY"]
    assert written[-2:] == ["dataset_info.json", "features.json"]
    assert not [request for request in made if request.method in ("PUT", "POST")], (
        "files are copied by the store"
    )


def test_a_version_is_converted_where_it_is(s3, on_s3, monkeypatch):
    monkeypatch.setattr(machine, "cpu_count", lambda: 1)
    version = test_main.run(on_s3(num_shards=1)).version
    names = [
        f"affectnet_faces-{split}.array_record-00000-of-00001" for split in ("train", "validation")
    ]
    assert convert.convert(version) == names
    assert checksums.read(version).by_name.keys() >= set(names)
    for name in names:
        shard = version / name.replace("array_record", "tfrecord")
        records = list(tfrecord.records(shard.read_bytes()))
        assert records and not array_record.defect(version / name, records)
    assert not [name for name in s3_server.names(FOLDER) if not name.startswith("1.0.0/")]


def test_a_version_that_is_replaced_goes_before_another_comes(s3, on_s3):
    first = test_main.run(on_s3())
    s3.requests.clear()
    second = test_main.run(on_s3(seed=1, overwrite=True))
    changes = [
        (r.method, r.key.rpartition("/")[2])
        for r in s3.requests
        if r.key.startswith(VERSION[5:] + "/")
    ]
    changes = [(method, name) for method, name in changes if method in ("DELETE", "COPY")]
    assert changes[0] == ("DELETE", "features.json") and changes[-1] == ("COPY", "features.json")
    assert first.report["shards"] != second.report["shards"]
    assert sums(VERSION) == {shard["name"]: shard["sha256"] for shard in second.report["shards"]}


@pytest.mark.parametrize(
    ("method", "name", "is_published"),
    [
        ("PUT", ".building-1.0.0/publishing", False),
        ("COPY", "1.0.0/affectnet_faces-validation.tfrecord-00000-of-00001", False),
        ("COPY", "1.0.0/features.json", False),
        ("POST", "bucket", True),  # The removal of the staging folder.
    ],
)
def test_a_publishing_that_was_cut_off_is_done_again_without_making_a_shard(
    s3, on_s3, monkeypatch, method, name, is_published
):
    monkeypatch.setattr(object_store, "ATTEMPTS", 1)
    object_store._open.cache_clear()
    s3.fault = lambda request: 500 * (request.method == method and request.key.endswith(name))
    with pytest.raises(object_store.Unreachable, match=r"500"):
        test_main.run(on_s3())
    s3.fault = lambda request: 0
    assert atomic.is_published(object_store.parse(VERSION), last=["features.json"]) == is_published
    s3.requests.clear()
    built = test_main.run(on_s3())
    assert sums(VERSION) == {shard["name"]: shard["sha256"] for shard in built.report["shards"]}
    assert not [r for r in s3.requests if r.method == "PUT" and ".tfrecord" in r.key]
    assert all(name.startswith("1.0.0/") for name in s3_server.names(FOLDER)), (
        "the staging folder is gone"
    )
    object_store._open.cache_clear()


def test_a_store_that_fails_fails_the_build_and_rejects_nothing(s3, on_s3, monkeypatch):
    monkeypatch.setattr(object_store, "ATTEMPTS", 1)
    object_store._open.cache_clear()
    s3.fault = lambda request: 503 * (request.key.endswith("7.jpg"))
    with pytest.raises(
        object_store.Unreachable, match=r"cannot read or write .*7\.jpg: .*; nothing is lost"
    ) as raised:
        test_main.run(on_s3(max_reject_frac=1.0))
    assert raised.value.exit_code == 1
    assert "[while running" not in str(raised.value)
    s3.fault = lambda request: 0
    assert test_main.run(on_s3()).account.rejects == ()
    object_store._open.cache_clear()


def test_identical_files_are_dropped_as_on_a_disk(s3, on_s3, job_config, small_release):
    pictures = sorted(
        (small_release / "Manually_Annotated" / "Manually_Annotated_Images").rglob("*.jpg")
    )
    pictures[0].write_bytes(pictures[1].read_bytes())
    s3_server.upload(
        pictures[0].parent,
        f"{RELEASE}/Manually_Annotated/Manually_Annotated_Images/{pictures[0].parent.name}",
    )
    fields = {"drop_duplicates": True, "balance": "none"}
    local, remote = test_main.run(job_config(**fields)), test_main.run(on_s3(**fields))
    assert remote.report["dropped"] == local.report["dropped"] != []
    assert sums(VERSION) == test_main.sums(local.version)


def test_a_picture_that_is_not_there_is_a_reject_as_on_a_disk(s3, on_s3):
    next(object_store.parse(RELEASE).glob("Manually_Annotated/*/1/*")).unlink()
    built = test_main.run(on_s3(max_reject_frac=1.0, balance="none"))
    assert [reject.reason for reject in built.account.rejects] == ["no such file"]


def test_mended_pictures_are_taken_up_and_only_their_shards_made(s3, on_s3):
    picture = next(object_store.parse(RELEASE).glob("Manually_Annotated/*/1/*"))
    content = picture.read_text("latin-1")
    picture.unlink()
    test_main.run(on_s3(max_reject_frac=1.0, balance="none", num_shards=6))
    picture.write_text(content, "latin-1")
    s3.requests.clear()
    built = test_main.run(on_s3(balance="none", num_shards=6, retry_rejects=True))
    assert built.account.rejects == ()
    assert 0 < s3.count("GET", ends=".jpg") < 24


def test_tfds_reads_it_after_the_command_that_the_docs_and_the_job_give(
    s3, on_s3, tmp_path, capsys
):
    built = test_main.run(on_s3())
    console.Console().finished(built)
    (command,) = re.findall(r"^python (-c) \"(.*)\"$", SCALING, flags=re.MULTILINE)
    assert f'copy it       python {command[0]} "{command[1]}"   (' in (
        said := capsys.readouterr().out
    )
    assert (
        "tfds.load('affectnet_faces/tiny', split='train', as_supervised=True, data_dir='data')"
        in said
    )
    subprocess.run([sys.executable, *command], cwd=tmp_path, check=True)
    read = tfds.load("affectnet_faces/tiny", data_dir=tmp_path / "data")
    assert (
        sum(1 for _ in read["train"]) + sum(1 for _ in read["validation"])
        == built.account.num_examples
    )


def test_tensorflow_lacks_what_the_docs_say_it_lacks(s3, on_s3):
    import tensorflow as tf  # Inside: six seconds.

    with pytest.raises(
        tf.errors.UnimplementedError, match="File system scheme 's3' not implemented"
    ):
        tfds.builder_from_directory(VERSION)
    assert "UnimplementedError: File system scheme 's3' not implemented" in SCALING


def test_a_dry_run_leaves_nothing(s3, on_s3):
    before = s3_server.names("s3://bucket")
    test_main.run(on_s3(dry_run=True))
    assert s3_server.names("s3://bucket") == before


def test_listing_does_not_take_a_request_a_picture(s3, release, job_config):
    counts = []
    for pictures in (60, 180):
        while len(release.rows["training"]) < pictures:
            release.add("training", len(release.rows["training"]) % 4)
        s3.reset()
        s3_server.upload(release.write(), RELEASE)
        s3.requests.clear()
        test_main.run(job_config(input_dir=RELEASE, dry_run=True))
        # The lock is renewed by the clock.
        counts.append(sum(not request.key.endswith(".lock") for request in s3.requests))
    assert counts[1] <= counts[0] < 150  # A list of few rows is asked for in more parts.


@pytest.mark.parametrize("layout", ["2017", "npy", "affectnetplus", "folders", "yolo"])
def test_every_layout_reads_the_same_rows_from_a_store(s3, tmp_path, layout):
    sample_release.make(
        settings.Settings(tmp_path / "drawn", num_images=44, seed=0, layout=layout), num_workers=1
    )
    s3_server.upload(tmp_path / "drawn", RELEASE)
    request = base.Request(subsets=("manual", "automatic"))
    found = [
        registry.recognise(storage.path(root), request)
        for root in (str(tmp_path / "drawn"), RELEASE)
    ]
    rows = [[row for part in one.parts() for row in registry.read(one.root, part)] for one in found]
    assert rows[0] == rows[1] and len(rows[0]) >= 34  # 10 are automatic: not every layout has such.
    assert base.fingerprint(found[0]) == base.fingerprint(found[1])


def test_a_list_may_lie_elsewhere(s3, tmp_path):
    for i in range(8):
        (tmp_path / f"{i}.jpg").write_bytes(
            conftest.cv2.imencode(".jpg", conftest.picture(i))[1].tobytes()
        )
    s3_server.upload(tmp_path, "s3://bucket/pictures")
    with (tmp_path / "list.csv").open("w") as file:
        csv.writer(file).writerows([("image", "label"), *((f"{i}.jpg", i % 4) for i in range(8))])
    fields = {
        "data_dir": DATA,
        "csv": str(tmp_path / "list.csv"),
        "config_name": "mine",
        "image_size": 32,
    }
    built = test_main.run(
        build.config.JobConfig(input_dir="s3://bucket/pictures", num_workers=1, **fields)
    )
    assert built.account.num_examples == 8


KILLED = {
    "image_size": 200,
    "num_shards": 12,
    "num_workers": 2,
    "config_name": "tiny",
    "balance": "120",
}


def start() -> subprocess.Popen:
    flags = [f"--{name}={value}" for name, value in KILLED.items()]
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pipeline.main",
            f"--input_dir={RELEASE}",
            f"--data_dir={DATA}",
            *flags,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def test_killed_in_the_middle_and_started_again_it_gives_the_same_bytes(s3, release, job_config):
    for i in range(60):
        release.add("training", i % 4)
    release.add("validation", 0)
    s3_server.upload(release.write(), RELEASE)
    broken = start()
    while broken.poll() is None and s3.count("PUT", ends="-of-00012.json") < 4:
        time.sleep(0.02)
    assert broken.poll() is None, "the build ended before it could be killed"
    os.killpg(broken.pid, signal.SIGKILL)
    broken.wait()
    assert s3_server.names(FOLDER) and not storage.path(VERSION).exists(), "nothing is visible"
    s3.requests.clear()
    assert start().wait() == 0
    local = test_main.run(job_config(input_dir=str(release.root), **{**KILLED, "num_workers": 1}))
    assert sums(VERSION) == test_main.sums(local.version)
    made = {r.key for r in s3.requests if r.method == "PUT" and r.key.endswith("-of-00012")}
    assert 0 < len(made) < 12, "finished shards are not made again"
