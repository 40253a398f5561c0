"""What is shipped is what was evaluated: exports on stored JPEGs, decoded as their user does."""

import io

import cv2
import numpy as np
import PIL.Image
import pytest
import tensorflow_datasets as tfds

from tests.trainer import conftest
from trainer import evaluate
from trainer.config import run_config
from trainer.evaluation import metrics_file, predictions
from trainer.exporting import formats
from trainer.inference import trained_model
from trainer.reports import evaluation_report
from trainer.run import best_weights, context, data_provenance
from trainer.training import setup

TOLERANCE = 1e-5
"""Of a probability: 1.2e-6 was measured on the demo's run, from sums in another order."""


def with_opencv(content: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


def with_pillow(content: bytes) -> np.ndarray:
    return np.asarray(PIL.Image.open(io.BytesIO(content)).convert("RGB"))


@pytest.fixture(scope="module")
def stored(version) -> list[bytes]:
    """The JPEG files in the validation records, in file order."""
    records = version.builder.as_dataset(
        split="validation",
        read_config=tfds.ReadConfig(interleave_cycle_length=1),
        decoders={"image": tfds.decode.SkipDecoding()},
    )
    return [example["image"].numpy() for example in records]


@pytest.fixture(scope="module")
def evaluated(
    export_run, make_ctx, without_figures, tmp_path_factory
) -> tuple[predictions.Predictions, float]:
    """The predictions.csv of a run at half the size of its crops, and its accuracy."""
    ctx = make_ctx(**run_config.flat(export_run.settings))
    assert ctx.image_size < ctx.version.stored_size
    network, _ = trained_model.network(export_run)
    member = evaluation_report.Member(
        network=network,
        examples=context.read_split(ctx, split="validation"),
        ctx=ctx,
        history=[],
        trained_on=data_provenance.of(ctx.version),
    )
    folder = tmp_path_factory.mktemp("report")
    found = evaluation_report.run_members([member], report_dir=folder)
    accuracy = found.results.classification.accuracy
    return predictions.read(folder / predictions.FILE), accuracy


@pytest.mark.parametrize("decode", [with_opencv, with_pillow])
@pytest.mark.parametrize("format", list(formats.FILES))
def test_an_export_gives_the_predictions_of_the_evaluation(
    format, decode, exported, evaluated, stored
):
    preds, accuracy = evaluated
    _, shipped, comparison = exported(format)
    probabilities = shipped(np.stack([decode(each) for each in stored]))["probabilities"]
    assert np.abs(probabilities - preds.probabilities).max() < TOLERANCE
    assert (probabilities.argmax(axis=1) == preds.labels).mean() == accuracy
    assert comparison.exported_accuracy == comparison.network_accuracy == accuracy


def test_a_run_in_bfloat16_is_evaluated_in_float32_as_it_is_shipped(version, make_ctx, tmp_path):
    folder = tmp_path / "run"
    run = conftest.untrained(
        make_ctx, folder=folder, data_dir=version.path.parents[2], precision="bfloat16"
    )
    evaluate.evaluate(evaluate.Evaluation(model_dir=str(folder), num_gpus=0))
    preds = predictions.read(folder / predictions.FILE)
    protocol = metrics_file.read(folder / metrics_file.FILE)["protocol"]
    assert protocol["precision"] == "float32, as in exports; trained in bfloat16"
    ctx = make_ctx(**run_config.flat(run.settings))
    network, _ = trained_model.network(run)
    assert {layer.compute_dtype for layer in network.layers} == {"float32"}
    images = context.read_split(ctx, split="validation").fetch_exact(np.arange(37)).numpy()

    def probabilities(model):
        logits = np.asarray(model(images.astype(np.float32), training=False), np.float32)
        exps = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exps / exps.sum(axis=1, keepdims=True)

    assert np.abs(probabilities(network) - preds.probabilities).max() < TOLERANCE
    in_bfloat16 = setup.model(ctx)
    best_weights.load_best(in_bfloat16, model_dir=folder)
    assert np.abs(probabilities(in_bfloat16) - preds.probabilities).max() > 10 * TOLERANCE
    evaluated = setup.trained_model(ctx, trained=in_bfloat16)
    best_weights.load_best(evaluated, model_dir=folder)
    assert np.abs(probabilities(evaluated) - preds.probabilities).max() < TOLERANCE


def test_what_training_decodes_would_not_do(export_run, evaluated, make_ctx):
    ctx = make_ctx(**run_config.flat(export_run.settings))
    train_like = context.read_split(ctx, split="validation", for_training=True)
    network, _ = trained_model.network(export_run)
    logits = network(train_like.fetch(np.arange(37)).numpy().astype(np.float32), training=False)
    exps = np.exp(logits.numpy() - logits.numpy().max(axis=1, keepdims=True))
    off = exps / exps.sum(axis=1, keepdims=True) - evaluated[0].probabilities
    assert np.abs(off).max() > 100 * TOLERANCE
