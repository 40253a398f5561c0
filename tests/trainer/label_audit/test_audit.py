"""An audit from data to page: what the networks see, resuming, and what its files are good for."""

import csv
import dataclasses
import json
import pathlib

import numpy as np
import pytest

pytest.importorskip("cleanlab")

from affectnet_tfds.reader import label_list
from runtime import errors
from trainer.config import run_config, training_config
from trainer.evaluation import predictions, predictor
from trainer.label_audit import audit, options, out_of_fold
from trainer.run import context, model_folder
from trainer.training import soft_targets
from trainer.training import trainer as trainer_lib

pytestmark = pytest.mark.slow
QUICK = {"conv_filters": (4,), "dense_units": (8,), "epochs": 2, "batch_size": 32, "image_size": 16}


@pytest.fixture
def start(make_ctx, version, monkeypatch):
    """Return a function that audits the small version into a folder."""

    def run(folder, *, folds=2, settings=QUICK, **asked):
        ctx = make_ctx(**settings)
        monkeypatch.setattr(context, "create", lambda *_, **__: ctx)
        about = options.Audit(output_dir=str(folder), folds=folds, **asked)
        audit.run(about, settings=ctx.settings, data_path=version.path)

    return run


def contents(folder: pathlib.Path) -> dict[str, str]:
    names = ("suspects.csv", "predictions.csv", "audit.json", "audit.html")
    return {name: (folder / name).read_text() for name in names}


def test_no_network_is_trained_on_an_image_that_it_judges(start, tmp_path, monkeypatch, capsys):
    seen = []
    init = trainer_lib.Trainer.__init__

    def spy(self, ctx, *, train, selection, **rest):
        seen.append((set(train.filenames.tolist()), selection.name))
        init(self, ctx, train=train, selection=selection, **rest)

    monkeypatch.setattr(trainer_lib.Trainer, "__init__", spy)
    start(tmp_path / "a", folds=3, page_suspects=5)
    preds = predictions.read(tmp_path / "a" / "predictions.csv")
    everything = set(preds.filenames.tolist())
    assert len(everything) == 62 and len(seen) == 3
    judged = [everything - names for names, _ in seen]
    assert sorted(name for names in judged for name in names) == sorted(everything)
    assert {name for _, name in seen} == {"validation"}
    np.testing.assert_allclose(preds.probabilities.sum(axis=1), 1, atol=1e-5)
    numbers = json.loads((tmp_path / "a" / "audit.json").read_text())
    right = (preds.predicted == preds.labels).mean()
    assert numbers["accuracy"] == pytest.approx(right) and numbers["images"] == 62
    rows = list(csv.DictReader((tmp_path / "a" / "suspects.csv").open()))
    assert len(rows) == numbers["label_errors"]
    page = (tmp_path / "a" / "audit.html").read_text()
    assert page.count("<figcaption>") == min(5, len(rows))
    printed = capsys.readouterr().out
    assert "copies        62 images in 62 groups of copies" in printed
    assert "fold          3 of 3: 20 examples to judge" in printed


def test_an_interrupted_audit_continues_in_its_fold_and_ends_alike(
    start, tmp_path, monkeypatch, capsys
):
    start(tmp_path / "whole")
    epochs = trainer_lib.Trainer.epochs
    started = []

    def cut_off(self):
        started.append(self)
        rows = epochs(self)
        yield next(rows)
        if len(started) == 2:  # In the second fold, after its first epoch.
            rows.close()
            raise SystemExit(130)
        yield from rows

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(trainer_lib.Trainer, "epochs", cut_off)
        start(tmp_path / "cut")
    assert not (tmp_path / "cut" / "predictions.csv").exists()
    capsys.readouterr()
    start(tmp_path / "cut")
    printed = capsys.readouterr().out
    assert printed.count("continuing") == 1 and "fold-2 at epoch 2" in printed
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")

    monkeypatch.setattr(trainer_lib.Trainer, "__init__", lambda *_, **__: 1 / 0)
    start(tmp_path / "cut")  # Folds that are finished are not trained again,
    (tmp_path / "cut" / "fold-1" / out_of_fold.FILE).write_bytes(b"PK\3\4damaged")
    with pytest.raises(ZeroDivisionError):  # and one whose file is damaged is.
        start(tmp_path / "cut")


def test_a_folder_of_another_audit_is_refused(start, tmp_path):
    start(tmp_path / "a")
    with pytest.raises(errors.UserError, match="holds an audit with folds=2, and this one has 3"):
        start(tmp_path / "a", folds=3)
    (tmp_path / "a" / audit.NOTE).write_text("{")
    with pytest.raises(errors.UserError, match=r"cannot read .*folds\.json as JSON"):
        start(tmp_path / "a")


