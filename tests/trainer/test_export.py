"""Exports of a small trained network: each format is opened again and does what the network does."""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from runtime import errors
from trainer import export
from trainer.exporting import exporter, formats, parity_check, signature
from trainer.inference import reference_runner, trained_model
from trainer.run import context, data_provenance, model_folder, trained_run
from trainer.training import setup, trainer

FORMATS = ["keras", "savedmodel", "onnx", "tflite"]


@pytest.fixture(scope="module")
def run(make_small_run) -> trained_run.Run:
    return make_small_run(image_size=16, dense_units=(256,))


@pytest.fixture(scope="module")
def make_small_run(version, tmp_path_factory, make_ctx):
    def make(**settings) -> trained_run.Run:
        model_dir = tmp_path_factory.mktemp("runs") / "run"
        at = make_ctx(
            model_dir=str(model_dir), data_dir=str(version.path.parents[2]), epochs=1, **settings
        )
        model_folder.claim(at.settings)
        train, validation = (
            context.read_split(at, split=split) for split in ("train", "validation")
        )
        network = setup.model(at)
        trainer.Trainer(
            at, network=network, model_dir=model_dir, train=train, selection=validation
        ).train()
        data_provenance.save(version, model_dir=model_dir)
        return trained_run.find(str(model_dir))

    return make


@pytest.fixture(scope="module")
def ship(run, version, tmp_path_factory):
    """Return a function that makes an export once and returns its folder, its runner and its
    comparison."""
    made: dict[str, tuple] = {}

    def once(format: str, quantize: str = "none"):
        name = f"{format}_{quantize}"
        if name not in made:
            place = tmp_path_factory.mktemp("exports") / name
            order = exporter.Order(
                run=run, format=format, quantize=quantize, folder=place, data_path=version.path
            )
            compared = exporter.ship(order)
            made[name] = (place, formats.OPEN[format](place / formats.FILES[format]), compared)
        return made[name]

    return once


