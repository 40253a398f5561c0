"""Export program: what is refused before TensorFlow is imported, and the program as a whole."""

import dataclasses
import importlib.util
import os
import re
import shutil
import subprocess
import sys

import pytest

from runtime import errors
from trainer import export
from trainer.exporting import export_folder
from trainer.run import trained_run


@pytest.fixture(scope="module")
def run(photo_run) -> trained_run.Run:
    return photo_run


def test_what_cannot_be_exported_is_refused_before_tensorflow(run, tmp_path, monkeypatch):
    with pytest.raises(
        errors.UserError, match="--quantize=int8 needs --format=tflite: got --format=onnx"
    ):
        export.check(export.Export(format="onnx", quantize="int8"), run=run)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").touch()
    with pytest.raises(errors.UserError, match="must name a new folder or an export"):
        export.check(export.Export(output_dir=str(tmp_path / "mine")), run=run)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        errors.UserError, match=r"needs onnx, onnxruntime, tf2onnx: .*pip install '.*\[export\]'"
    ):
        export.check(export.Export(format="onnx"), run=run)


def test_the_folder_that_one_is_in_is_replaced_where_it_is_an_export(run, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / export_folder.MANIFEST).touch()
    monkeypatch.chdir(tmp_path / "mine")
    folder = export.check(export.Export(output_dir="."), run=run)
    with export_folder.replaced(folder) as staged:
        (staged / "new").touch()
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["new"]


def test_int8_needs_the_data_it_was_trained_on(run, tmp_path, data_dir):
    assert export.find_data(export.Export(), run=run) is not None
    elsewhere = export.Export(data_dir=str(tmp_path), quantize="int8")
    with pytest.raises(errors.UserError, match="holds no affectnet_faces"):
        export.find_data(elsewhere, run=run)
    shutil.copytree(data_dir, tmp_path / "other")
    with (tmp_path / "other/affectnet_faces/sample/1.0.0/dataset_info.json").open("a") as file:
        file.write(" ")
    with pytest.raises(
        errors.UserError, match="was trained on data with fingerprint .*, and those in"
    ):
        export.find_data(export.Export(data_dir=str(tmp_path / "other")), run=run)


def test_a_folder_without_a_run_or_without_its_data_is_refused(run, tmp_path):
    with pytest.raises(errors.UserError, match="holds no trained model"):
        trained_run.find(str(tmp_path))
    shutil.copy(run.model_dir / "config.json", tmp_path)
    with pytest.raises(
        errors.UserError, match=r"does not say what it was trained on \(data.json\)"
    ):
        trained_run.find(str(tmp_path))
    shutil.copy(run.model_dir / "data.json", tmp_path)
    with pytest.raises(
        errors.UserError, match=r"holds no weights \(best.npz\), .* trainer.main .* continues it$"
    ):
        trained_run.find(str(tmp_path))


def test_an_unfinished_run_is_exported_and_says_so(run, tmp_path, capsys):
    run.print_if_unfinished()
    assert capsys.readouterr().out.startswith(f"unfinished    {run.model_dir} is not trained to")
    (tmp_path / "metrics.json").touch()
    dataclasses.replace(run, model_dir=tmp_path).print_if_unfinished()
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_the_program_exports_and_prints_the_difference(run, tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "trainer.export",
            f"--model_dir={run.model_dir}",
            "--format=keras",
            f"--output_dir={tmp_path / 'out'}",
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"compared +on validation crops of 32 x 32, .*: largest difference of an output \d",
        done.stdout,
    )
    assert f"model card    {tmp_path / 'out/README.md'}" in done.stdout
    assert (tmp_path / "out/model.keras").is_file()
    assert (tmp_path / "out/README.md").is_file()


def test_the_default_folder_is_in_the_run_and_named_by_the_format(run):
    assert export.check(export.Export(format="keras"), run=run) == run.model_dir / "export/keras"
    config = export.Export(format="tflite", quantize="int8")
    assert export.check(config, run=run) == run.model_dir / "export/tflite_int8"
