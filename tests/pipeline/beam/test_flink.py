"""A real Flink of two TaskManagers: bytes, ledger and rejects of a local build; its counters."""

import base64
import collections
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

import pytest

from deploy.flink import cluster
from pipeline import build, config
from pipeline.beam import counters, pipelines
from pipeline.beam import runner as runner_lib
from pipeline.sources.layouts import registry
from runtime import json_log
from tests.pipeline import conftest, test_main

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(cluster.missing()), reason=cluster.missing()),
]

NUM_SHARDS = 24
SETTINGS = {
    "image_size": 600,
    "num_shards": NUM_SHARDS,
    "balance": "150",
    "config_name": "tiny",
    "max_reject_frac": 0.1,
}


class Cluster(NamedTuple):
    folder: Path
    rest_port: int

    @property
    def flags(self) -> list[str]:
        return (self.folder / "flags").read_text().splitlines()

    @property
    def flags_of_beams_own_job_server(self) -> list[str]:
        """The flags for a cluster that has none: docs/scaling.md, "A Flink cluster"."""
        others = [f for f in self.flags if not f.startswith(("--runner=", "--job_endpoint="))]
        return [
            "--runner=FlinkRunner",
            f"--flink_master=127.0.0.1:{self.rest_port}",
            "--flink_version=1.19",
            f"--flink_job_server_jar={cluster.unsent_job_server(self.folder)}",
            *(f"--job_server_jvm_properties={option}" for option in cluster.JAVA[1:]),
            *others,
        ]

    def ask(self, what: str) -> dict:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.rest_port}/{what}", timeout=10
        ) as answer:
            return json.load(answer)

    def jobs(self) -> set[str]:
        return {job["id"] for job in self.ask("jobs")["jobs"]}

    def counters(self, jobs: set[str]) -> dict[tuple[str, str], int]:
        """Sums of our counters over jobs, by step and name, as Flink's page shows them."""
        counted: collections.Counter[tuple[str, str]] = collections.Counter()
        for job in jobs:
            for accumulator in self.ask(f"jobs/{job}/accumulators")["user-task-accumulators"]:
                for found in json.loads(accumulator["value"])["metrics"]["attempted"]:
                    labels = found["labels"]
                    is_sum = found["type"] == "beam:metrics:sum_int64:v1"
                    if is_sum and labels.get("NAMESPACE") == counters.NAMESPACE:
                        # ref_AppliedPTransform_<our PTransform>-<step>[-<Beam's own>]_<number>
                        step = labels["PTRANSFORM"].split("-")[1].split("_")[0]
                        counted[step, labels["NAME"]] += varint(found["payload"])
        return dict(counted)


def varint(payload: str) -> int:
    """Decode Beam's VarIntCoder: 7 bits a byte, the lowest first."""
    return sum((byte & 127) << (7 * place) for place, byte in enumerate(base64.b64decode(payload)))


@pytest.fixture(scope="module")
def flink(tmp_path_factory):
    started = Cluster(tmp_path_factory.mktemp("flink"), cluster.free_port())
    cluster.up(started.folder, started.rest_port)
    yield started
    cluster.down(started.folder)


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Path:
    """240 pictures, one of them there twice, one in validation too, and three rows to reject."""
    writer = conftest.ReleaseWriter(tmp_path_factory.mktemp("release"))
    paths = [writer.add("training", i % 4) for i in range(240)]
    for path, copy in ((paths[0], "9/again.jpg"), (paths[1], "9/leaked.jpg")):
        (writer.images / "9").mkdir(exist_ok=True)
        (writer.images / copy).hardlink_to(writer.images / path)
    writer.add("training", 0, path="9/again.jpg")
    writer.add("validation", 1, path="9/leaked.jpg")
    writer.add("training", 1, path="9/missing.jpg")
    writer.add("training", 12)
    writer.add("training", 2, box=(900, 900, 50, 50))
    return writer.write()


def start(release: Path, data_dir: Path, flags: list[str]) -> subprocess.Popen:
    """Start the program, with a folder for temporary files beside its data."""
    temporary = data_dir / "temporary"
    temporary.mkdir(exist_ok=True)
    ours = [f"--{name}={value}" for name, value in SETTINGS.items()]
    ours += [f"--input_dir={release}", f"--data_dir={data_dir}"]
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.main", *ours, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )


def finish(process: subprocess.Popen) -> str:
    """Wait for the program; return what it said."""
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return said


@pytest.fixture(scope="module")
def local(release, tmp_path_factory) -> Path:
    """The version that a local build makes."""
    data_dir = tmp_path_factory.mktemp("local")
    test_main.run(
        config.JobConfig(input_dir=str(release), data_dir=str(data_dir), num_workers=1, **SETTINGS)
    )
    return data_dir / test_main.VERSION


def wait_for_shards(process: subprocess.Popen, data_dir: Path, count: int) -> None:
    staging = data_dir / test_main.VERSION.with_name(".building-1.0.0")
    while process.poll() is None and len(list(staging.glob("*.tfrecord*.json"))) < count:
        time.sleep(0.05)
    assert process.poll() is None, (
        f"the build ended before {count} shards were seen: {process.communicate()[0]}"
    )


