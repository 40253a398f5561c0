"""Clusters of Java programs: what is refused, and that nothing of a cluster is left behind.

With a shell script in place of Java; tests/pipeline/beam runs Flink and Spark themselves.
"""

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from deploy import cluster_processes, java_cluster, ports
from deploy.flink import cluster as flink
from deploy.spark import cluster as spark
from runtime import errors

ROOT = Path(__file__).resolve().parents[1]
ENGINES = [pytest.param(each, id=each.ENGINE.label) for each in (flink, spark)]
STUBBORN = "#!/bin/sh\ntrap '' TERM\nsetsid sh -c 'trap \"\" TERM; sleep 300' &\nwait\n"
"""Heeds no SIGTERM, and neither does its child, which leaves the session."""


@pytest.fixture
def engine(tmp_path) -> java_cluster.Engine:
    jars = tmp_path / "jars"
    (jars / "lib").mkdir(parents=True)
    (jars / "job-server.jar").touch()
    return java_cluster.Engine(name="Storm", jars=jars, libraries="lib", opened=())


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "cluster"


def put_on_path(folder: Path, monkeypatch, script: str) -> None:
    """Let a script be the Java that is found."""
    programs = folder / "bin"
    programs.mkdir()
    (programs / "java").write_text(script)
    (programs / "java").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")


def stage(*names: str, is_ready: bool) -> java_cluster.Stage:
    program = java_cluster.Program("Main", [], [])
    return java_cluster.Stage(dict.fromkeys(names, program), lambda: is_ready)


def marked(folder: Path) -> list[psutil.Process]:
    """Find the processes whose environment names a folder, by another library than the code's."""
    found = []
    for each in psutil.process_iter():
        try:
            if any(str(folder) in value for value in each.environ().values()):
                found.append(each)
        except psutil.Error:
            continue
    return found


def test_a_cluster_that_is_stopped_leaves_nothing_even_of_what_heeds_no_signal(
    tmp_path, engine, folder, monkeypatch
):
    put_on_path(tmp_path, monkeypatch, STUBBORN)
    monkeypatch.setattr(cluster_processes, "STOP_SECONDS", 0.5)
    java_cluster.prepare(engine, folder, port=ports.free_port(), flag="port")
    java_cluster.start(engine, folder, stage("master", "worker", is_ready=True))
    java_cluster.write_flags(folder, 1234)
    deadline = time.monotonic() + 20
    # A process that has just begun shows no environment yet.
    while cluster_processes.running(folder).keys() != {"master", "worker"}:
        assert time.monotonic() < deadline
    while sum("sleep" in each.name() for each in marked(folder)) < 2:
        assert time.monotonic() < deadline
    java_cluster.down(folder)
    assert marked(folder) == []
    assert cluster_processes.running(folder) == {}
    assert {path.name for path in folder.iterdir()} == {"logs"}


def test_a_program_that_ends_stops_the_others_and_the_sentence_names_it(
    tmp_path, engine, folder, monkeypatch
):
    put_on_path(
        tmp_path, monkeypatch, '#!/bin/sh\ncase "$*" in *Ends*) exit 1;; esac\nexec sleep 300\n'
    )
    java_cluster.prepare(engine, folder, port=ports.free_port(), flag="port")
    programs = {
        "master": java_cluster.Program("Stays", [], []),
        "worker": java_cluster.Program("Ends", [], []),
    }
    with pytest.raises(errors.UserError, match=r"did not come up \(worker ended\); .*/logs says"):
        java_cluster.start(engine, folder, java_cluster.Stage(programs, lambda: False))
    assert marked(folder) == []


def test_the_programs_of_a_stage_are_started_when_those_before_are_ready(
    tmp_path, engine, folder, monkeypatch
):
    put_on_path(tmp_path, monkeypatch, "#!/bin/sh\nexec sleep 300\n")
    monkeypatch.setattr(java_cluster, "START_SECONDS", 1)
    java_cluster.prepare(engine, folder, port=ports.free_port(), flag="port")
    with pytest.raises(errors.UserError, match="nothing is ready after 1 s"):
        java_cluster.start(
            engine, folder, stage("master", is_ready=False), stage("worker", is_ready=True)
        )
    assert {path.name for path in (folder / "logs").iterdir()} == {"master.log"}
    assert marked(folder) == []


