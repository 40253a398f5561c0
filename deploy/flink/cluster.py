"""Flink cluster on this machine: a JobManager, two TaskManagers and Beam's job server on 127.0.0.1.

    python -m deploy.flink.cluster up      starts them, writes flags for pipeline.main --flagfile=
    python -m deploy.flink.cluster check   says whether they take jobs
    python -m deploy.flink.cluster down    stops them

The jars come from Maven Central (`mvn -f deploy/flink/pom.xml package`). Flink's own scripts are
not among them, so the two main classes that they call are called here. The job server stays, for
all builds: one that each build starts and stops takes half of a small build's time.
"""

import subprocess
from pathlib import Path

from deploy import cluster_program, java_cluster, ports
from runtime import errors

CONFIG = Path(__file__).resolve().parent
ENGINE = java_cluster.Engine(
    name="Flink",
    jars=java_cluster.BUILD / "flink",
    libraries="lib",
    # Flink's serialisers access them.
    opened=(
        "java.base/java.lang",
        "java.base/java.util",
        "java.base/java.net",
        "java.base/java.text",
        "java.base/java.time",
        "java.base/java.util.concurrent",
    ),
)
JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
JOB_SERVER = "org.apache.beam.runners.flink.FlinkJobServerDriver"
TASK_MANAGERS = 2
PROCESSES = ("jobmanager", "taskmanager-1", "taskmanager-2", "jobserver")

MEMORY_COMPUTER = "org.apache.flink.runtime.util.bash.BashJavaUtils"
"""What Flink's own scripts ask for the memory of a process, by the command for each."""
COMPUTES = {JOB_MANAGER: "GET_JM_RESOURCE_PARAMS", TASK_MANAGER: "GET_TM_RESOURCE_PARAMS"}
COMPUTED = "BASH_JAVA_UTILS_EXEC_RESULT:"


def up(folder: Path, rest_port: int) -> None:
    """Start the cluster; its files (logs, flags for the job) go into a folder.

    Raises:
      errors.UserError: if it does not come up, or if the port is taken.
    """
    java_cluster.prepare(ENGINE, folder, port=rest_port, flag="rest_port")
    job_port, rpc_port = ports.free_ports(2)
    of_flink = ["--configDir", str(CONFIG), *_settings(folder, rest_port, rpc_port)]
    task_manager = _with_memory(TASK_MANAGER, of_flink)
    job_server = java_cluster.Program(
        JOB_SERVER,
        ["-Xmx512m"],
        java_cluster.job_server_options(
            folder, job_port, master=f"--flink-master=http://{ports.HOST}:{rest_port}"
        ),
        is_job_server=True,
    )
    all_of_them = (_with_memory(JOB_MANAGER, of_flink), task_manager, task_manager, job_server)
    programs = dict(zip(PROCESSES, all_of_them, strict=True))

    def is_ready() -> bool:
        all_there = overview(rest_port)["taskmanagers"] == TASK_MANAGERS
        return all_there and ports.listens(job_port)

    java_cluster.start(ENGINE, folder, java_cluster.Stage(programs, is_ready))
    java_cluster.write_flags(folder, job_port, f"--parallelism={TASK_MANAGERS}")


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


def _with_memory(main_class: str, of_flink: list[str]) -> java_cluster.Program:
    """Have Flink compute the memory of a process, as its own scripts do.

    Raises:
      errors.UserError: if it does not.
    """
    jars = f"{ENGINE.jars}/{ENGINE.libraries}/*"
    asked = [*java_cluster.JAVA, "-cp", jars, MEMORY_COMPUTER, COMPUTES[main_class], *of_flink]
    said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    computed = [
        line.removeprefix(COMPUTED).split()
        for line in said.splitlines()
        if line.startswith(COMPUTED)
    ]
    if len(computed) != 2:
        raise errors.UserError(f"Flink cannot compute the memory of its processes:\n{said}")
    java_options, settings = computed
    return java_cluster.Program(main_class, java_options, [*of_flink, *settings])


def overview(rest_port: int) -> dict[str, int]:
    """Ask the JobManager for its numbers of TaskManagers, slots and jobs."""
    return dict(java_cluster.answer(rest_port, "/overview"))


if __name__ == "__main__":
    cluster_program.run(
        ENGINE,
        up,
        about=__doc__,
        parts=f"JobManager, {TASK_MANAGERS} TaskManagers and job server",
        flag="rest_port",
        port=8081,
    )
