"""Evaluation of a trained model on its own data and on others, and the protocol of each."""

import csv
import dataclasses
import json
import re
import shutil

import cv2
import numpy as np
import pytest
import simplejpeg

from affectnet_tfds import labels as affectnet
from runtime import errors, machine
from tests.trainer import conftest
from trainer import evaluate
from trainer.data import dataset_version, holdout
from trainer.evaluation import class_subset, predictor
from trainer.inference import trained_model
from trainer.reports import evaluation_report, publication, thumbnails
from trainer.run import (
    best_weights,
    context,
    data_provenance,
    model_folder,
    run_log,
    trained_run,
)
from trainer.training import setup


@pytest.fixture
def run(make_ctx, tmp_path):
    """A model folder with weights as they were drawn: a ctx, and the network they belong to."""
    ctx = make_ctx(model_dir=str(tmp_path / "run"))
    model_dir = model_folder.claim(ctx.settings)
    data_provenance.save(ctx.version, model_dir=model_dir)
    network = setup.model(ctx)
    best_weights.save_best(
        network,
        model_dir=model_dir,
        facts={"epoch": 2, "chosen_by": "accuracy on validation itself"},
    )
    return ctx, network


@pytest.fixture(scope="module")
def seven_classes(tmp_path_factory):
    path = tmp_path_factory.mktemp("seven") / "affectnet_faces" / "affectnet7" / "1.0.0"
    conftest.write_version(path, num_classes=7)
    return dataset_version.open_version(path)


def metrics_of(folder):
    return json.loads((folder / "metrics.json").read_text())


