"""docs/serving.md: the layouts it makes, and its server, answer as the export itself does."""

import io
import pathlib
import re
import subprocess

import numpy as np
import onnxruntime
import PIL.Image
import pytest
import tensorflow as tf
from fastapi import testclient

from tests import documents

PAGE = documents.PAGES["docs/serving.md"]
NUMPY = {"TYPE_UINT8": "tensor(uint8)", "TYPE_FP32": "tensor(float)"}


def run_block(marker: str, *, folder: pathlib.Path) -> None:
    (block,) = [text for text in documents.blocks(PAGE, language="sh") if marker in text]
    subprocess.run(["sh", "-ec", block], cwd=folder, check=True)


@pytest.fixture
def crop(random_crops) -> np.ndarray:
    return random_crops(1, 32, 32)


def test_tensorflow_serving_finds_a_numbered_version(exported, crop, tmp_path):
    made, shipped, _ = exported("savedmodel")
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "savedmodel").symlink_to(made)
    run_block("models/faces/1", folder=tmp_path)
    version = tmp_path / "models" / "faces" / "1"
    assert (version / "saved_model.pb").is_file()
    served = tf.saved_model.load(str(version)).signatures
    found = served["serving_default"](crops=tf.constant(crop))["probabilities"]
    np.testing.assert_array_equal(found, shipped(crop)["probabilities"])
    assert "contempt" in served["class_names"]()["class_names"].numpy().astype(str)


def test_tritons_configuration_is_that_of_the_file(exported, tmp_path):
    made, _, _ = exported("onnx")
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "onnx").symlink_to(made)
    (config,) = documents.blocks(PAGE, language="protobuf")
    (tmp_path / "config.pbtxt").write_text(config)
    run_block("repository/faces/1", folder=tmp_path)
    repository = tmp_path / "repository" / "faces"
    assert sorted(path.name for path in repository.iterdir()) == ["1", "config.pbtxt"]
    session = onnxruntime.InferenceSession(repository / "1" / "model.onnx")
    found = re.findall(r'name: "(\w+)", data_type: (\w+), dims: \[ ([-\d, ]+) \]', config)
    told = [
        (name, NUMPY[kind], ["batch", *(each if each > 0 else None for each in map(int, dims))])
        for name, kind, dims in ((name, kind, dims.split(",")) for name, kind, dims in found)
    ]
    there = [*session.get_inputs(), *session.get_outputs()]
    assert [(name, kind, len(shape)) for name, kind, shape in told] == [
        (each.name, each.type, len(each.shape)) for each in there
    ]
    for (_, _, shape), each in zip(told, there, strict=True):
        assert all(a in (b, None) for a, b in zip(shape, each.shape, strict=True))


def test_the_server_of_twenty_lines_answers_as_the_export(exported, crop, monkeypatch):
    made, shipped, _ = exported("onnx")
    (code,) = documents.blocks(PAGE, language="python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 20
    monkeypatch.chdir(made)
    server: dict[str, object] = {}
    exec(code, server)
    client = testclient.TestClient(server["app"])
    file = io.BytesIO()
    PIL.Image.fromarray(crop[0]).save(file, "PNG")
    answer = client.post("/predict", content=file.getvalue())
    assert answer.status_code == 200
    assert list(answer.json()) == server["names"]
    wanted = shipped(crop)["probabilities"][0]
    np.testing.assert_allclose(list(answer.json().values()), wanted, atol=1e-6)
    refused = client.post("/predict", content=b"no image")
    assert refused.status_code == 400 and "no image: " in refused.json()["detail"]
