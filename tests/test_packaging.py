"""What an installation and a Beam worker get of this project."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from pipeline.beam import runner

ROOT = Path(__file__).resolve().parent.parent


def packed(folder: Path) -> set[str]:
    """Build the source distribution as Beam does, in this environment; return its files."""
    subprocess.run(
        [sys.executable, "setup.py", "--quiet", "sdist", "--dist-dir", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        return {name.partition("/")[2] for name in files.getnames()}


def rooms(files: set[str]) -> set[str]:
    return {name.partition("/")[0] for name in files if name.endswith(".py") and "/" in name}


@pytest.mark.slow
def test_workers_are_sent_neither_the_drawn_faces_nor_the_trainer(tmp_path):
    with runner.packages_for_workers():
        files = packed(tmp_path)
    installed = rooms(files) - {"tests"}  # setuptools packs tests/test*.py and installs none.
    assert installed == {"affectnet_tfds", "pipeline", "runtime", "webpage"}
    assert {"setup.py", "README.md", "pipeline/beam/survey_rows.py"} <= files


@pytest.mark.slow
def test_an_installation_gets_every_package_and_its_data(tmp_path):
    assert runner.WORKER_PACKAGES_VARIABLE not in os.environ
    files = packed(tmp_path)
    assert rooms(files) >= {
        "affectnet_tfds", "pipeline", "runtime", "synthetic_faces", "trainer", "webpage",
    }  # fmt: skip
    assert {
        "affectnet_tfds/py.typed",
        "trainer/demo/page.css",
        "trainer/recipes/demo.yaml",
        "webpage/style.css",
    } <= files


def test_the_job_sets_the_variable_while_a_pipeline_runs_and_no_longer():
    with runner.Runner(num_workers=1).pipeline(reads_bytes=0):
        assert os.environ[runner.WORKER_PACKAGES_VARIABLE]
    assert runner.WORKER_PACKAGES_VARIABLE not in os.environ
