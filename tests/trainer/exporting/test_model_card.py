"""Model card: its code runs beside the export, and it states data, licence and evaluation."""

import dataclasses
import json
import re
import types

import pytest
import tensorflow_datasets as tfds
import yaml

from pipeline.metadata import data_sets
from tests.trainer import conftest
from trainer.data import exact_resize
from trainer.evaluation import metrics_file
from trainer.exporting import card_metadata, exporter, formats, model_card
from trainer.models import build


@pytest.mark.slow
@pytest.mark.parametrize("format", list(formats.FILES))
def test_the_code_in_the_model_card_runs_in_the_export_folder(
    format, exported, monkeypatch, capsys
):
    folder, _, _ = exported(format)
    card = (folder / "README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)
    monkeypatch.chdir(folder)
    exec(code, {})
    assert "contempt" in capsys.readouterr().out


def test_the_card_states_the_data_and_that_drawn_faces_are_not_people(exported, export_run):
    card = (exported("keras")[0] / "README.md").read_text()
    assert "Trained on drawn faces, not on AffectNet" in card
    assert export_run.data.fingerprint in card and "62 train, 37 validation" in card
    assert "Not evaluated yet" in card
    assert "may be redistributed under its licence (Apache-2.0)" in card
    assert "Licence of its training data" not in card and "labels is one annotator's" not in card


def exported_to(folder, *, model):
    """Export a model without its data, and return how it compares with its networks."""
    return exporter.export(
        exporter.ExportRequest(
            run=model, format="keras", quantize="none", folder=folder, data_path=None
        )
    )


def of_data(run, **stated):
    """Return the run as if it was trained on other data, with what they state."""
    return dataclasses.replace(
        run, data=dataclasses.replace(run.data, name="x/1", is_drawn=False, **stated)
    )


def test_the_card_states_the_licence_of_the_data_and_not_that_of_affectnet(export_run, version):
    fer2013 = data_sets.FER2013
    run = of_data(export_run, license=fer2013.license, homepage=fer2013.homepage)
    licence = model_card._licence(run)
    assert licence.startswith(f"Licence of its training data, x/1: {fer2013.license}\n\nA model")
    assert "not recorded; ask whom they are from" in model_card._licence(of_data(export_run))
    both = dataclasses.make_dataclass("Both", ["members"])((export_run, run))
    assert model_card._licence(both) == licence  # Drawn faces ask for nothing.
    facts = dataclasses.make_dataclass("Some", ["run", "metrics"])
    info = tfds.core.DatasetInfo(builder=version.builder, license="Ask first.")
    stated = dataclasses.replace(version, builder=types.SimpleNamespace(info=info))
    earlier = dataclasses.replace(export_run, data=dataclasses.replace(export_run.data, license=""))
    assert exporter._licensed(earlier, version=stated).data.license == "Ask first."
    assert not exporter._licensed(of_data(export_run), version=None).data.license
    others = dataclasses.replace(earlier, data=dataclasses.replace(earlier.data, fingerprint="x"))
    assert not exporter._licensed(others, version=stated).data.license
    affectnet = of_data(export_run, homepage=data_sets.AFFECTNET.homepage)
    assert "AffectNet" not in model_card._limits(facts(run, None))
    assert "AffectNet's labels is one annotator's" in model_card._limits(facts(affectnet, None))


def test_the_card_states_the_evaluation_where_there_is_one(export_run, tmp_path):
    metrics = export_run.model_dir / "metrics.json"
    metrics.write_text(
        json.dumps(
            {
                "protocol": {"split": "validation", "selection": "epoch 1 of 1"},
                "num_examples": 7,
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
    exported_to(tmp_path / "out", model=export_run)
    metrics.unlink()  # The run is shared.
    card = (tmp_path / "out/README.md").read_text()
    assert "- split: validation\n- selection: epoch 1 of 1\n\nEvaluated by an earlier" in card
    assert "and export then.\n\n| | |\n|---|---|\n" in card
    assert "| accuracy | 0.250 |\n" in card and "| M measure (Hand & Till 2001) | - |\n" in card
    assert "| happy | 0.750 | - | 0.500 | 7 |\n" in card
    assert "synthetic images (the data set is not available)" in card


def test_the_card_says_how_the_model_was_trained(exported, export_run):
    card = (exported("keras")[0] / "README.md").read_text()
    training = card[card.index("## Training") : card.index("## Input and output")]
    network = re.search(r"- network: cnn, [\d,]+ parameters, 16 px\n", training)
    assert network and re.search(r"- compute: [\d.]+ million multiply-adds an image", training)
    assert re.search(r"- training: 1 epoch, \d+ steps of 16 images, in \d+ (min|s)", training)
    assert "- settings that are not the defaults: `--image_size=16 " in training
    assert " --dense_units=256 " in training
    assert str(export_run.model_dir) not in card


def front_matter(card):
    """Return the metadata of a card as Hugging Face's own package reads them."""
    hub = pytest.importorskip("huggingface_hub")
    return hub.ModelCard(card).data


def test_hugging_face_reads_the_front_matter(exported):
    card = (exported("onnx")[0] / "README.md").read_text()
    found = front_matter(card)
    assert found.license == "apache-2.0"  # Drawn faces.
    assert found.library_name == "onnx" and found.pipeline_tag == "image-classification"
    assert found.tags == ["facial-expression-recognition", "affectnet-faces", "drawn-faces"]
    assert found.eval_results is None


METRICS = {
    "protocol": {"split": "validation", "data": "affectnet_faces/x/1.0.0, fingerprint abc"},
    "accuracy": 0.25,
    "balanced_accuracy": 0.5,
    "macro": {"f1": 0.125},
    "m_measure": None,
}


def test_hugging_face_reads_the_evaluation_and_an_undefined_number_is_left_out():
    text = card_metadata.text(
        name="first: # a run", format="keras", data=["a/b/c"], is_drawn=False, metrics=METRICS
    )
    found = front_matter(f"{text}\n\n# Facial expression classifier\n")
    assert found.license == "other" and found.license_name == "terms-of-the-training-data"
    assert found.tags == ["facial-expression-recognition", "affectnet-faces"]
    assert found.model_name == "first: # a run"
    assert [(each.metric_type, each.metric_value) for each in found.eval_results] == [
        *(("accuracy", 0.25), ("balanced_accuracy", 0.5), ("f1", 0.125))
    ]
    (split,) = {each.dataset_split for each in found.eval_results}
    assert split == "validation" and found.eval_results[0].dataset_type == "affectnet_faces"
    assert found.eval_results[0].dataset_name == "affectnet_faces/x/1.0.0"
    assert yaml.safe_load(text.strip("-\n"))["metrics"] == ["accuracy", "balanced_accuracy", "f1"]


@pytest.mark.slow
def test_the_card_and_the_manifest_of_an_ensemble_name_its_runs_and_state_its_own_evaluation(
    ensemble_of_two, tmp_path
):
    title = "ensemble of 2 runs, their outputs averaged: run, other"
    report = conftest.write_metrics(tmp_path / "report", model=title)
    model = dataclasses.replace(ensemble_of_two, report_dir=report)
    assert exported_to(tmp_path / "out", model=model).largest < 1e-5
    card = (tmp_path / "out/README.md").read_text()
    assert "export of an ensemble of 2 runs, whose outputs are averaged, " in card
    assert "run (cnn, weights of epoch 1 of 1), other (cnn, weights of epoch 2 of 3). It" in card
    assert "resizes them to 16 x 16 and 24 x 24" in card
    assert f"- model: {title}\n" in card and "| accuracy | 0.250 |\n" in card
    manifest = json.loads((tmp_path / "out/export.json").read_text())
    assert manifest["image_size"] is None and manifest["best_epoch"] is None
    assert [(each["name"], each["image_size"]) for each in manifest["ensemble"]] == [
        ("run", 16),
        ("other", 24),
    ]


@pytest.mark.slow
def test_the_card_of_an_ensemble_of_drawn_faces_and_photographs_says_partly(
    ensemble_of_two, tmp_path
):
    drawn, other = ensemble_of_two.members
    mixed = (drawn, of_data(other, license="Ask first."))
    exported_to(tmp_path / "out", model=dataclasses.replace(ensemble_of_two, members=mixed))
    card = (tmp_path / "out/README.md").read_text()
    assert "**Partly trained on drawn faces:**" in card
    assert "not on AffectNet or any photograph" not in card
    assert "Licence of its training data, x/1: Ask first." in card


def test_the_card_says_where_the_evaluation_was_in_half_precision_and_the_export_is_not(
    export_run,
):
    training = dataclasses.replace(export_run.settings.training, precision="bfloat16")
    settings = dataclasses.replace(export_run.settings, training=training)
    run = dataclasses.replace(export_run, settings=settings)
    says = "in bfloat16, which no export does: evaluate again"
    assert says in card_with(None, model=run, protocol=exact_resize.PROTOCOL)
    in_float32 = {**exact_resize.PROTOCOL, build.PRECISION: "float32, as in exports; trained in …"}
    assert says not in card_with(None, model=run, protocol=in_float32)
    assert says not in card_with(None, model=export_run, protocol=exact_resize.PROTOCOL)


def card_with(groups, model=None, protocol=None):
    scores = {"precision": 0.5, "recall": 0.5, "f1": 0.5}
    return model_card._evaluation(
        {
            "protocol": {"split": "validation", **(protocol or {})},
            "accuracy": 0.5,
            "balanced_accuracy": 0.5,
            "macro": scores,
            "m_measure": 0.5,
            "per_class": [{"name": "happy", **scores, "support": 7}],
            "groups": groups,
        },
        model=model,
    )


GROUPS = {
    "least_images": 50,
    "divisions": [
        {
            "by": "skin",
            "groups": [
                {
                    "group": "dark",
                    "num_images": 1200,
                    "accuracy": 0.5,
                    "adjusted_accuracy": 0.52,
                    "macro": {**dict.fromkeys(("precision", "recall"), 0.25), "f1": 0.45},
                    "intervals_95": {"accuracy": [0.47, 0.53]},
                },
                {"group": "light", "num_images": 9},
            ],
            "largest_adjusted_gap": {
                "best": "medium",
                "worst": "dark",
                "difference": 0.1,
                "interval_95": [0.05, 0.15],
            },
            "adjusted_p": 0.0004,
        },
        {"by": "skin & age", "groups": [], "largest_adjusted_gap": None, "adjusted_p": None},
    ],
}


def test_the_card_has_the_numbers_by_group():
    card = card_with(GROUPS)
    assert "| skin | dark | 1,200 | 0.500 | 0.470 to 0.530 | 0.520 | 0.450 |" in card
    assert "| skin | light | 9 | - | - | - | - |" in card
    assert (
        "- by skin: largest gap of the same classes 0.100 (0.050 to 0.150), medium above dark; p "
        "below 0.001 (permutation test, Holm)"
    ) in card
    assert "skin & age" not in card  # Nothing of it was compared.
    assert "By group" not in card_with(None)


def test_the_limits_say_whether_accuracy_was_measured_by_group():
    assert "was not measured by group" in model_card._by_group({"groups": None})
    assert "was measured by group on the images" in model_card._by_group({"groups": GROUPS})


@pytest.mark.parametrize(
    "damage",
    [
        {"divisions": None},
        {"least_images": "many"},
        {"divisions": [{"groups": []}]},
        {"divisions": [{"by": "age", "groups": [{"group": "old"}]}]},
        {"divisions": [{"by": "age", "groups": [], "largest_adjusted_gap": {"best": "a"}}]},
        {"divisions": [{"by": "age", "groups": [], "adjusted_p": "small"}]},
    ],
)
def test_damaged_numbers_by_group_are_refused_before_the_export(damage, tmp_path):
    metrics_file._check_groups(GROUPS, what="groups")
    with pytest.raises(ValueError, match="groups"):
        metrics_file._check_groups({**GROUPS, **damage}, what="groups")