def rows_of(folder):
    with (folder / "predictions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_model_is_evaluated_on_the_data_it_was_trained_on(run, tmp_path):
    ctx, network = run
    examples = context.read_split(ctx, split="validation")
    evaluation_report.run(network, examples=examples, ctx=ctx, history=[])
    probs = predictor.Predictor(network, strategy=ctx.strategy, views=ctx.views).probabilities(
        examples, batch_size=16
    )
    found, rows = metrics_of(tmp_path / "run"), rows_of(tmp_path / "run")
    assert found["accuracy"] == np.mean(probs.argmax(axis=1) == examples.labels)
    assert found["protocol"]["trained on"] == "the train split of the same data"
    assert found["protocol"]["model"] == "run" and found["protocol"]["selection"].startswith(
        "epoch 2 of 3"
    )
    assert [row["filename"] for row in rows] == examples.filenames.tolist()
    written = np.array(
        [[float(row[f"p_{name}"]) for name in affectnet.class_names(8)] for row in rows]
    )
    np.testing.assert_allclose(written, probs, atol=1e-6)
    page = (tmp_path / "run" / "report.html").read_text()
    assert page.count("data:image/jpeg") >= len(rows) and "No history was recorded." in page
    # All boxes are alike, and all images are of one subset.
    assert list(found["slices"]) == ["brightness"] and len(found["slices"]["brightness"]) == 4


def test_the_page_of_a_run_says_how_it_was_trained_and_leads_to_its_files(run, tmp_path):
    ctx, network = run
    run_log.record(ctx, model_dir=tmp_path / "run")
    history = [{"epoch": 1, "step": 4, "loss": 1.0, "epoch_s": 75.0}]
    evaluation_report.run(
        network, examples=context.read_split(ctx, split="validation"), ctx=ctx, history=history
    )
    page = (tmp_path / "run" / "report.html").read_text()
    parameters = network.count_params()
    assert f'<p class="summary">cnn, {parameters:,} parameters, ' in page
    assert "1 of 3 epochs, 4 steps of 16 images, in 1 min 15 s" in page
    assert f"{machine.describe()}; test" in page
    assert "--batch_size=16" in page
    assert 'href="config.json"' in page and 'href="journal.json"' in page
    assert 'href="history.csv"' not in page  # There is none.


def test_weights_without_a_chosen_by_fact_were_chosen_by_accuracy_on_validation(
    run, tmp_path, capsys
):
    ctx, network = run
    best_weights.save_best(network, model_dir=tmp_path / "run", facts={"epoch": 2})
    evaluation_report.run(
        network, examples=context.read_split(ctx, split="validation"), ctx=ctx, history=[]
    )
    assert (
        metrics_of(tmp_path / "run")["protocol"]["selection"]
        == "epoch 2 of 3, by accuracy on validation itself"
    )
    assert (
        "(weights of epoch 2, chosen by accuracy on validation itself)" in capsys.readouterr().out
    )


def test_a_model_of_8_classes_is_evaluated_on_data_of_7(run, seven_classes, tmp_path):
    ctx, network = run
    here = dataclasses.replace(ctx, version=seven_classes)
    examples = context.read_split(here, split="validation")
    member = evaluation_report.Member(
        network=network,
        examples=examples,
        ctx=here,
        history=[],
        trained_on=data_provenance.of(ctx.version),
    )
    evaluation_report.run_members([member], report_dir=tmp_path / "other")
    found = metrics_of(tmp_path / "other")
    assert found["class_names"] == list(affectnet.class_names(7)) and found["seven_classes"] is None
    assert found["protocol"]["classes"].endswith("anger; left out of the model's: contempt")
    assert found["protocol"]["trained on"] == (
        f"train of other data: affectnet_faces/sample/1.0.0, fingerprint {ctx.version.fingerprint}"
    )
    assert found["protocol"]["selection"] == (
        "epoch 2 of 3, by accuracy on validation of affectnet_faces/sample/1.0.0"
    )
    all_eight = predictor.Predictor(network, strategy=ctx.strategy, views=ctx.views).probabilities(
        examples, batch_size=16
    )
    kept = class_subset.restricted(all_eight, num_classes=7)
    assert found["accuracy"] == np.mean(kept.argmax(axis=1) == examples.labels)
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_an_ensemble_is_evaluated_as_the_mean_of_its_runs_each_at_its_own_size_and_views(
    ensemble_of_two, make_ctx, tmp_path, monkeypatch, capsys
):
    def create(settings, *, version):
        return dataclasses.replace(make_ctx(), settings=settings, version=version)

    monkeypatch.setattr(context, "create", create)
    outputs = []
    for run in ensemble_of_two.members:
        own = dataclasses.replace(make_ctx(), settings=run.settings)
        network, _ = trained_model.network(run)
        predict = predictor.Predictor(network, strategy=own.strategy, views=own.views)
        outputs.append(predict.run(context.read_split(own, split="validation"), batch_size=16))
    asked = evaluate.Evaluation(
        model_dir=ensemble_of_two.model_dir, report_dir=str(tmp_path), num_gpus=0
    )
    found = evaluate.evaluate(asked)
    probs = [each.probabilities for each in outputs]
    np.testing.assert_allclose(found.predictions.probabilities, np.mean(probs, axis=0), atol=1e-6)
    assert np.abs(probs[0] - found.predictions.probabilities).max() > 0.01
    values = [each.affect["arousal"] for each in outputs]
    _, arousal = found.predictions.affect["arousal"]
    np.testing.assert_allclose(arousal, np.mean(values, axis=0), atol=1e-6)
    protocol = metrics_of(tmp_path)["protocol"]
    assert protocol["model"] == "ensemble of 2 runs, their outputs averaged: run, other"
    assert protocol["examples"] == "run: 37; other: 37, each as it is and mirrored (--tta=flip)"
    assert protocol["weights"] == "of the last step of the epoch"
    assert protocol["selection"].startswith("run: epoch 1 of 1, by ")
    assert protocol["selection"].endswith("; other: epoch 2 of 3, by accuracy on validation")
    assert "(weights of run: epoch 1; other: epoch 2, chosen by " in capsys.readouterr().out
    assert "No history was recorded." in (tmp_path / "report.html").read_text()


def test_a_report_on_other_data_or_another_split_has_a_folder_of_its_own(version, seven_classes):
    trained_on = data_provenance.of(version)

    def place(asked, evaluated_on):
        return str(evaluate.report_folder(asked, version=evaluated_on, trained_on=trained_on))

    asked = evaluate.Evaluation(model_dir="runs/a")
    assert place(asked, version) == "runs/a"
    assert place(dataclasses.replace(asked, split="train"), version) == "runs/a/sample_train"
    other = f"runs/a/affectnet7_validation_{seven_classes.fingerprint[:8]}"
    assert place(asked, seven_classes) == other
    assert place(dataclasses.replace(asked, report_dir="there"), seven_classes) == "there"


def test_the_network_keeps_the_size_it_was_trained_at_whatever_it_is_evaluated_on(run):
    found = trained_run.find(run[0].settings.run.model_dir)
    settings = evaluate._settings(evaluate.Evaluation(model_dir="x", data_dir="/other"), run=found)
    assert settings.data.image_size == conftest.SIZE and settings.data.data_dir == "/other"


def test_a_run_whose_data_were_moved_is_told_of_the_flag_that_names_their_folder(
    run, data_dir, tmp_path
):
    found = trained_run.find(run[0].settings.run.model_dir)
    moved = dataclasses.replace(found.settings.data, data_dir=str(tmp_path / "gone"))
    with pytest.raises(errors.UserError) as no:
        trained_run.locate_data(found, data=moved, is_named=False)
    assert str(no.value) == (
        f"{found.model_dir} was trained on affectnet_faces/sample/1.0.0 in {tmp_path}/gone, which "
        "does not hold it now; name the folder that has it with --data_dir"
    )
    named = dataclasses.replace(moved, data_dir=str(data_dir))
    assert trained_run.locate_data(found, data=named, is_named=True) == run[0].version.path


def test_thumbnails_are_made_from_the_stored_images(make_ctx):
    ctx = make_ctx(image_size=8)
    indices = np.array([3, 30])  # Of a part of the split that begins with its fifth.
    split = holdout.take(
        context.read_split(ctx, split="validation"), indices=np.arange(4, 37), name="validation"
    )
    shown = publication.stored_thumbnails(ctx.version, split=split, indices=indices)
    stored = context.read_split(
        dataclasses.replace(ctx, settings=make_ctx().settings), split="validation"
    )
    for index in indices.tolist():
        pixels = simplejpeg.decode_jpeg(shown[index])
        full = cv2.resize(
            stored.fetch(np.array([index + 4])).numpy()[0], (80, 80), interpolation=cv2.INTER_LINEAR
        )
        assert np.abs(pixels.astype(int) - full.astype(int)).mean() < 12


def test_the_mistakes_of_a_run_are_explained_and_those_of_an_ensemble_are_not(run, tmp_path):
    ctx, network = run
    examples = context.read_split(ctx, split="validation")
    done = evaluation_report.run(network, examples=examples, ctx=ctx, history=[])
    page = done.files["report.html"].read_text()
    assert "What spoke for the mistakes" in page
    preds = done.predictions
    first = thumbnails.mistakes(preds)[0]
    names = [preds.class_names[label[first]] for label in (preds.predicted, preds.labels)]
    section = page[page.index('id="explained"') :]
    assert re.findall(r'alt="What spoke for (\w+)"', section)[:2] == names
    member = evaluation_report.Member(
        network=network,
        examples=examples,
        ctx=ctx,
        history=[],
        trained_on=data_provenance.of(ctx.version),
    )
    explain = evaluation_report._explain(member)
    indices = np.array([first, first])
    pictures = explain(indices, np.array([preds.predicted[first], preds.labels[first]]))
    assert pictures.shape == (2, examples.size_px, examples.size_px, 3)
    assert (pictures[0] != pictures[1]).any()
    folder = str(shutil.copytree(tmp_path / "run", tmp_path / "other"))
    of_other = dataclasses.replace(
        ctx.settings, run=dataclasses.replace(ctx.settings.run, model_dir=folder)
    )
    other = dataclasses.replace(member, ctx=dataclasses.replace(ctx, settings=of_other))
    both = evaluation_report.run_members([member, other], report_dir=tmp_path / "both")
    assert "Not available for an ensemble" in both.files["report.html"].read_text()
