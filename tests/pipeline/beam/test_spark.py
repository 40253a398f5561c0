"""A real Spark of two workers: bytes, ledger and rejects of a local build, whatever happens."""

import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from deploy import cluster_processes, java_cluster, ports
from deploy.spark import cluster
from tests.pipeline.beam import engine_builds

MISSING = java_cluster.missing(cluster.ENGINE)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=MISSING)]


class Cluster(NamedTuple):
    folder: Path
    webui_port: int

    @property
    def flags(self) -> list[str]:
        return (self.folder / "flags").read_text().splitlines()

    @property
    def flags_of_beams_own_job_server(self) -> list[str]:
        """The flags for a cluster that has none: docs/scaling.md, "A Spark cluster"."""
        java = [*java_cluster.JAVA[1:], *cluster.driver_options(self.folder)]
        return [
            "--runner=SparkRunner",
            f"--spark_master_url={self.state['url']}",
            "--spark_version=3",
            f"--spark_job_server_jar={java_cluster.unsent_job_server(cluster.ENGINE, self.folder)}",
            *(f"--job_server_jvm_properties={option}" for option in java),
            *engine_builds.without_job_server(self.flags),
        ]

    @property
    def state(self) -> dict:
        return cluster.state(self.webui_port)

    def started_by(self, name: str) -> list[psutil.Process]:
        """All processes that one of the cluster's has started, and those that these have."""
        return psutil.Process(cluster_processes.running(self.folder)[name]).children(recursive=True)


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    started = Cluster(tmp_path_factory.mktemp("spark"), ports.free_port())
    cluster.up(started.folder, started.webui_port)
    yield started
    java_cluster.down(started.folder)


def wait_for_no_application(spark: Cluster) -> None:
    deadline = time.monotonic() + 60
    while spark.state["activeapps"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_a_build_that_is_interrupted_and_then_loses_a_worker_ends_in_the_same_bytes(
    spark, engine_release, built_locally, tmp_path
):
    first = engine_builds.start(engine_release, tmp_path, spark.flags_of_beams_own_job_server)
    engine_builds.interrupt(first, tmp_path)
    wait_for_no_application(spark)
    assert len(engine_builds.finished(tmp_path)) < engine_builds.NUM_SHARDS // 2
    second = engine_builds.start(engine_release, tmp_path, spark.flags)
    engine_builds.wait_for_shards(second, tmp_path, engine_builds.NUM_SHARDS // 2)
    executor, python = spark.started_by("worker-1")
    assert "CoarseGrainedExecutorBackend" in " ".join(executor.cmdline())
    assert "pipeline.worker" in python.cmdline()
    os.kill(cluster_processes.running(spark.folder)["worker-1"], signal.SIGKILL)
    executor.kill()
    engine_builds.assert_continued(engine_builds.finish(second))
    assert not is_alive(python)
    assert spark.state["aliveworkers"] == 1
    assert len(spark.state["completedapps"]) == 2  # Neither of them was a local build.
    engine_builds.assert_same(tmp_path / engine_builds.VERSION, built_locally)


def test_a_cluster_that_is_stopped_leaves_no_process_and_the_build_says_so(
    spark, engine_release, tmp_path
):
    process = engine_builds.start(engine_release, tmp_path, spark.flags)
    engine_builds.wait_for_shards(process, tmp_path, 1)
    started = [psutil.Process(pid) for pid in cluster_processes.running(spark.folder).values()]
    started += spark.started_by("worker-2")
    assert len(started) == 5  # Master, job server and a worker; its executor and Python.
    java_cluster.down(spark.folder)
    assert [each for each in started if is_alive(each)] == []
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 2 and "error: the engine gave up" in said, said
    assert {path.name for path in spark.folder.iterdir()} == {"logs"}
