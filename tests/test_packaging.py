"""What an installation and a Beam worker get of this project."""

import ast
import os
import re
import subprocess
import sys
import tarfile
import zipfile
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
        "trainer/demo/page.js",
        "trainer/recipes/demo.yaml",
        "webpage/style.css",
    } <= files


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """The wheel, built away from the checkout's own build/."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "setup.py", "--quiet", "egg_info", "--egg-base", folder,
         "build", "--build-base", folder / "build", "bdist_wheel", "--dist-dir", folder],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def text_of(wheel: zipfile.ZipFile, name: str) -> str:
    (path,) = [path for path in wheel.namelist() if path.endswith(f".dist-info/{name}")]
    return wheel.read(path).decode()


@pytest.mark.slow
def test_the_wheel_has_all_files_of_the_packages_and_no_other(wheel):
    ours = ("affectnet_tfds", "pipeline", "runtime", "synthetic_faces", "trainer", "webpage")
    there = {
        str(path.relative_to(ROOT))
        for room in ours
        for path in (ROOT / room).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    packed = {name for name in wheel.namelist() if not re.match(r"affectnet_faces-[^/]*/", name)}
    assert packed == there


@pytest.mark.slow
def test_the_wheel_declares_the_command_and_the_extras(wheel):
    assert "affectnet-faces = runtime.command:main" in text_of(wheel, "entry_points.txt")
    metadata = text_of(wheel, "METADATA")
    extras = {"train", "sweep", "audit", "export", "predict", "app", "notebook"}
    assert extras <= set(re.findall(r"^Provides-Extra: (\w+)$", metadata, re.MULTILINE))
    required = re.findall(r"^Requires-Dist: ([\w-]+)[^;\n]*$", metadata, re.MULTILINE)
    assert {"absl-py", "apache-beam", "markupsafe"} <= set(required)
    assert "tensorflow" not in required


@pytest.mark.slow
def test_every_page_that_a_message_names_is_in_the_wheel(wheel):
    """Beside installation.doc, no code names a file of the checkout."""
    sources = {name: wheel.read(name).decode() for name in wheel.namelist() if name.endswith(".py")}
    code = {name: ast.parse(text) for name, text in sources.items() if "/" in name}
    strings = [
        (name, node.value)
        for name, tree in code.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    docstrings = {doc for tree in code.values() for doc in docstrings_of(tree)}
    outside = [
        (name, text)
        for name, text in strings
        if re.search(r"\b(docs|deploy|benchmarks|tests)/\w", text) and text not in docstrings
    ]
    assert outside == []
    pages = set(re.findall(r"installation\.doc\([\"']([\w.]+)[\"']\)", " ".join(sources.values())))
    assert pages and all(
        any(name.endswith(f"/share/doc/affectnet-faces/{page}") for name in wheel.namelist())
        for page in pages
    )


def docstrings_of(tree: ast.AST) -> list[str]:
    """Return all strings that stand alone: docstrings of modules, functions and constants."""
    return [
        node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("words", [["--help"], ["verify", "--help"], ["train", "--recipe=dmo"]])
def test_the_wheel_works_outside_a_checkout(wheel, words, tmp_path):
    site = tmp_path / "site"
    wheel.extractall(site)
    code = (
        "from runtime import command, installation; import pathlib; "
        "assert str(installation.CHECKOUT) in installation.doc('data.md'); "
        "assert pathlib.Path(installation.doc('data.md')).is_file(); command.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2 * (words[0] == "train"), done.stderr
    assert "Traceback" not in done.stderr
    if words[0] == "train":
        assert "is called dmo; did you mean demo?" in done.stderr


def test_the_job_sets_the_variable_while_a_pipeline_runs_and_no_longer():
    with runner.Runner(num_workers=1).pipeline(reads_bytes=0):
        assert os.environ[runner.WORKER_PACKAGES_VARIABLE]
    assert runner.WORKER_PACKAGES_VARIABLE not in os.environ


STAND_IN = """#!/bin/sh
case "$*" in
  *has_device*) echo "$HAS_GPU" ;;
  "-m venv "*)
    mkdir -p "$3/bin"
    printf '#!/bin/sh\\n' > "$3/bin/python"
    printf '#!/bin/sh\\necho "installs $*"\\n' > "$3/bin/uv"
    chmod +x "$3/bin/python" "$3/bin/uv" ;;
esac
"""
"""A Python that installs nothing, and a machine with a GPU or without one."""


def make(folder: Path, *variables: str, has_gpu: int) -> tuple[str, str, int]:
    """Set up the environment; return the extras, the reason for CUDA libraries, the exit code."""
    python = folder / "python"
    if not python.exists():
        (folder / "setup.py").touch()
        python.write_text(STAND_IN)
        python.chmod(0o755)
    done = subprocess.run(
        ["make", f"--file={ROOT}/Makefile", ".venv/.ready", f"PYTHON={python}", *variables],
        cwd=folder, capture_output=True, text=True, env={**os.environ, "HAS_GPU": str(has_gpu)},
    )  # fmt: skip
    extras = re.findall(r"--editable \.\[(\S+)\]", done.stdout)
    why = re.findall(r"2 to 3 GB more, (.*)", done.stdout)
    return "".join(extras), "".join(why), done.returncode


@pytest.mark.parametrize(
    "has_gpu, variables, extras, why",
    [
        (0, [], "dev", ""),
        (1, [], "dev,gpu", "because this machine has an NVIDIA GPU (GPU=0 leaves them out)"),
        (1, ["GPU=0"], "dev", ""),
        (0, ["GPU=1"], "dev,gpu", "(GPU=1)"),
    ],
)
def test_make_installs_cuda_libraries_where_there_is_a_gpu_and_says_so(
    tmp_path, has_gpu, variables, extras, why
):
    assert make(tmp_path, *variables, has_gpu=has_gpu) == (extras, why, 0)


def test_make_installs_anew_when_the_choice_changes_and_keeps_it_otherwise(tmp_path):
    assert make(tmp_path, has_gpu=0)[0] == "dev"
    assert make(tmp_path, has_gpu=0)[0] == ""
    assert make(tmp_path, "GPU=1", has_gpu=0)[0] == "dev,gpu"
    assert make(tmp_path, "GPU=1", has_gpu=0)[0] == ""
    os.utime(tmp_path / ".venv/.ready", (0, 0))  # As if setup.py had changed.
    assert make(tmp_path, has_gpu=0) == ("dev,gpu", "as before (GPU=0 leaves them out)", 0)


def test_make_refuses_another_choice(tmp_path):
    assert make(tmp_path, "GPU=yes", has_gpu=1) == ("", "", 2)
