"""Clusters of Java programs on this machine: starts them, waits until they are ready, stops them.

Owns what Flink's cluster and Spark's have in common: the jars, how Java is started, the flags for
the job.
"""

import contextlib
import dataclasses
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy import cluster_processes, ports
from runtime import errors

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
START_SECONDS = 120

# Python works, Java waits: its second compiler and parallel collectors would take more than that.
JAVA = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]


@dataclasses.dataclass(frozen=True)
class Engine:
    """A program that runs Beam's pipelines.

    Attributes:
      name: as in sentences.
      jars: folder that Maven fills: job-server.jar, and a folder with those that it names.
      libraries: name of that folder.
      opened: packages that it accesses although Java 17 closes them, after their module.
    """

    name: str
    jars: Path
    libraries: str
    opened: Sequence[str]

    @property
    def label(self) -> str:
        """Return the name in make's targets, and at the beginning of lines."""
        return self.name.lower()


@dataclasses.dataclass(frozen=True)
class Program:
    """One Java program of a cluster: main class, options of Java, arguments."""

    main_class: str
    options: Sequence[str]
    arguments: Sequence[str]
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    is_job_server: bool = False


@dataclasses.dataclass(frozen=True)
class Stage:
    """Programs that are started together, by name, and whether they are ready.

    `is_ready` may raise OSError or ValueError while they are not.
    """

    programs: Mapping[str, Program]
    is_ready: Callable[[], bool]


def missing(engine: Engine) -> str:
    """Return a sentence about what is not installed; "" if nothing is missing."""
    if not shutil.which("java"):
        return (
            f"no java on the path: {engine.name} needs Java 11 or 17 "
            "(Debian: apt-get install openjdk-17-jre-headless)"
        )
    jar = engine.jars / "job-server.jar"
    if not jar.is_file():
        return (
            f"no {jar}: make {engine.label}-jars fetches {engine.name} and Beam's job server with "
            "Maven"
        )
    return ""


def prepare(engine: Engine, folder: Path, *, port: int, flag: str) -> None:
    """Make the folder of a cluster that is to be started.

    Raises:
      errors.UserError: if one is running already, or another program has the port of the flag.
    """
    if cluster_processes.running(folder):
        state = f"{folder}/flags has the flags for the job"
        if not (folder / "flags").is_file():
            state = "it is being started, or its start was interrupted"
        raise errors.UserError(
            f"a {engine.name} cluster is running already; {state}, and {_down(engine, folder)} "
            "stops it"
        )
    if ports.listens(port):
        raise errors.UserError(
            f"port {port} is in use by another program: end it, or choose another port with "
            f"--{flag} (make {engine.label}-up FLAGS=--{flag}={port + 9})"
        )
    shutil.rmtree(folder / "logs", ignore_errors=True)
    for name in ("logs", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)


def _down(engine: Engine, folder: Path) -> str:
    """Return the command that stops the cluster of a folder."""
    named = "" if folder == engine.jars / "cluster" else f" FLAGS=--folder={folder}"
    return f"make {engine.label}-down{named}"


def start(engine: Engine, folder: Path, *stages: Stage) -> None:
    """Start the programs of each stage, once those of the stage before are ready.

    Raises:
      errors.UserError: if one of them ends, or if they are not ready in time.
    """
    started: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for stage in stages:
            for name, each in stage.programs.items():
                started[name] = _start(engine, folder, name, each)
            _wait_until_ready(folder, started, stage.is_ready)
    except BaseException:  # Ctrl-C, too.
        down(folder)
        raise


def _start(engine: Engine, folder: Path, name: str, what: Program) -> subprocess.Popen[bytes]:
    jars = unsent_job_server(engine, folder) if what.is_job_server else f"{_libraries(engine)}/*"
    command = [
        *JAVA,
        *(f"--add-opens={package}=ALL-UNNAMED" for package in engine.opened),
        *what.options,
        f"-Djava.io.tmpdir={folder}/tmp",
        "-cp",
        str(jars),
        what.main_class,
        *what.arguments,
    ]
    return cluster_processes.start(folder, name, command, what.environment)


