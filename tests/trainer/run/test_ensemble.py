"""Ensembles: what names one, which runs may be in it, and the report that belongs to it."""

import dataclasses
import json
import pathlib
import re
import shutil

import pytest

from runtime import errors
from tests.trainer import conftest
from trainer import evaluate, export
from trainer.run import data_provenance, ensemble, trained_run


def edited(run: trained_run.Run, *, folder: pathlib.Path, file: str, **changes) -> pathlib.Path:
    """Copy a run with other values in one of its JSON files."""
    shutil.copytree(run.model_dir, folder)
    content = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps({**content, **changes}))
    return folder


def refusal(model_dir: str) -> str:
    with pytest.raises(errors.UserError) as no:
        ensemble.find(model_dir)
    return str(no.value)


def test_folders_with_commas_between_them_are_an_ensemble_and_one_folder_is_its_run(
    ensemble_of_two, photo_run, tmp_path, monkeypatch
):
    assert ensemble.find(ensemble_of_two.model_dir) == ensemble_of_two
    assert ensemble_of_two.data == photo_run.data and len(ensemble_of_two.members) == 2
    assert ensemble.find(str(photo_run.model_dir)) == photo_run and photo_run.members == (
        photo_run,
    )
    comma = shutil.copytree(photo_run.model_dir, tmp_path / "a,b")
    assert ensemble.find(str(comma)).members[0].model_dir == comma
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.move(comma, tmp_path / "a")
    found = ensemble.find(f"{photo_run.model_dir},~/a")
    assert [run.model_dir for run in found.members] == [photo_run.model_dir, tmp_path / "a"]


def test_an_empty_name_a_folder_without_a_run_and_a_run_twice_are_refused(photo_run):
    run = photo_run.model_dir
    assert "a folder before and after each comma: got" in refusal(f"{run},")
    assert refusal(f"{run},there").startswith("there holds no trained model")
    assert refusal(f"{run},{run.parent}/../{run.parent.name}/run") == (
        f"--model_dir names {run} twice, and an ensemble has each run once: leave one out"
    )


@pytest.mark.parametrize(
    ("file", "changes", "what"),
    [
        (
            "data.json",
            {"class_names": ["neutral", "happy"]},
            "classes: .*contempt, .*neutral, happy;",
        ),
        (
            "config.json",
            {"heads": "expression"},
            "outputs: .*--heads=expression\\+va, .*=expression;",
        ),
        ("data.json", {"encoding": "png"}, "faces: .*stored as JPEG, .*stored as PNG, "),
        (
            "data.json",
            {"crop": None},
            "faces: .*margin_frac 0.15, .*, cut in a way that is not rec",
        ),
        (
            "data.json",
            {"crop": {**conftest.GEOMETRY._asdict(), "margin_frac": 0.3}},
            "faces: .*margin_frac 0.15, .*margin_frac 0.3, ",
        ),
    ],
)
def test_runs_that_differ_in_classes_outputs_or_faces_are_refused_by_a_sentence_naming_both(
    file, changes, what, photo_run, tmp_path
):
    other = edited(photo_run, folder=tmp_path / "other", file=file, **changes)
    sentence = refusal(f"{photo_run.model_dir},{other}")
    assert sentence.startswith("the runs of an ensemble must have the same ")
    assert re.search(what, sentence) and "leave one of them out" in sentence
    assert f"{photo_run.model_dir} has" in sentence and f"{other} has" in sentence


def test_runs_of_other_data_of_the_same_kind_are_an_ensemble(photo_run, tmp_path):
    other = edited(
        photo_run, folder=tmp_path / "other", file=data_provenance.FILE, fingerprint="0" * 64
    )
    assert len(ensemble.find(f"{photo_run.model_dir},{other}").members) == 2


def test_an_ensemble_has_no_folder_of_its_own_so_that_report_and_export_need_one(ensemble_of_two):
    asked = evaluate.Evaluation(model_dir=ensemble_of_two.model_dir)
    with pytest.raises(errors.UserError, match="needs a folder of its own: name .* --report_dir"):
        evaluate.evaluate(asked)
    with pytest.raises(errors.UserError, match="needs a folder of its own: name .* --output_dir"):
        export.check(export.Export(format="keras"), run=ensemble_of_two)


def test_integers_need_runs_of_one_image_size(ensemble_of_two, tmp_path):
    config = export.Export(format="tflite", quantize="int8", output_dir=str(tmp_path / "out"))
    with pytest.raises(errors.UserError, match="run 16 px, .*other 24 px; leave one out"):
        export.check(config, run=ensemble_of_two)
    same = ensemble.Ensemble(members=(ensemble_of_two.members[0],) * 2)
    assert export.check(config, run=same) == tmp_path / "out"


def test_only_a_report_of_the_same_runs_is_that_of_the_ensemble(
    ensemble_of_two, photo_run, tmp_path
):
    assert ensemble_of_two.metrics() is None
    title = "ensemble of 2 runs, their outputs averaged: run, other"
    ours = conftest.write_metrics(tmp_path / "ours", model=title)
    assert dataclasses.replace(ensemble_of_two, report_dir=ours).metrics()["accuracy"] == 0.25
    another = conftest.write_metrics(tmp_path / "another", model="other")
    for folder, reason in ((another, "is that of other;"), (tmp_path, "there is none")):
        with pytest.raises(errors.UserError, match=reason) as no:
            dataclasses.replace(ensemble_of_two, report_dir=folder).metrics()
        assert f"--report_dir={folder}' writes it" in str(no.value)
    flags = export.Export(model_dir=str(photo_run.model_dir), report_dir=str(ours))
    with pytest.raises(errors.UserError, match="--report_dir is for an ensemble"):
        export.find_model(flags)