def test_what_runs_already_is_not_started_again(tmp_path, engine, folder, monkeypatch):
    put_on_path(tmp_path, monkeypatch, "#!/bin/sh\nexec sleep 300\n")
    port = ports.free_port()
    java_cluster.prepare(engine, folder, port=port, flag="port")
    java_cluster.start(engine, folder, stage("master", is_ready=True))
    try:
        with pytest.raises(errors.UserError, match="a Storm cluster is running already"):
            java_cluster.prepare(engine, folder, port=port, flag="port")
    finally:
        java_cluster.down(folder)


def test_a_process_that_has_ended_is_started_again_as_it_was(tmp_path, engine, folder, monkeypatch):
    put_on_path(tmp_path, monkeypatch, '#!/bin/sh\necho "$SPARK_HOME $*"\nexec sleep 300\n')
    java_cluster.prepare(engine, folder, port=ports.free_port(), flag="port")
    program = java_cluster.Program("Main", ["-Xmx1m"], ["--port=5"], {"SPARK_HOME": "/spark"})
    java_cluster.start(engine, folder, java_cluster.Stage({"master": program}, lambda: True))
    first = cluster_processes.running(folder)["master"]
    psutil.Process(first).kill()
    again = cluster_processes.start_again(folder, "master")
    assert cluster_processes.running(folder) == {"master": again.pid}
    log = folder / "logs" / "master.log"
    deadline = time.monotonic() + 20
    while len(log.read_text().splitlines()) < 2:
        assert time.monotonic() < deadline
    before, after = log.read_text().splitlines()
    assert before == after and before.startswith("/spark -XX") and before.endswith(" Main --port=5")
    java_cluster.down(folder)
    assert marked(folder) == []


@pytest.mark.parametrize("module", ENGINES)
def test_a_cluster_is_not_started_on_a_port_that_another_program_has(module, folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            errors.UserError,
            match=f"port {port} is in use by another program: end it, or choose another",
        ):
            module.up(folder, port)
    assert not folder.exists()


