"""The notebook runs on drawn faces and on an existing build; its saved outputs are clean."""

import importlib.util
import io
import json
import re

import numpy as np
import PIL.Image
import pytest

if missing := [
    name for name in ("nbclient", "nbformat", "ipykernel") if importlib.util.find_spec(name) is None
]:
    pytest.skip(f"{', '.join(missing)} not installed (extra: notebook)", allow_module_level=True)

import base64

import nbclient
import nbformat

from docs import notebook

SMALL = {"NUM_FACES": 400, "EPOCHS": 2, "IMAGE_SIZE": 24}
CHARTS = ["examples", "counts", "curves", "confusion", "mistakes", "predict"]
BUILD = "build/notebook/data"


def output_of(done, cell_id: str) -> str:
    (cell,) = [cell for cell in done.cells if cell.id == cell_id]
    return "\n".join(notebook._text(output) for output in cell.outputs)


def images_of(done) -> dict[str, np.ndarray]:
    found = {}
    for cell in done.cells:
        for output in cell.get("outputs", []):
            if png := output.get("data", {}).get("image/png"):
                found[cell.id] = np.asarray(
                    PIL.Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
                )
    return found


def code(*sources: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The notebook after a run in an empty folder, and that folder."""
    folder = tmp_path_factory.mktemp("notebook")
    return notebook.execute(notebook.read(settings=SMALL), folder=folder, data_dir=BUILD), folder


@pytest.mark.slow
def test_it_runs_in_an_empty_folder_on_faces_that_it_draws(done):
    ran, folder = done
    assert notebook.faults(ran) == []
    assert re.search(r"^sample +400 drawn faces", output_of(ran, "build"), flags=re.MULTILINE)
    assert "epoch  2/2" in output_of(ran, "train")
    evaluated = json.loads((folder / "build/notebook/run/metrics.json").read_text())
    assert re.search(rf"^accuracy +{evaluated['accuracy']:.3f}  of ", output_of(ran, "train"), re.M)
    assert re.search(rf"^accuracy +{evaluated['accuracy']:.3f} ", output_of(ran, "headline"), re.M)
    assert re.search(r"^ happy +121 +50 ", output_of(ran, "build"), flags=re.MULTILINE)
    assert re.search(r"^happy +121 +50 +50", output_of(ran, "counts"), flags=re.MULTILINE)


@pytest.mark.slow
def test_its_charts_are_drawn(done):
    drawn = images_of(done[0])
    assert list(drawn) == CHARTS
    assert all(min(pixels.shape[:2]) > 250 and pixels.std() > 15 for pixels in drawn.values())


@pytest.mark.slow
def test_a_build_that_is_there_is_taken_and_nothing_is_drawn(done, tmp_path):
    opening = notebook.read()
    opening.cells = [cell for cell in opening.cells if cell.id in ("setup", "build")]
    ran = notebook.execute(opening, folder=tmp_path, data_dir=str(done[1] / BUILD))
    assert output_of(ran, "build").startswith(
        "affectnet_faces/sample/1.0.0  train: 400 examples in "
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_cell_that_raises_ends_the_run(tmp_path):
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="not today"):
        notebook.execute(code("raise ValueError('not today')"), folder=tmp_path, data_dir=BUILD)


def test_what_is_kept_has_every_output_and_nothing_of_the_machine_it_ran_on():
    kept = nbformat.read(notebook.NOTEBOOK, as_version=4)
    nbformat.validate(kept)
    assert notebook.faults(kept) == []
    assert list(images_of(kept)) == CHARTS
    counts = [cell.execution_count for cell in kept.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert kept.metadata == notebook._METADATA
    assert notebook.NOTEBOOK.stat().st_size < 1e6


def test_what_is_kept_is_of_drawn_faces_which_may_be_passed_on():
    kept = nbformat.read(notebook.NOTEBOOK, as_version=4)
    assert "DRAWN FACES, not AffectNet" in output_of(kept, "build")
    assert "DRAWN FACES, NOT AFFECTNET" in output_of(kept, "train")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "published     /home/ada/data/affectnet_faces   18 shards",
            "/home/ada/data/affectnet_faces",
        ),
        ("in C:\\Users", "C:\\Users"),
        ("\x1b[2Kshards", "\x1b"),
        ("<Axes at 0x7f1234567890>", "0x7f1234567890"),
        ("UserWarning: deprecated", "UserWarning"),
    ],
)
def test_what_must_not_be_kept_is_noticed(text, fault):
    made = code("print()")
    made.cells[0].outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)]
    assert notebook.faults(made) == [f"code cell 1 holds {fault!r}"]


def test_a_cell_without_output_or_with_an_error_is_noticed():
    assert notebook.faults(code("1;")) == ["code cell 1 has no output"]
    made = code("print()")
    made.cells[0].outputs = [nbformat.v4.new_output("stream", name="stderr", text="oneDNN is on")]
    assert notebook.faults(made) == ["code cell 1 ends in stream: 'oneDNN is on'"]
    made.cells[0].outputs = [
        nbformat.v4.new_output("error", ename="KeyError", evalue="'a'", traceback=[])
    ]
    assert notebook.faults(made) == ["code cell 1 ends in error: \"KeyError: 'a'\""]


def test_the_first_cell_installs_the_project_where_it_is_missing_and_only_there():
    first = next(cell for cell in notebook.read().cells if cell.cell_type == "code").source
    assert 'find_spec("trainer") is None' in first
    assert '%pip install --quiet "{CHECKOUT}[notebook]"' in first and 'CHECKOUT = ".."' in first
    assert (notebook.NOTEBOOK.parent / ".." / "setup.py").is_file()


def test_settings_replace_what_the_cell_setup_sets_and_only_that():
    made = notebook.read(settings=SMALL)
    (setup,) = [cell.source for cell in made.cells if cell.id == "setup"]
    assert "NUM_FACES = 400 " in setup and "EPOCHS = 2\n" in setup and "IMAGE_SIZE = 24 " in setup
    with pytest.raises(KeyError, match="BATCH"):
        notebook.read(settings={"BATCH": 1})
