"""Spark cluster on this machine: a master, two workers and Beam's job server on 127.0.0.1.

    python -m deploy.spark.cluster up      starts them, writes flags for pipeline.main --flagfile=
    python -m deploy.spark.cluster check   says whether they take jobs
    python -m deploy.spark.cluster down    stops them

The jars come from Maven Central (`mvn -f deploy/spark/pom.xml package`). Spark's own scripts are
not among them, so the two main classes that they call are called here. Beam's job server is what
Spark calls the driver: each pipeline is an application of its own, one at a time, for which the
workers start executors. Those find Beam's jars beside Spark's own, so none are sent.
"""

import shlex
from pathlib import Path

from deploy import cluster_program, java_cluster, ports

ENGINE = java_cluster.Engine(
    name="Spark",
    jars=java_cluster.BUILD / "spark",  # Is SPARK_HOME, too:
    libraries="jars",  # executors are started with all that is in there.
    # Those that Spark itself opens for its executors (JavaModuleOptions.java).
    opened=(
        "java.base/java.lang",
        "java.base/java.lang.invoke",
        "java.base/java.lang.reflect",
        "java.base/java.io",
        "java.base/java.net",
        "java.base/java.nio",
        "java.base/java.util",
        "java.base/java.util.concurrent",
        "java.base/java.util.concurrent.atomic",
        "java.base/jdk.internal.ref",
        "java.base/sun.nio.ch",
        "java.base/sun.nio.cs",
        "java.base/sun.security.action",
        "java.base/sun.util.calendar",
    ),
)
MASTER = "org.apache.spark.deploy.master.Master"
WORKER = "org.apache.spark.deploy.worker.Worker"
JOB_SERVER = "org.apache.beam.runners.spark.SparkJobServerDriver"
WORKERS = 2
EXECUTOR_MEMORY = "768m"


def up(folder: Path, webui_port: int) -> None:
    """Start the cluster; its files (logs, flags for the job) go into a folder.

    Raises:
      errors.UserError: if it does not come up, or if the port is taken.
    """
    java_cluster.prepare(ENGINE, folder, port=webui_port, flag="webui_port")
    job_port, master_port = ports.free_ports(2)
    environment = _environment(folder)
    master_url = f"spark://{ports.HOST}:{master_port}"
    master = java_cluster.Program(
        MASTER, ["-Xmx256m"], _of_master(master_port, webui_port), environment
    )
    worker = java_cluster.Program(WORKER, ["-Xmx256m"], _of_worker(folder, master_url), environment)
    job_server = java_cluster.Program(
        JOB_SERVER,
        ["-Xmx512m", *driver_options(folder)],
        java_cluster.job_server_options(
            folder, job_port, master=f"--spark-master-url={master_url}"
        ),
        environment,
        is_job_server=True,
    )

    def has_master() -> bool:
        return state(webui_port)["status"] == "ALIVE"

    def is_ready() -> bool:
        return state(webui_port)["aliveworkers"] == WORKERS and ports.listens(job_port)

    # A worker that finds no master tries again after ten seconds only.
    java_cluster.start(
        ENGINE,
        folder,
        java_cluster.Stage({"master": master, "jobserver": job_server}, has_master),
        java_cluster.Stage({f"worker-{n + 1}": worker for n in range(WORKERS)}, is_ready),
    )
    java_cluster.write_flags(folder, job_port)


def _environment(folder: Path) -> dict[str, str]:
    """Return what Spark's own scripts would set."""
    return {
        "SPARK_HOME": str(ENGINE.jars),
        "SPARK_SCALA_VERSION": "2.12",
        "SPARK_LOCAL_IP": ports.HOST,
        "SPARK_LOCAL_DIRS": f"{folder}/tmp",
    }


def _of_master(port: int, webui_port: int) -> list[str]:
    # Spark's own parser takes no --name=value.
    return shlex.split(f"--host {ports.HOST} --port {port} --webui-port {webui_port}")


def _of_worker(folder: Path, master_url: str) -> list[str]:
    """Return the arguments of a worker: one core, for the one Python process of its executor."""
    return [
        *("--host", ports.HOST, "--webui-port", "0", "--cores", "1"),
        *("--memory", EXECUTOR_MEMORY, "--work-dir", f"{folder}/logs/executors"),
        master_url,
    ]


def driver_options(folder: Path) -> list[str]:
    """Return the options of Java with which a job server uses this cluster."""
    settings = {
        "spark.driver.host": ports.HOST,
        "spark.ui.enabled": "false",
        "spark.default.parallelism": WORKERS,
        "spark.executor.memory": EXECUTOR_MEMORY,
        "spark.executor.extraJavaOptions": " ".join(java_cluster.JAVA[1:]),
        "spark.local.dir": f"{folder}/tmp",
    }
    return [f"-D{name}={value}" for name, value in settings.items()]


def state(webui_port: int) -> dict[str, object]:
    """Ask the master for its address, workers and applications."""
    return dict(java_cluster.answer(webui_port, "/json/"))


if __name__ == "__main__":
    cluster_program.run(
        ENGINE,
        up,
        about=__doc__,
        parts=f"master, {WORKERS} workers and job server",
        flag="webui_port",
        port=8080,
    )