@pytest.mark.parametrize("module", ENGINES)
def test_without_java_or_jars_the_sentence_says_how_to_get_them(module, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    name = module.ENGINE.name
    assert re.match(
        f"no java on the path: {name} needs Java 11 or 17 .*apt-get install",
        java_cluster.missing(module.ENGINE),
    )
    (tmp_path / "java").touch(0o755)
    without = java_cluster.Engine(name, tmp_path, "lib", ())
    assert f"make {name.lower()}-jars fetches {name}" in java_cluster.missing(without)
    (tmp_path / "job-server.jar").touch()
    assert java_cluster.missing(without) == ""


def test_a_build_is_refused_where_no_cluster_runs_or_its_job_server_has_ended(
    engine, folder, monkeypatch
):
    with pytest.raises(errors.UserError, match="no Storm cluster is running: .* make storm-up"):
        java_cluster.check(engine, folder)
    folder.mkdir()
    (folder / "flags").touch()  # Left by a machine that was switched off.
    with pytest.raises(errors.UserError, match="no Storm cluster is running"):
        java_cluster.check(engine, folder)
    monkeypatch.setattr(cluster_processes, "running", lambda _: {"master": 1})
    with pytest.raises(errors.UserError, match="job server .* ended .* make storm-down storm-up"):
        java_cluster.check(engine, folder)
    monkeypatch.setattr(cluster_processes, "running", lambda _: {"master": 1, "jobserver": 2})
    java_cluster.check(engine, folder)


def test_what_was_interrupted_is_named_with_the_command_that_stops_it(
    tmp_path, engine, folder, monkeypatch
):
    monkeypatch.setattr(cluster_processes, "running", lambda _: {"master": 1})
    for place, command in (
        (folder, f"-down FLAGS=--folder={folder}"),
        (tmp_path / "jars" / "cluster", "-down"),
    ):
        with pytest.raises(errors.UserError) as caught:
            java_cluster.prepare(engine, place, port=1, flag="port")
        said = str(caught.value)
        assert "its start was interrupted" in said and said.endswith(f"storm{command} stops it")


def run_program(module, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module.__name__, *words],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("port", ["-1", "0", "65536"])
@pytest.mark.parametrize("module", ENGINES)
def test_a_number_that_is_no_port_is_refused(module, port, folder):
    flag = {"Flink": "rest_port", "Spark": "webui_port"}[module.ENGINE.name]
    program = "import sys; from deploy import java_cluster as j; j.missing = lambda _: ''; "
    program += f"import runpy; sys.argv[1:] = ['up', '--{flag}={port}', '--folder={folder}']; "
    program += f"runpy.run_module({module.__name__!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: --{flag} must be a port, 1 to 65,535: got {port}\n"
    assert not folder.exists()


@pytest.mark.parametrize("module", ENGINES)
def test_down_says_where_nothing_was_running(module, folder):
    done = run_program(module, "down", f"--folder={folder}")
    name = module.ENGINE.name
    said = f"nothing to stop: no {name} cluster is running in {folder}\n"
    assert (done.returncode, done.stdout) == (0, f"{name.lower():14}{said}")


def test_a_start_that_sigterm_ends_leaves_nothing(tmp_path, folder, engine, monkeypatch):
    put_on_path(tmp_path, monkeypatch, "#!/bin/sh\nexec sleep 300\n")
    program = f"""
import pathlib
from deploy import cluster_program, java_cluster
engine = java_cluster.Engine("Storm", pathlib.Path({str(engine.jars)!r}), "lib", ())
stage = java_cluster.Stage({{"master": java_cluster.Program("Main", [], [])}}, lambda: False)
def up(folder, port):
    java_cluster.prepare(engine, folder, port=port, flag="port")
    java_cluster.start(engine, folder, stage)
cluster_program.run(engine, up, about="", parts="", flag="port", port={ports.free_port()})
"""
    with subprocess.Popen(
        [sys.executable, "-c", program, "up", f"--folder={folder}"],
        cwd=ROOT, stderr=subprocess.PIPE, text=True,
    ) as started:  # fmt: skip
        deadline = time.monotonic() + 20
        while not cluster_processes.running(folder):
            assert time.monotonic() < deadline
        started.terminate()
        said = started.communicate(timeout=30)[1]
    assert (started.returncode, said) == (143, "stopped by SIGTERM\n")
    assert marked(folder) == []


@pytest.mark.parametrize("module", ENGINES)
def test_the_program_refuses_with_code_2(module, folder):
    done = subprocess.run(
        [sys.executable, "-m", module.__name__, "check", f"--folder={folder}"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: no {module.ENGINE.name} cluster is running")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("module", ENGINES)
def test_the_job_servers_jar_opens_what_the_cluster_opens(module):
    pom = (ROOT / "deploy" / module.ENGINE.label / "pom.xml").read_text(encoding="utf-8")
    (opened,) = re.findall("<Add-Opens>(.*)</Add-Opens>", pom)
    assert opened.split() == list(module.ENGINE.opened)
    assert f"<mainClass>{module.JOB_SERVER}</mainClass>" in pom
    assert f"<outputDirectory>${{folder}}/{module.ENGINE.libraries}</outputDirectory>" in pom


def make(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run make in a folder that looks like a checkout whose environment is ready."""
    for name in ("setup.py", "deploy/spark/pom.xml", ".venv/.ready"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    left_out = ("MAKELEVEL", "MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS")
    inherited = {name: value for name, value in os.environ.items() if name not in left_out}
    return subprocess.run(
        ["make", "--no-print-directory", f"--file={ROOT}/Makefile", *words],
        cwd=folder, capture_output=True, text=True, env={**inherited, **environment},
    )  # fmt: skip


@pytest.mark.parametrize("runner", ["sparc", ""])
def test_make_refuses_a_runner_that_it_does_not_know(runner, tmp_path):
    done = make(tmp_path, "shards", f"RUNNER={runner}")
    assert done.returncode == 2
    assert f"*** RUNNER must be local, flink or spark: got '{runner}'.  Stop." in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("there, lacking", [(["java"], "mvn"), (["mvn"], "java")])
def test_make_says_that_maven_or_java_is_not_installed(there, lacking, tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "sh").symlink_to("/bin/sh")
    for name in there:
        (programs / name).touch(0o755)
    make_itself = subprocess.run(["which", "make"], capture_output=True, text=True).stdout.strip()
    (programs / "make").symlink_to(make_itself)
    done = make(tmp_path, "spark-jars", PATH=str(programs))
    assert done.returncode == 2
    assert done.stdout.startswith(f"error: no {lacking} on the path: "), done.stdout
    assert done.stdout.count("\n") == 1
