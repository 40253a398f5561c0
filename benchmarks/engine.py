"""Engines of the benchmarks: this machine's cores, or a Flink cluster that is started for them."""

import collections
import contextlib
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from deploy import cluster_processes, java_cluster, ports
from deploy.flink import cluster
from runtime import errors

RUNNERS = ("local", "flink")
"""Names of the engines."""


class Engine(NamedTuple):
    """Where the job runs."""

    flags: list[str]  # of pipeline.main
    servers: list[int]  # processes that work for it, besides those of the job
    rest_port: int = 0  # of Flink's JobManager


class Shuffled(NamedTuple):
    """What went through the shuffles of a job."""

    num_bytes: int
    largest_key: str  # bytes and step
    largest_value: str


@contextlib.contextmanager
def running(name: str, folder: Path) -> Iterator[Engine]:
    """Start an engine, if it has to be started, and stop it after the block.

    Args:
      name: local or flink.
      folder: for its files.

    Raises:
      errors.UserError: if it cannot be started.
    """
    if name == "local":
        yield Engine([], [])
        return
    if what := java_cluster.missing(cluster.ENGINE):
        raise errors.UserError(what)
    port = ports.free_port()
    cluster.up(folder, port)
    try:
        flags = (folder / "flags").read_text().splitlines()
        yield Engine(flags, list(cluster_processes.running(folder).values()), port)
    finally:
        java_cluster.down(folder)


def shuffled(log: Path) -> Shuffled:
    """Return the sum of the events `shuffled` in a file of --log_json."""
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    steps: dict[str, dict[str, int]] = collections.defaultdict(dict)
    for event in events:
        for name, step in event.get("steps", {}).items() if event["event"] == "shuffled" else ():
            steps[name] = step
    return Shuffled(
        sum(step["bytes"] for step in steps.values()),
        _largest(steps, "largest_key_bytes"),
        _largest(steps, "largest_value_bytes"),
    )


def _largest(steps: dict[str, dict[str, int]], field: str) -> str:
    if not steps:
        return "none"
    name = max(steps, key=lambda name: steps[name][field])
    return f"{steps[name][field]:,} bytes ({name})"


def flink_bytes(rest_port: int) -> int:
    """Return the bytes that all jobs of a Flink cluster sent from one task to another."""
    jobs = ask(rest_port, "jobs")["jobs"]
    vertices = [
        vertex for job in jobs for vertex in ask(rest_port, f"jobs/{job['id']}")["vertices"]
    ]
    return sum(int(vertex["metrics"]["write-bytes"]) for vertex in vertices)


def ask(rest_port: int, what: str) -> dict[str, Any]:
    """Ask a JobManager."""
    with urllib.request.urlopen(f"http://127.0.0.1:{rest_port}/{what}", timeout=10) as answer:
        return dict(json.load(answer))
