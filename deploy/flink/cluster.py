"""Flink cluster on this machine: a JobManager, two TaskManagers and Beam's job server on 127.0.0.1.

    python deploy/flink/cluster.py up      starts them, writes flags for pipeline.main --flagfile=
    python deploy/flink/cluster.py down    stops them

The jars come from Maven Central (`mvn -f deploy/flink/pom.xml package`). Flink's own scripts are
not among them, so the two main classes that they call are called here. The job server stays, for
all builds: one that each build starts and stops takes half of a small build's time.
"""

import argparse
import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
CONFIG = Path(__file__).resolve().parent
JARS = ROOT / "build" / "flink"
START_SECONDS = 120
STOP_SECONDS = 20

JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
JOB_SERVER = "org.apache.beam.runners.flink.FlinkJobServerDriver"
PROCESSES = {
    "jobmanager": JOB_MANAGER,
    "taskmanager-1": TASK_MANAGER,
    "taskmanager-2": TASK_MANAGER,
    "jobserver": JOB_SERVER,
}
MEMORY_COMPUTER = "org.apache.flink.runtime.util.bash.BashJavaUtils"
"""What Flink's own scripts ask for the memory of a process, by the command for each."""
COMPUTES = {JOB_MANAGER: "GET_JM_RESOURCE_PARAMS", TASK_MANAGER: "GET_TM_RESOURCE_PARAMS"}
COMPUTED = "BASH_JAVA_UTILS_EXEC_RESULT:"
# Python works, Java waits: its second compiler and parallel collectors would take more than that.
JAVA = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]

# Java 17 closes these packages; Flink's serialisers access them (see job-server.jar's manifest).
OPENED = ("lang", "util", "net", "text", "time", "util.concurrent")


class Program(NamedTuple):
    """How a program is started."""

    java_options: list[str]
    arguments: list[str]


def missing() -> str:
    """Return a sentence about what is not installed; "" if nothing is missing."""
    if not shutil.which("java"):
        return (
            "no java on the path: Flink needs Java 11 or 17 "
            "(Debian: apt-get install openjdk-17-jre-headless)"
        )
    if not (JARS / "job-server.jar").is_file():
        jar = JARS / "job-server.jar"
        return f"no {jar}: make flink-jars fetches Flink and Beam's job server with Maven"
    return ""