def wait_for_no_job(flink: Cluster) -> None:
    deadline = time.monotonic() + 60
    while flink.ask("overview")["jobs-running"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def assert_same(version: Path, local: Path) -> None:
    """Compare all that a build publishes, its place apart."""
    assert len(test_main.sums(local)) > NUM_SHARDS
    assert test_main.sums(version) == test_main.sums(local)
    assert {p.name for p in version.iterdir()} == {p.name for p in local.iterdir()}
    assert {p.name for p in version.parent.iterdir()} == {"1.0.0"}
    assert not list((version.parents[2] / "temporary").iterdir())
    for name in ("build_report.json", "rejects.csv", "dataset_info.json", "features.json"):
        assert (version / name).read_text() == (local / name).read_text(), name


def test_rows_are_surveyed_and_duplicates_found_as_locally(flink, release, tmp_path, monkeypatch):
    monkeypatch.setattr(
        runner_lib, "SMALL_TABLE_BYTES", -1
    )  # Otherwise no engine is asked about so small a table.
    wanted = config.JobConfig(input_dir=str(release), data_dir="", config_name="tiny")
    found = registry.recognise(release, build.request(wanted))

    def survey(runner: runner_lib.Runner) -> tuple[str, str]:
        counted = pipelines.run_survey(
            found, clean="none", seed=0, staging=tmp_path, options=runner
        )
        before = counted.to_json()
        pipelines.run_duplicates(
            found, surveyed=counted, classes=8, staging=tmp_path, options=runner
        )
        return before, counted.to_json()

    before = flink.jobs()
    json_log.open_file(str(tmp_path / "log"))
    surveyed, without_duplicates = survey(runner_lib.Runner(num_workers=0, beam_args=flink.flags))
    json_log.close()
    lines = (tmp_path / "log").read_text().splitlines()
    by_row, by_hash = (json.loads(line)["steps"] for line in lines)
    # 244 entries of 24 bytes, and 243 or 244 of 40 with a hash; each value has 5 bytes more.
    assert by_row["RejectRepeatedRows"]["bytes"] == 244 * 24 + 2 * 5
    assert by_hash["DealByHash"] == {
        "keys": 1,
        "bytes": 244 * 40 + 4,
        "largest_key_bytes": 244 * 40 + 4,
        "largest_value_bytes": 244 * 40,
    }
    assert json.loads(surveyed)["counts"][0] == ["train", "manual", 0, 61]
    assert json.loads(without_duplicates)["duplicates"] != {}
    assert (surveyed, without_duplicates) == survey(runner_lib.Runner(num_workers=1))
    counted = flink.counters(flink.jobs() - before)
    hashing_ms = counted.pop(("HashImages", "hashing_ms"))
    bytes_read = counted.pop(("HashImages", "bytes_read"))
    assert hashing_ms >= 0 and bytes_read > 242 * 1_000
    assert counted == {
        ("ReadAnnotations", "rows_read"): 245,
        ("ReadAnnotations", "rows_rejected"): 1,  # Label 12.
        ("RejectRepeatedRows", "rows_rejected"): 0,
        ("HashImages", "images_read"): 243,  # All but the one that is missing.
    }


def test_task_managers_have_the_memory_that_flink_gives_them_by_itself(flink):
    # 1,728 MB a process, as Flink's own configuration has it: 0.4 of what is Flink's is managed.
    for found in flink.ask("taskmanagers")["taskmanagers"]:
        assert found["memoryConfiguration"]["managedMemory"] >> 20 == 512
        assert found["memoryConfiguration"]["totalProcessMemory"] >> 20 == 1728


def test_an_interrupt_stops_workers_elsewhere_and_the_same_command_continues(
    flink, release, local, tmp_path
):
    first = start(release, tmp_path, flink.flags_of_beams_own_job_server)
    wait_for_shards(first, tmp_path, 3)
    first.send_signal(signal.SIGINT)
    said, _ = first.communicate(timeout=120)
    assert first.returncode == 130 and "finished and kept" in said, said
    wait_for_no_job(flink)
    staging = tmp_path / test_main.VERSION.with_name(".building-1.0.0")
    assert (
        len(list(staging.glob("*.tfrecord*.json"))) < NUM_SHARDS
    )  # Its workers stopped, whatever the engine did.
    kept = {path.name for path in staging.glob("*.tfrecord*.json")}
    before = flink.jobs()
    said = finish(start(release, tmp_path, flink.flags))
    assert f" of {NUM_SHARDS + 1} shards are finished" in said, said
    assert f"{NUM_SHARDS + 1}/{NUM_SHARDS + 1}" in said, (
        said
    )  # The bar sees the shards of workers elsewhere.
    assert_same(tmp_path / test_main.VERSION, local)
    counted = flink.counters(flink.jobs() - before)
    sidecars = json.loads((tmp_path / test_main.VERSION / "sidecars.json").read_text())
    written = [done for done in sidecars if f"{done['name']}.json" not in kept]
    for name, number in {
        "images_written": sum(done["num_examples"] for done in written),
        "images_rejected": sum(len(done["rejects"]) for done in written),
        "bytes_written": sum(done["file_bytes"] for done in written),
    }.items():
        assert counted["WriteShard", name] == number
    assert counted["WriteShard", "bytes_read"] > 0 < counted["WriteShard", "decoding_ms"]


def test_a_task_manager_killed_half_way_changes_nothing(flink, release, local, tmp_path):
    process = start(release, tmp_path, flink.flags)
    wait_for_shards(process, tmp_path, NUM_SHARDS // 2)
    os.kill(cluster.running(flink.folder)["taskmanager-1"], signal.SIGKILL)
    finish(process)
    assert flink.ask("overview")["taskmanagers"] == 1
    assert_same(tmp_path / test_main.VERSION, local)
    cluster.start_again(flink.folder, "taskmanager-1")
    deadline = time.monotonic() + 120
    while flink.ask("overview")["taskmanagers"] < 2:
        assert time.monotonic() < deadline
        time.sleep(0.2)