def crops(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_an_export_takes_crops_of_any_size_and_number_and_differs_by_less_than_a_ten_thousandth(
    format, ship, run
):
    place, exported, compared = ship(format)
    network, _ = trained_model.network(run)
    for shape in ((1, 40, 40), (5, 16, 16), (2, 33, 9), (3, 7, 60)):
        found = exported(crops(*shape))["probabilities"]
        assert found.shape == (shape[0], 8) and found.sum(axis=1) == pytest.approx(1, abs=1e-5)
        wanted = reference_runner.original(network, run=run)(crops(*shape))
        assert parity_check.difference({"probabilities": found}, wanted) < 1e-4
    assert compared.largest < 1e-4 and compared.num_judged == 37
    assert {path.name for path in place.iterdir()} == {
        formats.FILES[format],
        "README.md",
        "export.json",
    }


@pytest.mark.slow
@pytest.mark.parametrize(("quantize", "smaller"), [("float16", 0.7), ("int8", 0.6)])
def test_quantising_makes_the_file_smaller_and_says_what_it_costs(quantize, smaller, ship):
    plain, quantised = ship("tflite")[0], ship("tflite", quantize)
    sizes = [(place / "model.tflite").stat().st_size for place in (plain, quantised[0])]
    assert sizes[1] < smaller * sizes[0]
    assert 0 < quantised[2].largest < 0.2
    assert quantised[2].exported_accuracy == pytest.approx(
        quantised[2].network_accuracy, abs=0.06
    )  # 2 of 37


@pytest.mark.slow
def test_int8_is_whole_numbers_from_end_to_end(ship):
    from ai_edge_litert import interpreter

    place, _, _ = ship("tflite", "int8")
    loaded = interpreter.Interpreter(model_path=str(place / "model.tflite"))
    (given,), (got,) = loaded.get_input_details(), loaded.get_output_details()
    assert given["dtype"] == got["dtype"] == np.uint8
    assert given["quantization"] == (1.0, 0) and got["quantization"] == (1 / 256, 0)
    kinds = {np.dtype(tensor["dtype"]).name for tensor in loaded.get_tensor_details()}
    assert "float32" not in kinds and "int8" in kinds


@pytest.mark.slow
def test_a_network_trained_in_half_precision_is_shipped_in_float32(run, tmp_path):
    half = dataclasses.replace(run.settings.training, precision="bfloat16")
    as_half = dataclasses.replace(run, settings=dataclasses.replace(run.settings, training=half))
    order = exporter.Order(
        run=as_half, format="keras", quantize="none", folder=tmp_path / "out", data_path=None
    )
    assert exporter.ship(order).largest == 0
    exported = formats.open_keras(tmp_path / "out/model.keras")
    network, _ = trained_model.network(run)
    wanted = reference_runner.original(network, run=run)(crops(2, 16, 16))
    assert parity_check.difference(exported(crops(2, 16, 16)), wanted) < 1e-6


@pytest.mark.parametrize(
    ("encoding", "by_eighths"), [("jpeg", True), ("png", False), ("raw", False)]
)
def test_a_shipped_model_resizes_crops_as_training_resized_those_of_its_build(
    encoding, by_eighths, run
):
    stored = dataclasses.replace(run, data=dataclasses.replace(run.data, encoding=encoding))
    network, _ = trained_model.network(run)
    assert signature.model(stored, network=network).get_layer("resize").by_eighths is by_eighths


NAMES = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt"]


@pytest.mark.slow
def test_every_format_carries_the_class_names(ship):
    import keras
    import onnxruntime
    import tensorflow as tf

    model = keras.saving.load_model(ship("keras")[0] / "model.keras")
    assert list(model.get_layer("probabilities").class_names) == NAMES
    signatures = tf.saved_model.load(str(ship("savedmodel")[0] / "saved_model")).signatures
    assert signatures["class_names"]()["class_names"].numpy().astype(str).tolist() == NAMES
    onnx_model = onnxruntime.InferenceSession(ship("onnx")[0] / "model.onnx")
    assert json.loads(onnx_model.get_modelmeta().custom_metadata_map["class_names"]) == NAMES
    assert onnx_model.get_inputs()[0].shape == ["batch", "height", "width", 3]
    assert (
        zipfile.ZipFile(ship("tflite")[0] / "model.tflite").read("labels.txt").decode().split()
        == NAMES
    )
    assert json.loads((ship("onnx")[0] / "export.json").read_text())["class_names"] == NAMES


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_the_code_in_the_model_card_runs_where_the_card_lies(format, ship, monkeypatch, capsys):
    place, _, _ = ship(format)
    card = (place / "README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)
    monkeypatch.chdir(place)
    exec(code, {})
    assert "contempt" in capsys.readouterr().out


def test_the_card_says_what_the_data_were_and_that_drawn_faces_are_not_people(ship, run):
    card = (ship("keras")[0] / "README.md").read_text()
    assert "Trained on drawn faces, not on AffectNet" in card
    assert run.data.fingerprint in card and "62 train, 37 validation" in card
    assert "Not judged yet" in card
    assert "for research only" in card and "may be redistributed" in card
    (run.model_dir / "metrics.json").write_text(
        json.dumps(
            {
                "protocol": {"split": "validation", "selection": "epoch 1 of 1"},
                "accuracy": 0.25,
                "balanced_accuracy": 0.5,
                "macro": {"f1": 0.125},
                "m_measure": None,
                "per_class": [
                    {"name": "happy", "precision": 0.75, "recall": None, "f1": 0.5, "support": 7}
                ],
            }
        )
    )
    folder_ = run.model_dir / "again"
    exporter.ship(
        exporter.Order(run=run, format="keras", quantize="none", folder=folder_, data_path=None)
    )
    card = (folder_ / "README.md").read_text()
    (run.model_dir / "metrics.json").unlink()
    assert "- selection: epoch 1 of 1" in card
    assert "| accuracy | 0.250 |" in card and "| happy | 0.750 | - | 0.500 | 7 |" in card
    assert "made-up pictures (the data set is not here)" in card


def test_a_file_that_does_something_else_is_refused_and_not_kept(run, tmp_path, monkeypatch):
    def skewed(path):
        return lambda crops: {"probabilities": np.full((len(crops), 8), 1 / 8, np.float32)}

    monkeypatch.setitem(formats.OPEN, "keras", skewed)
    order = exporter.Order(
        run=run, format="keras", quantize="none", folder=tmp_path / "out", data_path=None
    )
    with pytest.raises(
        errors.UserError, match="may differ from its network by 0.0001: .*model.keras differs by 0"
    ):
        exporter.ship(order)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ({"a": [1.0, 2.0]}, {"a": [1.0, 2.5]}, 0.5),
        ({"a": [1.0]}, {"b": [1.0]}, np.inf),
        ({"a": [1.0]}, {"a": [1.0, 2.0]}, np.inf),
        ({"a": [np.nan]}, {"a": [1.0]}, np.inf),
    ],
)
def test_the_difference_is_the_largest_of_any_output(one, other, wanted):
    arrays = [{name: np.array(values) for name, values in each.items()} for each in (one, other)]
    assert parity_check.difference(*arrays) == wanted


def test_what_cannot_be_exported_is_refused_before_tensorflow(run, tmp_path, monkeypatch):
    with pytest.raises(
        errors.UserError, match="--quantize=int8 is for --format=tflite: got --format=onnx"
    ):
        export.check(export.Export(format="onnx", quantize="int8"), run=run)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").touch()
    with pytest.raises(errors.UserError, match="is there and is no export"):
        export.check(export.Export(output_dir=str(tmp_path / "mine")), run=run)
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        errors.UserError, match=r"needs onnx, onnxruntime, tf2onnx: pip install '.*\[export\]'"
    ):
        export.check(export.Export(format="onnx"), run=run)


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


@pytest.mark.slow
def test_the_program_exports_and_prints_the_difference(run):
    done = subprocess.run(
        [sys.executable, "-m", "trainer.export", f"--model_dir={run.model_dir}", "--format=keras"],
        capture_output=True, text=True, check=False, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"compared +on validation crops of 32 x 32, .*: largest difference of an output \d",
        done.stdout,
    )
    assert (run.model_dir / "export/keras/model.keras").is_file()
    assert pathlib.Path(run.model_dir / "export/keras/README.md").is_file()