def up(folder: Path, rest_port: int) -> None:
    """Start the cluster; its files (logs, process ids, flags for the job) go into a folder."""
    if running(folder):
        sys.exit(
            f"error: a cluster is running already; {folder}/flags has the flags, 'down' stops it"
        )
    if _listens(rest_port):
        sys.exit(
            f"error: port {rest_port} is in use by another program: end it, or choose another "
            "port with --rest_port"
        )
    for name in ("logs", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    job_port, rpc_port = _free_ports(2)
    of_flink = ["--configDir", str(CONFIG), *_settings(folder, rest_port, rpc_port)]
    programs = {program: _with_memory(program, of_flink) for program in COMPUTES}
    programs[JOB_SERVER] = Program(["-Xmx512m"], _of_job_server(folder, rest_port, job_port))
    pids = {
        name: _start(folder, name, program, programs[program])
        for name, program in PROCESSES.items()
    }
    (folder / "pids.json").write_text(json.dumps(pids))
    _wait_until_ready(folder, rest_port, job_port)
    (folder / "flags").write_text("\n".join(_flags(folder, job_port)) + "\n")


def _settings(folder: Path, rest_port: int, rpc_port: int) -> list[str]:
    """Return what config.yaml cannot know."""
    return [
        f"-Drest.port={rest_port}",
        f"-Djobmanager.rpc.port={rpc_port}",
        "-Dblob.server.port=0",  # Any: TaskManagers ask the JobManager which.
        f"-Dio.tmp.dirs={folder}/tmp",
        f"-Dblob.storage.directory={folder}/tmp",
        f"-Dprocess.working-dir={folder}/tmp",
    ]


def _with_memory(program: str, of_flink: list[str]) -> Program:
    """Have Flink compute the memory of a process, as its own scripts do."""
    asked = [*JAVA, "-cp", f"{JARS}/lib/*", MEMORY_COMPUTER, COMPUTES[program], *of_flink]
    said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    computed = [
        line.removeprefix(COMPUTED).split()
        for line in said.splitlines()
        if line.startswith(COMPUTED)
    ]
    if len(computed) != 2:
        sys.exit(f"error: Flink cannot compute the memory of its processes:\n{said}")
    java_options, settings = computed
    return Program(java_options, [*of_flink, *settings])


def _of_job_server(folder: Path, rest_port: int, job_port: int) -> list[str]:
    return [
        "--job-host=127.0.0.1",
        f"--job-port={job_port}",
        "--artifact-port=0",
        "--expansion-port=0",
        f"--flink-master=http://127.0.0.1:{rest_port}",
        f"--artifacts-dir={folder}/tmp/artifacts",
    ]


def free_port() -> int:
    """Return a port that nobody listens on."""
    return _free_ports(1)[0]


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, all different: each is held until the last is drawn."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def _start(folder: Path, name: str, program: str, started: Program) -> int:
    opens = [f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in OPENED]
    jars = unsent_job_server(folder) if program == JOB_SERVER else f"{JARS}/lib/*"
    command = [
        *JAVA,
        *opens,
        *started.java_options,
        f"-Djava.io.tmpdir={folder}/tmp",
        "-cp",
        str(jars),
        program,
    ]
    commands = folder / "commands.json"
    known = json.loads(commands.read_text()) if commands.is_file() else {}
    commands.write_text(json.dumps({**known, name: [*command, *started.arguments]}))
    return _run(folder, name)


def _run(folder: Path, name: str) -> int:
    command = json.loads((folder / "commands.json").read_text())[name]
    with (folder / "logs" / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        ).pid  # fmt: skip


def start_again(folder: Path, name: str) -> int:
    """Start a process of the cluster that has ended, as it was started; return its number."""
    pids = json.loads((folder / "pids.json").read_text())
    pids[name] = _run(folder, name)
    (folder / "pids.json").write_text(json.dumps(pids))
    return int(pids[name])


def unsent_job_server(folder: Path) -> Path:
    """Return a copy of job-server.jar, which does not send all jars along with every job.

    Beam sends the job server's class path, 150 MB, but for jars below gradle/wrapper (isStageable
    in PipelineResources.java); links to folders are resolved. This cluster has all of them.
    """
    jars = folder / "tmp" / "gradle" / "wrapper"
    if not jars.is_dir():
        shutil.copytree(JARS / "lib", jars / "lib", copy_function=_link_or_copy)
        _link_or_copy(str(JARS / "job-server.jar"), str(jars / "job-server.jar"))
    return jars / "job-server.jar"


def _link_or_copy(file: str, target: str) -> None:
    try:
        os.link(file, target)
    except OSError:  # Another file system.
        shutil.copy2(file, target)


def _wait_until_ready(folder: Path, rest_port: int, job_port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    time.sleep(1)  # A process has no command line for a moment, and would be taken for another's.
    while time.monotonic() < deadline and running(folder).keys() == PROCESSES.keys():
        with contextlib.suppress(OSError, ValueError):
            if overview(rest_port)["taskmanagers"] == 2 and _listens(job_port):
                return
        time.sleep(0.5)
    ended = sorted(PROCESSES.keys() - running(folder).keys())
    down(folder)
    what = f"{' and '.join(ended)} ended" if ended else f"nothing is ready after {START_SECONDS} s"
    sys.exit(f"error: the cluster did not come up ({what}); {folder}/logs says why")


def overview(rest_port: int) -> dict[str, int]:
    """Ask the JobManager for its numbers of TaskManagers, slots and jobs."""
    with urllib.request.urlopen(f"http://127.0.0.1:{rest_port}/overview", timeout=5) as answer:
        return dict(json.load(answer))


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return not probe.connect_ex(("127.0.0.1", port))


def _flags(folder: Path, job_port: int) -> list[str]:
    """Return the flags with which pipeline.main runs on this cluster."""
    worker = folder / "worker"
    python = f"PYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)}"
    worker.write_text(f'#!/bin/sh\n{python} -m pipeline.worker "$@"\n')
    worker.chmod(0o755)
    return [
        "--runner=PortableRunner",
        f"--job_endpoint=127.0.0.1:{job_port}",
        "--parallelism=2",
        "--environment_type=PROCESS",
        f"--environment_config={json.dumps({'command': str(worker)})}",
        # Keep a worker for the next stage: starting one takes longer than most stages do.
        "--environment_cache_millis=10000",
    ]


def running(folder: Path) -> dict[str, int]:
    """Return the processes of the cluster that are alive, by name."""
    try:
        pids = json.loads((folder / "pids.json").read_text())
    except FileNotFoundError:
        return {}
    return {name: pid for name, pid in pids.items() if _is_flink(pid)}


def _is_flink(pid: int) -> bool:
    """Return whether a process is one of ours; its number may have gone to another."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return any(program.encode() in command for program in PROCESSES.values())


def down(folder: Path) -> None:
    """Stop the cluster: TaskManagers first, so that they stop their workers."""
    alive = running(folder)
    for name in sorted(alive, reverse=True):
        os.kill(alive[name], signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while running(folder) and time.monotonic() < deadline:
        time.sleep(0.2)
    for pid in running(folder).values():
        os.kill(pid, signal.SIGKILL)
    for name in ("pids.json", "commands.json", "flags", "worker"):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / "tmp", ignore_errors=True)


def main() -> None:
    """Start or stop the cluster."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["up", "down"])
    parser.add_argument(
        "--folder", type=Path, default=JARS / "cluster", help="logs, process ids, flags"
    )
    parser.add_argument(
        "--rest_port", type=int, default=8081, help="port of the JobManager's REST interface"
    )
    given = parser.parse_args()
    folder = given.folder.absolute()
    if given.what == "down":
        down(folder)
        print("flink         stopped")
        return
    if what := missing():
        sys.exit(f"error: {what}")
    up(folder, given.rest_port)
    print(
        f"flink         JobManager, 2 TaskManagers and job server on 127.0.0.1:{given.rest_port}; "
        f"logs in {folder}/logs"
    )
    print(
        "next          make shards RUNNER=flink, or "
        f"python -m pipeline.main … --flagfile={folder}/flags"
    )


if __name__ == "__main__":
    main()
