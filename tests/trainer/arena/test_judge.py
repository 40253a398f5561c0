"""Arena: model files, tables and subsets are evaluated as our own model is, or refused."""

import csv
import hashlib
import json
import re

import numpy as np
import pytest

from runtime import errors
from tests.trainer.arena.conftest import NAMES
from tests.trainer.arena.models import linear_onnx
from trainer import evaluate
from trainer.arena import inference
from trainer.evaluation import paired_comparison, predictions, predictor
from trainer.run import best_weights, context, data_provenance, model_folder
from trainer.training import setup


@pytest.fixture
def judge(data_dir, tmp_path):
    """Return a function that evaluates by flags, with a report in a folder of the test."""

    def evaluated(**asked):
        where = {"data_dir": str(data_dir), "report_dir": str(tmp_path / "report"), "num_gpus": 0}
        return evaluate.evaluate(
            evaluate.Evaluation(**{**where, **{name: str(v) for name, v in asked.items()}})
        )

    return evaluated


@pytest.fixture
def refused(judge):
    """Return a function that returns the sentence of a refusal."""

    def sentence(**asked):
        with pytest.raises(errors.UserError) as no:
            judge(**asked)
        return str(no.value)

    return sentence


@pytest.fixture(scope="module")
def run_dir(make_ctx, data_dir, tmp_path_factory):
    """The folder of a run with weights as they were drawn."""
    model_dir = tmp_path_factory.mktemp("runs") / "run"
    ctx = make_ctx(model_dir=str(model_dir), data_dir=str(data_dir), image_size=8)
    model_folder.claim(ctx.settings)
    data_provenance.save(ctx.version, model_dir=model_dir)
    facts = {"epoch": 1, "chosen_by": "accuracy on validation"}
    best_weights.save_best(setup.model(ctx), model_dir=model_dir, facts=facts)
    return model_dir


@pytest.fixture(scope="module")
def ours(run_dir):
    """Our own evaluation of that run."""
    return evaluate.evaluate(evaluate.Evaluation(model_dir=str(run_dir), num_gpus=0))


@pytest.fixture(scope="module")
def write_table(ours):
    """Return a function that writes our probabilities as a table of others would be."""
    preds = ours.predictions

    def write(path, *, rows=slice(None)):
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", *reversed(preds.class_names)])
            for name, probs in zip(preds.filenames[rows], preds.probabilities[rows], strict=True):
                writer.writerow([name.removesuffix(".jpg"), *reversed(probs.tolist())])
        return path

    return write


def test_a_model_of_gray_images_channels_first_and_logits_is_judged_one_image_at_a_time(
    version, make_ctx, judge, write_adapter, tmp_path, capsys
):
    weights = np.random.default_rng(0).normal(size=(64, 10))
    path = linear_onnx(tmp_path / "linear.onnx", weights=weights, shape=[1, 1, 8, 8])
    names = [*reversed(NAMES), "none", None]
    adapter = write_adapter(classes=names, color="gray", scaling="0..1", output_kind="logits")
    found = judge(model_file=path, adapter=adapter, report_dir="")
    split = context.read_split(make_ctx(image_size=8), split="validation")
    images = split.fetch(np.arange(37)).numpy()
    gray = np.rint(images @ np.array([0.299, 0.587, 0.114])) / 255
    scores = np.exp(gray.reshape(37, 64) @ weights)[:, 7::-1]
    wanted = scores / scores.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.predictions.probabilities, wanted, atol=1e-5)
    report = tmp_path / f"{path.name}_sample_validation_{version.fingerprint[:8]}"
    metrics = json.loads((report / "metrics.json").read_text())
    assert 0 < metrics["ms_per_face"] < 1000 and metrics["num_examples"] == 37
    protocol = metrics["protocol"]
    assert protocol["classes"].endswith("; left out of the model's: none, one of no class")
    assert protocol["entrant"].startswith("8 px, 1 channel, nchw, gray, 0..1, logits; ONNX Runtime")
    speed = re.search(
        r"^speed         [\d.e-]+ ms a face \(batch 1, median of \d+", capsys.readouterr().out, re.M
    )
    assert speed
    page = (report / "report.html").read_text()
    assert '<p class="summary">linear.onnx, 0.0 MB</p>' in page
    assert re.search(r"<dt>hardware</dt><dd>.* GB; ONNX Runtime [\d.]+ on the CPU</dd>", page)
    assert "linear.onnx" in page and "ms a face" in page


def test_attributes_that_the_data_lack_are_refused_before_a_network_is_run(
    refused, run_dir, write_adapter, tmp_path, monkeypatch
):
    def must_not_run(*given, **settings):
        raise AssertionError("the network was run")

    monkeypatch.setattr(predictor.Predictor, "run", must_not_run)
    monkeypatch.setattr(inference, "outputs", must_not_run)
    message = "--groups=age names no attribute: the data have none"
    assert message in refused(model_dir=run_dir, groups="age")
    path = linear_onnx(tmp_path / "linear.onnx", weights=np.zeros((192, 8)), shape=[1, 3, 8, 8])
    adapter = write_adapter(classes=[*NAMES])
    assert message in refused(model_file=path, adapter=adapter, groups="age")


