"""A real Flink of two TaskManagers: bytes, ledger and rejects of a local build; its counters."""

import base64
import collections
import json
import os
import signal
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

import pytest

from deploy import cluster_processes, java_cluster, ports
from deploy.flink import cluster
from pipeline import build, config
from pipeline.beam import counters, find_duplicates, pipelines
from pipeline.beam import runner as runner_lib
from pipeline.rows import bounded_groups
from pipeline.sources.layouts import registry
from runtime import json_log
from tests.pipeline.beam import engine_builds

MISSING = java_cluster.missing(cluster.ENGINE)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=MISSING)]


class Cluster(NamedTuple):
    folder: Path
    rest_port: int

    @property
    def flags(self) -> list[str]:
        return (self.folder / "flags").read_text().splitlines()

    @property
    def flags_of_beams_own_job_server(self) -> list[str]:
        """The flags for a cluster that has none: docs/scaling.md, "A Flink cluster"."""
        return [
            "--runner=FlinkRunner",
            f"--flink_master=127.0.0.1:{self.rest_port}",
            "--flink_version=1.19",
            f"--flink_job_server_jar={java_cluster.unsent_job_server(cluster.ENGINE, self.folder)}",
            *(f"--job_server_jvm_properties={option}" for option in java_cluster.JAVA[1:]),
            *engine_builds.without_job_server(self.flags),
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
    started = Cluster(tmp_path_factory.mktemp("flink"), ports.free_port())
    cluster.up(started.folder, started.rest_port)
    yield started
    java_cluster.down(started.folder)


def wait_for_no_job(flink: Cluster) -> None:
    deadline = time.monotonic() + 60
    while flink.ask("overview")["jobs-running"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_rows_are_surveyed_and_duplicates_found_as_locally(
    flink, engine_release, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        runner_lib, "SMALL_TABLE_BYTES", -1
    )  # Otherwise no engine is asked about so small a table.
    wanted = config.JobConfig(input_dir=str(engine_release), data_dir="", config_name="tiny")
    found = registry.recognise(engine_release, build.request(wanted))

    def survey(runner: runner_lib.Runner) -> tuple[str, str]:
        counted = pipelines.run_survey(
            found, clean="none", seed=0, staging=tmp_path, options=runner
        )
        before = counted.to_json()
        scan = find_duplicates.Scan(
            found.root, str(tmp_path), classes=8, settings=wanted.example_settings()
        )
        pipelines.run_duplicates(
            scan, surveyed=counted, buckets=found.num_buckets(), options=runner
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


def test_task_managers_have_the_managed_memory_of_flink_and_room_for_what_beam_queues(flink):
    # Beam's DirectStreamObserver looks only after 100 messages whether a worker keeps up.
    queued = 100 * bounded_groups.MAX_KEY_BYTES
    for found in flink.ask("taskmanagers")["taskmanagers"]:
        memory, slots = found["memoryConfiguration"], found["slotsNumber"]
        assert memory["managedMemory"] >> 20 == 512
        assert memory["taskOffHeap"] >= slots * queued
        assert memory["taskHeap"] >> 20 >= 380  # As with Flink's own 1,728 MB a process.


def test_an_interrupt_stops_workers_elsewhere_and_the_same_command_continues(
    flink, engine_release, built_locally, tmp_path
):
    first = engine_builds.start(engine_release, tmp_path, flink.flags_of_beams_own_job_server)
    engine_builds.interrupt(first, tmp_path)
    wait_for_no_job(flink)
    kept = engine_builds.finished(tmp_path)
    assert len(kept) < engine_builds.NUM_SHARDS  # Its workers stopped, whatever the engine did.
    before = flink.jobs()
    said = engine_builds.finish(engine_builds.start(engine_release, tmp_path, flink.flags))
    engine_builds.assert_continued(said)
    engine_builds.assert_same(tmp_path / engine_builds.VERSION, built_locally)
    counted = flink.counters(flink.jobs() - before)
    sidecars = json.loads((tmp_path / engine_builds.VERSION / "sidecars.json").read_text())
    written = [done for done in sidecars if f"{done['name']}.json" not in kept]
    for name, number in {
        "images_written": sum(done["num_examples"] for done in written),
        "images_rejected": sum(len(done["rejects"]) for done in written),
        "bytes_written": sum(done["file_bytes"] for done in written),
    }.items():
        assert counted["WriteShard", name] == number
    assert counted["WriteShard", "bytes_read"] > 0 < counted["WriteShard", "decoding_ms"]


def test_a_task_manager_killed_half_way_changes_nothing(
    flink, engine_release, built_locally, tmp_path
):
    process = engine_builds.start(engine_release, tmp_path, flink.flags)
    engine_builds.wait_for_shards(process, tmp_path, engine_builds.NUM_SHARDS // 2)
    os.kill(cluster_processes.running(flink.folder)["taskmanager-1"], signal.SIGKILL)
    engine_builds.finish(process)
    assert flink.ask("overview")["taskmanagers"] == 1
    engine_builds.assert_same(tmp_path / engine_builds.VERSION, built_locally)
    cluster_processes.start_again(flink.folder, "taskmanager-1")
    deadline = time.monotonic() + 120
    while flink.ask("overview")["taskmanagers"] < 2:
        assert time.monotonic() < deadline
        time.sleep(0.2)
