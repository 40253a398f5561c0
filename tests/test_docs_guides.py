"""docs/add_a_layout.md and docs/add_a_backbone.md, followed: their code is put where they say."""

import importlib.util
import json
import shutil
import sys

import cv2
import numpy as np
import pytest

from pipeline import build, config, console
from pipeline.sources.layouts import registry
from tests import documents, programs
from tests.pipeline.sources.conftest import brief, read

FRESH = """
import runpy, sys

OURS = {"affectnet_tfds", "runtime", "trainer", "webpage"}
for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
    del sys.modules[name]
sys.path.insert(0, TREE)
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
"""Runs a program with the code of a tree, in a process that has imported ours."""


def code(page: str, *, begins: str) -> str:
    (found,) = [
        block
        for block in documents.blocks(documents.PAGES[page], language="python")
        if block.startswith(begins)
    ]
    return found


@pytest.fixture
def json_lines(tmp_path, monkeypatch):
    """The layout of the guide, registered."""
    path = tmp_path / "json_lines.py"
    path.write_text(code("docs/add_a_layout.md", begins='"""Layout of JSON lines'))
    spec = importlib.util.spec_from_file_location("json_lines", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, "json_lines", module)
    monkeypatch.setitem(registry.LAYOUTS, "jsonl", module)
    assert '"jsonl": json_lines,' in documents.PAGES["docs/add_a_layout.md"]
    monkeypatch.setattr(registry, "AUTOMATIC", (*registry.AUTOMATIC, "jsonl"))
    return module


@pytest.fixture
def release(tmp_path):
    """A copy in the guide's layout: six images of each split, the expressions in turn."""
    faces = tmp_path / "release/faces"
    (faces / "images/a").mkdir(parents=True)
    random = np.random.Generator(np.random.PCG64(0))
    for split in ("train", "validation"):
        lines = []
        for i in range(6):
            name = f"a/{split}{i}.png"
            cv2.imwrite(str(faces / "images" / name), random.integers(0, 255, (48, 48, 3)))
            row = {"image": name, "expression": ["happy", "Sad"][i % 2], "box": [4, 4, 40, 40]}
            lines.append(json.dumps(row))
        (faces / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path / "release"


def test_the_guides_layout_reads_rows_and_rejects(json_lines, release):
    with (release / "faces/train.jsonl").open("a") as file:
        file.write('{"image": "a/x.png", "expression": "hungry"}\nno json\n')
    rows = read(release)
    assert len(rows) == 14 and brief(rows[:2]) == [
        ("train", "faces/images/a/train0.png", 1),
        ("train", "faces/images/a/train1.png", 2),
    ]
    assert rows[0].box == (4, 4, 40, 40) and rows[0].filename == "images/a/train0.png"
    assert brief(rows[6:8]) == [("a/x.png", "bad label"), ("no json", "bad label")]
    assert rows[7].source == "faces/train.jsonl row 8"


@pytest.mark.slow
def test_what_the_guides_layout_reads_is_built_and_the_guides_network_trains_on_it(
    json_lines, release, tmp_path, monkeypatch
):
    wanted = config.JobConfig(
        input_dir=str(release),
        data_dir=str(tmp_path / "data"),
        config_name="faces",
        image_size=32,
        num_workers=1,
    )
    built = build.build(wanted, listener=console.Console())
    assert built.report["layout"] == "jsonl" and built.account.num_examples == 12
    done = trained_with_the_guides_network(tmp_path, monkeypatch)
    assert done.returncode == 0, done.stderr
    # Convolutions of 3 x 3: 3 to 16 and 16 to 32, with biases; 32 to 8 classes.
    assert f"model         tiny, {448 + 4_640 + 264:,} parameters, 32 px" in done.stdout
    assert "evaluated     validation accuracy" in done.stdout


def trained_with_the_guides_network(tmp_path, monkeypatch):
    """Add the guide's architecture to a copy of the trainer, and train with it."""
    tree = tmp_path / "tree"
    for name in ("affectnet_tfds", "runtime", "trainer", "webpage"):
        shutil.copytree(documents.ROOT / name, tree / name)
    module = code("docs/add_a_backbone.md", begins='"""Tiny network')
    (tree / "trainer/models/tiny.py").write_text(module)
    listed = code("docs/add_a_backbone.md", begins="ARCHITECTURES = ").strip()
    path = tree / "trainer/config/model_config.py"
    before = 'ARCHITECTURES = ("cnn", "resnet_small")'
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, listed))
    (tmp_path / "fresh.py").write_text(FRESH.replace("TREE", repr(str(tree))))
    monkeypatch.syspath_prepend(tmp_path)
    return programs.run(
        "fresh", "trainer.main", f"--data_dir={tmp_path / 'data'}", "--model=tiny",
        "--conv_filters=16,32", "--epochs=1", "--num_gpus=0", "--batch_size=4",
        f"--model_dir={tmp_path / 'run'}",
    )  # fmt: skip