def test_an_h5_file_of_keras_is_judged(make_ctx, judge, write_adapter, tmp_path):
    import keras

    images = keras.Input((8, 8, 3))
    scores = keras.layers.Dense(8)(keras.layers.Flatten()(images))
    model = keras.Model(images, scores)
    path = tmp_path / "dense.h5"
    model.save(path)
    adapter = write_adapter(scaling="-1..1", output_kind="logits")
    found = judge(model_file=path, adapter=adapter)
    split = context.read_split(make_ctx(image_size=8), split="validation")
    scores = model(split.fetch(np.arange(37)).numpy() / np.float32(127.5) - 1).numpy()
    wanted = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.predictions.probabilities, wanted, atol=1e-5)


def test_a_table_gives_what_our_own_evaluation_gives_and_is_compared_with_it(
    ours, run_dir, judge, write_table, tmp_path
):
    mine = ours
    found = judge(predictions=write_table(tmp_path / "table.csv"))
    np.testing.assert_allclose(
        found.predictions.probabilities, mine.predictions.probabilities, atol=1e-12
    )
    mirrored = predictions.read(tmp_path / "report/predictions.csv")
    assert mirrored.filenames.tolist() == mine.predictions.filenames.tolist()
    report = json.loads((tmp_path / "report/metrics.json").read_text())
    same = json.loads((run_dir / "metrics.json").read_text())
    assert report["intervals_95"] == same["intervals_95"] and "ms_per_face" not in report
    runs = paired_comparison.load([str(run_dir), str(tmp_path / "report")])
    (pair,) = paired_comparison.compare(runs)
    assert (pair.difference, pair.result.only_first, pair.result.only_second) == (0, 0, 0)


def test_a_subset_is_the_same_part_of_runs_and_of_tables(
    ours, run_dir, judge, write_table, tmp_path, capsys
):
    mine = ours.predictions
    listed = tmp_path / "some.txt"
    listed.write_text("\n".join([*mine.filenames[20:30], "not/there.jpg"]) + "\n")
    table = write_table(tmp_path / "table.csv", rows=slice(15, 37))
    found = judge(predictions=table, subset=listed)
    sentence = "subset        10 of 37 images of validation; 1 of 11 ids are not there"
    assert sentence in capsys.readouterr().out
    assert found.predictions.filenames.tolist() == mine.filenames[20:30].tolist()
    run = evaluate.evaluate(
        evaluate.Evaluation(model_dir=str(run_dir), subset=str(listed), num_gpus=0)
    )
    assert sentence in capsys.readouterr().out
    np.testing.assert_allclose(run.predictions.probabilities, mine.probabilities[20:30], atol=1e-6)
    digest = hashlib.sha256(listed.read_bytes()).hexdigest()
    folder = run_dir / f"sample_validation_some_{digest[:8]}"
    assert run.files["metrics.json"].parent == folder
    protocol = json.loads((folder / "metrics.json").read_text())["protocol"]
    assert protocol["subset"].startswith("some.txt (SHA-256 ") and protocol["examples"] == "10"
    runs = paired_comparison.load([str(folder), str(tmp_path / "report")])
    assert paired_comparison.compare(runs)[0].difference == 0


def test_a_table_without_a_row_of_an_example_is_refused(refused, write_table, tmp_path):
    table = write_table(tmp_path / "table.csv", rows=slice(1, 37))
    assert "table.csv has no row of 1 of 37 examples, the first" in refused(predictions=table)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"model_file": "m.onnx"}, "--model_file needs --adapter, too"),
        ({"adapter": "a.yaml"}, "--adapter needs --model_file, too"),
        ({"model_dir": "runs/x", "predictions": "p.csv"}, "name different models: give one"),
        ({"model_file": "m.onnx", "predictions": "p.csv"}, "--model_file and --predictions name"),
        ({"predictions": "p.csv", "num_gpus": 2}, "--predictions is evaluated on the CPU"),
        ({"model_file": "m.pt", "adapter": "a.yaml"}, "must end in .onnx, .tflite, .keras, .h5"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(asked, sentence):
    with pytest.raises(errors.UserError, match=re.escape(sentence)):
        evaluate.evaluate(evaluate.Evaluation(**asked))


def test_an_output_must_be_named_where_there_are_several(refused, write_adapter, tmp_path):
    weights = np.zeros((64, 8))
    path = linear_onnx(
        tmp_path / "two.onnx", weights=weights, shape=["n", 1, 8, 8], outputs=("one", "two")
    )
    several = write_adapter(color="gray", output_kind="logits")
    assert "must say output_name, one of one, two" in refused(model_file=path, adapter=several)
    other = write_adapter(color="gray", output_kind="logits", output_name="three")
    assert "output_name must be one of one, two: got 'three'" in refused(
        model_file=path, adapter=other
    )


def test_outputs_of_another_number_or_kind_than_the_adapter_says_are_refused(
    refused, write_adapter, tmp_path
):
    weights = np.random.default_rng(0).normal(size=(64, 9))
    path = linear_onnx(tmp_path / "nine.onnx", weights=weights, shape=["n", 1, 8, 8])
    eight = write_adapter(color="gray", output_kind="logits")
    assert "names 8 classes, and output scores of" in refused(model_file=path, adapter=eight)
    logits = write_adapter(color="gray", classes=[*NAMES, None])
    assert "a model of logits has 'output_kind: logits'" in refused(model_file=path, adapter=logits)


def test_a_model_that_its_runtime_cannot_run_is_refused(refused, write_adapter, tmp_path):
    path = linear_onnx(
        tmp_path / "odd.onnx", weights=np.zeros((7, 8)), shape=["n", 1, "side", "side"]
    )
    adapter = write_adapter(color="gray", input_size=8)
    assert f"cannot run the model {path}: " in refused(model_file=path, adapter=adapter)
