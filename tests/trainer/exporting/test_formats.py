"""Export formats: each file takes crops of any size, returns what the network does, and names its
classes."""

import dataclasses
import json
import zipfile

import numpy as np
import pytest

from tests.trainer import conftest
from trainer import evaluate
from trainer.config import run_config
from trainer.data import examples
from trainer.evaluation import predictor
from trainer.exporting import formats, parity_check, signature
from trainer.inference import face_classifier, face_detector, images, trained_model
from trainer.models import views
from trainer.run import context, ensemble

NAMES = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt"]
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("format", list(formats.FILES))
def test_an_export_takes_crops_of_any_size_and_number_and_differs_by_less_than_a_ten_thousandth(
    format, exported, export_run, random_crops
):
    folder, runner, comparison = exported(format)
    network, _ = trained_model.network(export_run)
    original = parity_check.network_runner(network, run=export_run)
    for shape in ((1, 40, 40), (5, 16, 16), (2, 33, 9), (3, 7, 60)):
        crops = random_crops(*shape)
        probs = runner(crops)["probabilities"]
        assert probs.shape == (shape[0], 8) and probs.sum(axis=1) == pytest.approx(1, abs=1e-5)
        assert parity_check.difference({"probabilities": probs}, original(crops)) < 1e-4
    assert comparison.largest < 1e-4 and comparison.num_evaluated == 37
    assert {path.name for path in folder.iterdir()} == {
        formats.FILES[format],
        "README.md",
        "export.json",
    }


@pytest.fixture(scope="module")
def own_report(export_run, tmp_path_factory, without_figures):
    """What our own evaluation of the run gives."""
    folder = tmp_path_factory.mktemp("own")
    return evaluate.evaluate(
        evaluate.Evaluation(model_dir=str(export_run.model_dir), report_dir=str(folder), num_gpus=0)
    )


@pytest.mark.parametrize("format", ["keras", "onnx", "tflite"])
def test_an_export_is_evaluated_as_a_model_of_others_with_the_same_result(
    format, exported, export_run, own_report, data_dir, tmp_path
):
    adapter = tmp_path / "adapter.yaml"
    adapter.write_text(
        f"classes: [{', '.join(NAMES)}]\ncolor: rgb\nscaling: 0..255\ninput_size: 16\n"
        "output_kind: probabilities\n"
    )
    found = evaluate.evaluate(
        evaluate.Evaluation(
            model_file=str(exported(format)[0] / formats.FILES[format]),
            adapter=str(adapter),
            data_dir=str(data_dir),
            report_dir=str(tmp_path / "report"),
        )
    )
    ours = own_report.predictions
    np.testing.assert_allclose(found.predictions.probabilities, ours.probabilities, atol=1e-5)
    assert found.predictions.filenames.tolist() == ours.filenames.tolist()
    metrics, own = (
        json.loads(each.files["metrics.json"].read_text()) for each in (found, own_report)
    )
    assert set(metrics) == {*own, "ms_per_face"} and metrics["accuracy"] == own["accuracy"]


@pytest.mark.parametrize(("quantize", "smaller"), [("float16", 0.7), ("int8", 0.6)])
def test_quantising_makes_the_file_smaller_and_the_comparison_states_what_it_costs(
    quantize, smaller, exported
):
    plain = exported("tflite")[0] / "model.tflite"
    folder, _, comparison = exported("tflite", quantize)
    assert (folder / "model.tflite").stat().st_size < smaller * plain.stat().st_size
    assert 0 < comparison.largest < 0.2
    assert comparison.exported_accuracy == pytest.approx(
        comparison.network_accuracy, abs=0.06
    )  # 2 of 37


def test_int8_is_integers_from_end_to_end(exported):
    from ai_edge_litert import interpreter

    folder, _, _ = exported("tflite", "int8")
    loaded = interpreter.Interpreter(model_path=str(folder / "model.tflite"))
    (crops,) = loaded.get_input_details()
    (probs,) = loaded.get_output_details()
    assert crops["dtype"] == probs["dtype"] == np.uint8
    assert crops["quantization"] == (1.0, 0) and probs["quantization"] == (1 / 256, 0)
    kinds = {np.dtype(tensor["dtype"]).name for tensor in loaded.get_tensor_details()}
    assert "float32" not in kinds and "int8" in kinds


