"""The job files for Slurm and Kubernetes: they parse, name flags that exist, and tell every host
who it is. The images install what setup.py offers.

The clusters of Flink and Spark have tests/test_java_cluster.py and tests/pipeline/beam."""

import os
import re
import runpy
import subprocess
from pathlib import Path

import pytest
import setuptools
import yaml
from packaging import requirements, specifiers

from pipeline.beam import runner
from runtime import fields
from trainer import hosts
from trainer.config import run_config
from trainer.distributed import tf_config

ROOT = Path(__file__).resolve().parent.parent
DOCKER = ROOT / "deploy/docker"
SLURM = ROOT / "deploy/slurm/train.sbatch"
SERVICE, JOB = yaml.safe_load_all(
    (ROOT / "deploy/kubernetes/train.yaml").read_text(encoding="utf-8")
)
POD = JOB["spec"]["template"]["spec"]
SCRIPT = POD["containers"][0]["args"][0]
TELL = 'echo "$TF_CONFIG"; echo "$@"'


def tell(folder, *, name, script=TELL):
    """Put a program of that name on the path, which says how it was started."""
    path = folder / name
    path.write_text(f"#!/usr/bin/env bash\n{script}\n")
    path.chmod(0o755)


def told(command, *, folder, **variables):
    """Run a job file with stand-ins for the cluster's programs; return what TF_CONFIG said, and the
    flags."""
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", **variables}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    text, flags = done.stdout.strip().splitlines()
    return tf_config.from_environment({"TF_CONFIG": text}), flags


@pytest.mark.parametrize("script", [SLURM.read_text(encoding="utf-8"), SCRIPT])
def test_the_scripts_parse_and_name_flags_that_exist(script):
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    known = {name for section in run_config.SECTIONS.values() for name in fields.options(section)}
    named = re.findall(
        r"--(\w+)", script.partition("trainer.main")[2].replace("\\\n", "").partition("\n")[0]
    )
    assert len(named) == 6
    assert set(named) <= known


def test_the_page_names_flags_that_exist():
    page = (
        (ROOT / "docs/scaling.md")
        .read_text(encoding="utf-8")
        .partition("## Training on several hosts")[2]
    )
    sections = {**run_config.SECTIONS, "Hosts": hosts.Hosts}
    known = {name for section in sections.values() for name in fields.options(section)}
    named = set(re.findall(r"--(\w+)", page))
    assert {"model_dir", "host_wait_minutes", "hosts"} <= named <= known


def test_slurm_tells_every_task_who_it_is(tmp_path):
    tell(tmp_path, name="scontrol", script="printf 'node-a\\nnode-b\\n'")
    tell(tmp_path, name="srun", script='shift; SLURM_PROCID=1 exec "$@"')
    tell(tmp_path, name="python")
    found, flags = told(
        ["bash", SLURM], folder=tmp_path, SLURM_JOB_ID="20003", SLURM_JOB_NODELIST="node-[a-b]"
    )
    assert found.hosts == ("node-a:20003", "node-b:20003")
    assert found.index == 1
    assert flags.startswith("-m trainer.main --data_dir=")


@pytest.mark.parametrize("code, requeues", [(143, True), (75, True), (2, False)])
def test_slurm_queues_again_what_was_stopped_but_not_what_was_refused(tmp_path, code, requeues):
    tell(tmp_path, name="scontrol", script=f'echo "$@" >> {tmp_path}/calls')
    tell(tmp_path, name="srun", script=f"exit {code}")
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7",
                   "SLURM_JOB_NODELIST": "n"}  # fmt: skip
    assert subprocess.run(["bash", SLURM], env=environment).returncode == code
    assert ("requeue 7" in (tmp_path / "calls").read_text()) == requeues


def test_kubernetes_tells_every_pod_who_it_is_by_the_names_it_gives_them(tmp_path):
    tell(tmp_path, name="python")
    found, _ = told(["bash", "-c", SCRIPT], folder=tmp_path, JOB_COMPLETION_INDEX="1")
    service = SERVICE["metadata"]["name"]
    names = [
        f"{JOB['metadata']['name']}-{index}.{service}:2222"
        for index in range(JOB["spec"]["completions"])
    ]
    assert found.hosts == tuple(names)
    assert found.index == 1


def test_the_parts_of_the_kubernetes_file_fit_together():
    assert JOB["spec"]["completionMode"] == "Indexed"
    assert JOB["spec"]["parallelism"] == JOB["spec"]["completions"]
    assert POD["subdomain"] == SERVICE["metadata"]["name"]
    assert SERVICE["spec"]["selector"] == {"job-name": JOB["metadata"]["name"]}
    assert POD["restartPolicy"] == "Never"  # podFailurePolicy asks for it.
    volumes = {volume["name"] for volume in POD["volumes"]}
    assert {mount["name"] for mount in POD["containers"][0]["volumeMounts"]} == volumes


@pytest.fixture(scope="module")
def packaging():
    """What setup.py passes to setuptools."""
    given = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr(setuptools, "setup", lambda **arguments: given.update(arguments))
        runpy.run_path(str(ROOT / "setup.py"))
    return given


@pytest.mark.parametrize("name", ["train", "worker"])
def test_an_image_installs_what_setup_offers(name, packaging):
    text = (DOCKER / f"{name}.Dockerfile").read_text(encoding="utf-8")
    sources = [path for line in re.findall(r"^COPY (.*) \S+$", text, re.M) for path in line.split()]
    assert [path for path in sources if not (ROOT / path).exists()] == []
    rooms = {path for path in sources if (ROOT / path).is_dir()} - {"docs"}  # Messages name pages.
    installed = {package.partition(".")[0] for package in packaging["packages"]}
    assert rooms == (installed if name == "train" else installed - {"synthetic_faces", "trainer"})
    (what,) = re.findall(r"pip install --no-cache-dir (\S+)$", text, re.M)
    extras = set(re.findall(r"[\w-]+", what.strip("'.")))
    assert extras <= packaging["extras_require"].keys()
    assert ("gpu" in extras) == (name == "train")
    version = dict(re.findall(r"^ARG (\w+)=(\S+)$", text, re.M))
    assert specifiers.SpecifierSet(packaging["python_requires"]).contains(version["PYTHON"])
    if name == "worker":
        (beam,) = [one for one in packaging["install_requires"] if one.startswith("apache-beam")]
        assert requirements.Requirement(beam).specifier.contains(version["BEAM"])
        assert f"ENV {runner.WORKER_PACKAGES_VARIABLE}=1" in text


def test_kubernetes_names_the_image_that_is_built_for_training():
    text = (DOCKER / "train.Dockerfile").read_text(encoding="utf-8")
    image = POD["containers"][0]["image"]
    assert f"--tag={image} ." in text and f"{image} \\\n" in text