def job_server_options(folder: Path, job_port: int, *, master: str) -> list[str]:
    """Return the options of Beam's job server, whose master is an option of the engine's own."""
    return [
        f"--job-host={ports.HOST}",
        f"--job-port={job_port}",
        "--artifact-port=0",
        "--expansion-port=0",
        master,
        f"--artifacts-dir={folder}/tmp/artifacts",
    ]


def answer(port: int, path: str) -> Any:
    """Ask a process of the cluster over HTTP; return its JSON."""
    with urllib.request.urlopen(f"http://{ports.HOST}:{port}{path}", timeout=5) as response:
        return json.load(response)


def _libraries(engine: Engine) -> Path:
    return engine.jars / engine.libraries


def unsent_job_server(engine: Engine, folder: Path) -> Path:
    """Return a copy of job-server.jar, which does not send all jars along with every job.

    Beam sends the job server's class path, 150 MB and more, but for jars below gradle/wrapper
    (isStageable in PipelineResources.java); links to folders are resolved. The cluster has them.
    """
    jars = folder / "tmp" / "gradle" / "wrapper"
    if not jars.is_dir():
        copied = jars / engine.libraries
        shutil.copytree(_libraries(engine), copied, copy_function=_link_or_copy)
        _link_or_copy(str(engine.jars / "job-server.jar"), str(jars / "job-server.jar"))
    return jars / "job-server.jar"


def _link_or_copy(file: str, target: str) -> None:
    try:
        os.link(file, target)
    except OSError:  # Another file system.
        shutil.copy2(file, target)


def _wait_until_ready(
    folder: Path, started: Mapping[str, subprocess.Popen[bytes]], is_ready: Callable[[], bool]
) -> None:
    deadline = time.monotonic() + START_SECONDS
    ended: list[str] = []
    while time.monotonic() < deadline and not ended:
        with contextlib.suppress(OSError, ValueError):
            if is_ready():
                return
        time.sleep(0.5)
        ended = [name for name, process in started.items() if process.poll() is not None]
    what = f"{' and '.join(ended)} ended" if ended else f"nothing is ready after {START_SECONDS} s"
    raise errors.UserError(f"the cluster did not come up ({what}); {folder}/logs says why")


def write_flags(folder: Path, job_port: int, *of_engine: str) -> None:
    """Write the flags with which pipeline.main runs on a cluster, and its workers' program."""
    worker = folder / "worker"
    python = f"PYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)}"
    worker.write_text(f'#!/bin/sh\n{python} -m pipeline.worker "$@"\n')
    worker.chmod(0o755)
    flags = [
        "--runner=PortableRunner",
        f"--job_endpoint={ports.HOST}:{job_port}",
        *of_engine,
        "--environment_type=PROCESS",
        f"--environment_config={json.dumps({'command': str(worker)})}",
        # Keep a worker for the next stage: starting one takes longer than most stages do.
        "--environment_cache_millis=10000",
    ]
    (folder / "flags").write_text("\n".join(flags) + "\n")


def check(engine: Engine, folder: Path) -> None:
    """Check that the cluster takes jobs.

    Raises:
      errors.UserError: if it does not.
    """
    if not (folder / "flags").is_file() or not cluster_processes.running(folder):
        raise errors.UserError(
            f"no {engine.name} cluster is running: start one with make {engine.label}-up"
        )
    if "jobserver" not in cluster_processes.running(folder):
        raise errors.UserError(
            f"the job server of the {engine.name} cluster has ended ({folder}/logs/jobserver.log "
            f"says why): start the cluster anew with make {engine.label}-down {engine.label}-up"
        )


def down(folder: Path) -> bool:
    """Stop the cluster, whose logs stay; return whether there was one."""
    was_running = cluster_processes.stop(folder)
    for name in ("flags", "worker"):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / "tmp", ignore_errors=True)
    return was_running
