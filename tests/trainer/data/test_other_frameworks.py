"""docs/interop.md: its examples run; where the page promises it, TensorFlow is not imported."""

import importlib.util
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from tests import documents

SECTIONS = documents.sections(documents.PAGES["docs/interop.md"])
LARGE = {"torch": "torch", "nvidia.dali": "nvidia"}
"""Packages that are too large for CI, and how their imports begin."""
pytestmark = pytest.mark.slow


def examples():
    """Return the sections and their examples as parameters, those of large packages marked."""
    for title, text in SECTIONS.items():
        for number, code in enumerate(documents.blocks(text, language="python")):
            missing = [name for name, root in LARGE.items() if _imports(code, root)]
            marks = [
                pytest.mark.torch,
                pytest.mark.skipif(
                    not all(map(_is_installed, missing)), reason=f"{missing} not installed"
                ),
            ]
            yield pytest.param(
                title, code, id=f"{title} {number + 1}", marks=marks if missing else []
            )


def _imports(code: str, root: str) -> bool:
    return re.search(rf"^(import|from) {root}\b", code, flags=re.MULTILINE) is not None


def _is_installed(name: str) -> bool:
    root, _, child = name.partition(".")
    return importlib.util.find_spec(root) is not None and (
        not child or importlib.util.find_spec(name) is not None
    )


@pytest.fixture(scope="module")
def demo(data_dir, tmp_path_factory):
    """A folder with build/demo as make demo leaves it: the data, and the run's predictions."""
    folder = tmp_path_factory.mktemp("interop")
    (folder / "build/demo/run").mkdir(parents=True)
    (folder / "build/demo/data").symlink_to(data_dir)
    write_predictions(folder / "build/demo/run/predictions.csv")
    return folder


def write_predictions(path):
    """Write a predictions.csv of 24 images whose labels the model finds likely, but for one."""
    names = ["neutral", "happy", "sad"]
    probabilities = 0.05 + 0.85 * np.eye(3)
    rows = [[f"{i}.jpg", 0, names[i % 3], names[i % 3], *probabilities[i % 3]] for i in range(23)]
    rows.append(["wrong.jpg", 0, "sad", "happy", *probabilities[1]])
    header = ["filename", "copy", "label", "predicted", *(f"p_{name}" for name in names)]
    path.write_text("\n".join(",".join(map(str, row)) for row in [header, *rows]) + "\n")


@pytest.mark.parametrize(("section", "code"), list(examples()))
def test_an_example_runs(section, code, demo, monkeypatch):
    monkeypatch.chdir(demo)
    if _imports(code, "tensorflow"):
        exec(compile(code, section, "exec"), {})
        return
    path = demo / "example.py"
    path.write_text(f"{code}\nimport sys\nassert 'tensorflow' not in sys.modules\n")
    done = subprocess.run(
        [sys.executable, path],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(documents.ROOT), "HF_HOME": str(demo / "hf")},
    )
    assert done.returncode == 0, done.stderr
    if section == "cleanlab":
        assert "wrong.jpg" in done.stdout and " 1.jpg" not in done.stdout


def test_the_index_file_has_the_place_of_every_record(demo):
    """After the example of DALI: offsets and lengths follow each other to the file's end."""
    for path in (demo / "build/demo/dali").glob("*.idx"):
        shard = demo / "build/demo/data/affectnet_faces/sample/1.0.0" / path.stem
        places = [tuple(map(int, line.split())) for line in path.read_text().splitlines()]
        ends = [start + length for start, length in places]
        assert [0, *ends] == [start for start, _ in places] + [shard.stat().st_size]
        assert len(places) in (21, 20)


def test_the_page_says_which_frameworks_need_tensorflow():
    table = SECTIONS and documents.PAGES["docs/interop.md"].partition("| framework |")[2]
    for title, text in SECTIONS.items():
        row = next(line for line in table.splitlines() if f"[{title}]" in line)
        needs = any(
            _imports(code, "tensorflow") for code in documents.blocks(text, language="python")
        )
        assert row.endswith("| yes |" if needs else "| no |"), title
