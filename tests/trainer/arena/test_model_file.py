"""Model files of others: what holds code, is damaged or needs a missing package is refused."""

import importlib.util
import json
import re
import zipfile

import h5py
import pytest

from runtime import errors
from trainer.arena import keras_file, model_file


def sentence_of(path):
    with pytest.raises(errors.UserError) as no:
        model_file.check(path)
        model_file.open_file(path)
    text = str(no.value)
    assert str(path) in text and "\n" not in text
    return text


def layer(class_name="Lambda", module="keras.layers"):
    return {"class_name": class_name, "module": module, "config": {}}


def write(path, config):
    """Write a Keras file that has a configuration and nothing else."""
    text = json.dumps(config)
    if path.suffix == ".keras":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", text)
    else:
        with h5py.File(path, "w") as file:
            file.attrs["model_config"] = text
    return path


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize(
    "inner",
    [
        layer(),
        {"class_name": "Bidirectional", "config": {"layer": layer()}},
        {"class_name": "Dense", "config": {"activation": {"class_name": "__lambda__"}}},
    ],
)
def test_python_code_in_a_keras_file_is_refused_wherever_it_is(tmp_path, ending, inner):
    config = {"class_name": "Sequential", "config": {"layers": [inner]}}
    text = sentence_of(write(tmp_path / f"m{ending}", config))
    assert re.search(r"holds Python code \((Lambda|__lambda__)\), which is never run here", text)


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("module", ["os", "keras.utils", "keras.src.utils.file_utils", "builtins"])
def test_a_keras_file_that_names_a_module_of_others_is_refused(tmp_path, ending, module):
    config = {"layers": [layer("system", module=module)]}
    text = sentence_of(write(tmp_path / f"m{ending}", config))
    assert f"needs {module}.system, and only layers of Keras are loaded" in text


@pytest.mark.parametrize("ending", [".onnx", ".tflite", ".keras", ".h5"])
@pytest.mark.parametrize("content", [b"", b"\x80\x04no pickle is read", bytes(range(256)) * 20])
def test_a_damaged_file_is_refused(tmp_path, ending, content):
    path = tmp_path / f"m{ending}"
    path.write_bytes(content)
    assert sentence_of(path).startswith(f"cannot read the model {path}: ")


def test_a_file_of_weights_alone_is_refused(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_dataset("kernel", data=[1.0])
    assert "holds weights alone, and no model" in sentence_of(tmp_path / "m.h5")


def test_a_kind_that_is_not_read_is_refused_and_a_missing_file(tmp_path):
    assert "must end in .onnx, .tflite, .keras, .h5, .hdf5" in sentence_of(tmp_path / "m.pkl")
    with pytest.raises(FileNotFoundError):
        model_file.check(tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("ending", "package"), [(".onnx", "onnxruntime"), (".tflite", "ai_edge_litert")]
)
def test_a_missing_runtime_is_one_sentence(tmp_path, monkeypatch, ending, package):
    path = tmp_path / f"m{ending}"
    path.touch()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    wanted = rf"^a model file that ends in \{ending} needs {package}: .*\[export\]"
    with pytest.raises(errors.UserError, match=wanted):
        model_file.check(path)


def test_the_modules_of_our_own_exports_are_known():
    assert keras_file._is_known("trainer.exporting.signature", name="Resize")
    assert keras_file._is_known("builtins", name="function")