def test_every_format_carries_the_class_names(exported):
    import keras
    import onnxruntime
    import tensorflow as tf

    model = keras.saving.load_model(exported("keras")[0] / "model.keras")
    assert list(model.get_layer("probabilities").class_names) == NAMES
    signatures = tf.saved_model.load(str(exported("savedmodel")[0] / "saved_model")).signatures
    assert signatures["class_names"]()["class_names"].numpy().astype(str).tolist() == NAMES
    onnx_folder = exported("onnx")[0]
    onnx_model = onnxruntime.InferenceSession(onnx_folder / "model.onnx")
    assert json.loads(onnx_model.get_modelmeta().custom_metadata_map["class_names"]) == NAMES
    assert onnx_model.get_inputs()[0].shape == ["batch", "height", "width", 3]
    assert [output.shape for output in onnx_model.get_outputs()] == [["batch", 8]]
    labels = zipfile.ZipFile(exported("tflite")[0] / "model.tflite").read("labels.txt")
    assert labels.decode().split() == NAMES
    assert json.loads((onnx_folder / "export.json").read_text())["class_names"] == NAMES


@pytest.fixture(scope="module")
def two_runs(ten_crop_run, flipped_run) -> ensemble.Ensemble:
    """Runs of two architectures, on ten crops and on mirror images, with crop settings."""
    crop = conftest.GEOMETRY._asdict()
    runs = [
        dataclasses.replace(run, data=dataclasses.replace(run.data, crop=crop))
        for run in (ten_crop_run, flipped_run)
    ]
    return ensemble.Ensemble(members=tuple(runs))


@pytest.fixture(scope="module")
def evaluated(two_runs, make_ctx, version) -> np.ndarray:
    """What trainer.evaluate makes of the two on validation, each by its own views."""
    outputs = []
    for member in trained_model.members(two_runs):
        ctx = make_ctx(**run_config.flat(member.run.settings))
        predict = predictor.Predictor(member.network, strategy=ctx.strategy, views=ctx.views)
        outputs.append(predict.run(context.read_split(ctx, split="validation"), batch_size=16))
    first, second = (each.probabilities for each in outputs)
    assert np.abs(first - second).max() > 0.01
    mean = predictor.mean(outputs).probabilities
    np.testing.assert_allclose(mean, (first + second) / 2)
    return mean


@pytest.mark.parametrize("format", list(formats.FILES))
def test_an_ensemble_is_one_file_that_gives_what_is_evaluated_and_predicted(
    format, two_runs, evaluated, version, tmp_path
):
    path = tmp_path / formats.FILES[format]
    members = trained_model.members(two_runs)
    formats.write(signature.of_members(members), format=format, path=path, quantize="none")
    shipped = formats.OPEN[format](path)
    split = examples.read(version, split="validation", size_px=32)
    crops = split.fetch(np.arange(split.num_examples)).numpy()
    np.testing.assert_allclose(shipped(crops)["probabilities"], evaluated, atol=1e-5)
    classifier = face_classifier.FaceClassifier(two_runs, detect=face_detector.detector("none"))
    (face,) = classifier.classify([images.from_pixels(crops[0], name="crop")])
    pixels = face_classifier.network_input(two_runs.members[0])(face.crop)
    np.testing.assert_allclose(
        shipped(pixels[None])["probabilities"][0], face.probabilities, atol=1e-5
    )


@pytest.mark.parametrize("format", ["keras", "onnx", "tflite", "savedmodel"])
def test_what_is_shipped_is_what_was_evaluated_on_ten_crops(
    format, ten_crop_run, make_ctx, version, tmp_path
):
    run = ten_crop_run
    network, _ = trained_model.network(run)
    ctx = make_ctx(**run_config.flat(run.settings))
    split = context.read_split(ctx, split="validation")
    evaluated = predictor.Predictor(network, strategy=ctx.strategy, views=ctx.views).run(
        split, batch_size=16
    )
    path = tmp_path / formats.FILES[format]
    model = signature.model(run, network=network)
    formats.write(model, format=format, path=path, quantize="none")
    crops = split.fetch(np.arange(split.num_examples)).numpy()
    shipped = formats.OPEN[format](path)(crops)["probabilities"]
    np.testing.assert_allclose(shipped, evaluated.probabilities, atol=1e-5)
    means = views.mean_outputs(network, crops.astype(np.float32), views=ctx.views)
    np.testing.assert_allclose(means["probabilities"], evaluated.probabilities, atol=1e-5)
    middle = dataclasses.replace(ctx.views, tta="none")
    one = views.mean_outputs(network, crops.astype(np.float32), views=middle)["probabilities"]
    assert np.abs(one - evaluated.probabilities).max() > 1e-3