@pytest.mark.parametrize("other", [{"seed": 7}, {"epochs": 3, "schedule": "constant"}])
def test_a_finished_audit_is_not_taken_for_one_with_other_settings(start, tmp_path, other):
    settings = {**QUICK, **{name: value for name, value in other.items() if name == "schedule"}}
    start(tmp_path / "a", settings=settings)
    before = contents(tmp_path / "a")
    name = next(iter(other))
    said = rf"a holds an audit with --{name}=\d, and this one has --{name}={other[name]}; give this"
    with pytest.raises(errors.UserError, match=said):
        start(tmp_path / "a", settings={**settings, **other})
    assert contents(tmp_path / "a") == before


def test_an_audit_and_a_run_do_not_replace_each_others_files(start, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / run_config.FILE).write_text("{}")
    with pytest.raises(errors.UserError, match=r"run holds a run, whose predictions\.csv this"):
        start(tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == [run_config.FILE]
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / audit.NOTE).write_text("{}")
    for overwrite in (False, True):
        flat = {"model_dir": str(tmp_path / "audit"), "overwrite": overwrite}
        with pytest.raises(errors.UserError, match="audit holds an audit, whose files this run"):
            model_folder.check(run_config.make(flat))


def test_out_of_fold_probabilities_are_a_teacher(start, tmp_path, make_ctx, version):
    start(tmp_path / "a")
    train = context.read_split(make_ctx(**QUICK), split="train")
    settings = training_config.Targets(teacher=str(tmp_path / "a" / "predictions.csv"))
    taught = soft_targets.attached(train, settings=settings, version=version)
    preds = predictions.read(tmp_path / "a" / "predictions.csv")
    np.testing.assert_allclose(taught.targets, preds.probabilities, atol=1e-5)


def test_suspects_name_images_of_the_data(start, tmp_path, version, make_ctx):
    start(tmp_path / "a", filter_by="predicted_neq_given")
    train = context.read_split(make_ctx(**QUICK), split="train")
    given = dict(zip(train.filenames.tolist(), train.labels.tolist(), strict=True))
    entries = label_list.read(tmp_path / "a" / "suspects.csv").entries
    assert entries and all(given[each.filename] == each.given for each in entries)
    preds = predictions.read(tmp_path / "a" / "predictions.csv")
    assert len(entries) == (preds.predicted != preds.labels).sum()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model_dir": "x"}, "--model_dir is for one run of trainer.main; an audit has its"),
        (
            {"teacher": "t.csv"},
            "--teacher has no place in an audit: its model was trained on the labels",
        ),
        (
            {"suspects": "s.csv"},
            "--suspects has no place in an audit: such a list is what an audit finds",
        ),
    ],
)
def test_flags_without_a_meaning_in_an_audit_are_refused(given, message):
    with pytest.raises(errors.UserError, match=message):
        options.settings_of(given)


def test_a_holdout_of_the_other_folds_may_choose_the_epoch(start, tmp_path, monkeypatch, make_ctx):
    seen = []
    init = trainer_lib.Trainer.__init__

    def spy(self, ctx, *, selection, **rest):
        seen.append(selection.name)
        init(self, ctx, selection=selection, **rest)

    monkeypatch.setattr(trainer_lib.Trainer, "__init__", spy)
    flat = {**QUICK, "holdout_frac": 0.3}
    ctx = make_ctx(**flat)
    data = dataclasses.replace(
        out_of_fold.Data(
            train=context.read_split(ctx, split="train", for_training=True),
            folds=np.arange(62) % 2,
            validation=context.read_split(ctx, split="validation"),
        )
    )
    out_of_fold.predict(ctx, data=data, fold=0, output_dir=tmp_path)
    assert seen == ["holdout"]
    assert run_config.load(tmp_path / "fold-1" / "config.json").selection.holdout_frac == 0.3


def test_a_fold_is_judged_in_float32_whatever_it_was_trained_in(start, tmp_path, monkeypatch):
    formats = []
    init = predictor.Predictor.__init__

    def spy(self, model, **rest):
        formats.append({layer.compute_dtype for layer in model.layers})
        init(self, model, **rest)

    monkeypatch.setattr(predictor.Predictor, "__init__", spy)
    start(tmp_path / "a", settings={**QUICK, "precision": "bfloat16", "epochs": 1})
    in_training, *in_use = formats[:3]  # Of a fold: the epochs', the probabilities', the features'.
    assert "bfloat16" in in_training
    assert in_use == [{"float32"}] * 2
