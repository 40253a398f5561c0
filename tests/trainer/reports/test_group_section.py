"""Numbers by group in a report: page, printed lines, metrics.json and predictions.csv."""

import csv
import io
import json

import numpy as np
import pytest

from runtime import errors
from tests.trainer.evaluation.test_results import random_predictions
from tests.trainer.reports import test_pages
from trainer import evaluate
from trainer.data import dataset_version
from trainer.evaluation import predictions, results
from trainer.evaluation.groups import attribute_list, attributes, group_results
from trainer.reports import files, group_section, model_page, publication
from trainer.run import context


def unfair(count=900):
    """Predictions that are wrong more often for dark faces, and ages that make no difference."""
    rng = np.random.default_rng(0)
    skin = rng.choice(["dark", "light", "<b>"], size=count, p=[0.48, 0.48, 0.04])
    labels = rng.integers(8, size=count)
    correct = rng.random(count) < np.where(skin == "dark", 0.5, 0.75)
    probs = np.full((count, 8), 0.05)
    probs[np.arange(count), np.where(correct, labels, (labels + 1) % 8)] = 0.65
    preds = predictions.dataclasses.replace(
        random_predictions(num_examples=count), labels=labels, probabilities=probs
    )
    age = np.where(np.arange(count) % 5, (np.arange(count) % 60).astype(str), "")
    return predictions.dataclasses.replace(preds, attributes={"skin": skin, "age": age})


@pytest.fixture(scope="module")
def found():
    preds = unfair()
    given = attributes.make(preds.attributes, asked={})
    return preds, group_results.evaluate(preds, given)


def test_the_page_says_which_groups_differ_and_escapes_their_names(found):
    preds, groups = found
    page = model_page.render(
        results.evaluate(preds),
        preds=preds,
        thumbnails_by_index={},
        subject=model_page.Subject(protocol=test_pages.PROTOCOL),
        groups=groups,
    )
    assert "By skin, accuracy differs: of the same classes, light is" in page
    assert "By age, accuracy differs" not in page
    assert "<td>&lt;b&gt;</td>" in page and "<b></td>" not in page
    assert "too few" in page and "<td>not known</td>" in page
    assert 'href="#groups"' in page
    assert 'href="#groups"' not in test_pages.render(preds)


def test_what_is_printed_names_the_gap(found):
    lines = list(group_section.lines(found[1]))
    assert lines[0].startswith("groups        skin: differ, largest gap of the same classes 0.2")
    assert "(light above dark)" not in lines[0] and "; light above dark), p below 0.001" in lines[0]
    assert "age: no difference shown" in lines[1]
    few = group_results.evaluate(
        found[0], attributes.make(found[0].attributes, asked={"skin": ()}), least_images=800
    )
    assert list(group_section.lines(few)) == [
        "groups        skin: fewer than two groups of 800 images: nothing is compared"
    ]


def test_attributes_without_values_are_said_and_intersections_without_numbers_counted(found):
    preds = predictions.dataclasses.replace(
        found[0],
        attributes={**found[0].attributes, "yaw": np.full(len(found[0].labels), "")},
    )
    few = group_results.evaluate(
        preds, attributes.make(preds.attributes, asked={}), least_images=800
    )
    assert list(group_section.lines(few)) == [
        "groups        skin: fewer than two groups of 800 images: nothing is compared",
        "groups        age: fewer than two groups of 800 images: nothing is compared",
        "groups        yaw: not known of any image",
        "groups        3 of the intersections: fewer than two groups of 800 images: nothing is "
        "compared",
    ]


def test_the_numbers_are_in_metrics_json_and_the_attributes_in_predictions_csv(found, tmp_path):
    preds, groups = found
    evaluation = results.evaluate(preds)
    saved = json.loads(files.to_json(evaluation, protocol={"split": "v"}, groups=groups))["groups"]
    assert [division["by"] for division in saved["divisions"]] == ["skin", "age", "skin & age"]
    skin = saved["divisions"][0]
    assert skin["differs"] and skin["largest_gap"]["worst"] == "dark"
    dark = next(group for group in skin["groups"] if group["group"] == "dark")
    is_dark = preds.attributes["skin"] == "dark"
    assert dark["accuracy"] == (preds.labels == preds.predicted)[is_dark].mean()
    assert dark["num_images"] == is_dark.sum()
    assert set(dark["calibration"]) == {"ece", "nll", "brier"}
    assert len(dark["intervals_95"]["macro_f1"]) == 2
    assert "groups" not in json.loads(files.to_json(evaluation, protocol={}))
    text = predictions.to_csv(preds)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["group_skin"] for row in rows] == preds.attributes["skin"].tolist()
    path = tmp_path / predictions.FILE
    path.write_text(text)
    assert predictions.read(path).labels.tolist() == preds.labels.tolist()


def test_a_list_of_attributes_is_matched_by_file_name(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("file,age,skin\n1/a,34, dark\n1/b.png,'=1,light\n9/z.jpg,1,dark\n")
    names = np.array(["1/b.png", "1/a.jpg", "2/c.jpg"])
    matched = attribute_list.match(attribute_list.read(path), filenames=names, split="train")
    assert {name: texts.tolist() for name, texts in matched.items()} == {
        "age": ["=1", "34", ""],  # As `untrusted.cell` writes it in predictions.csv.
        "skin": ["light", "dark", ""],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file\na.jpg\n", "must have a header with an id and attributes"),
        ("file,age,age\na,1,2\n", "each called otherwise"),
        ("file,age\n", "and rows below it"),
        ("file,age\na.jpg\n", "row 1: a row must have the 2 fields of the header: got 1"),
        ("file,age\na,1\na,2\n", "row 2: an id must be there once: a is there twice"),
        ("file,age\nnobody,1\n", "none of the 1 ids in"),
        ("file,age\n1/a,1\n1/a.jpg,2\n", "has 1/a.jpg twice, with and without its ending"),
    ],
)
def test_a_list_that_is_none_is_refused(text, message, tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(text)
    with pytest.raises(errors.UserError) as refusal:
        attribute_list.match(
            attribute_list.read(path), filenames=np.array(["1/a.jpg"]), split="validation"
        )
    assert message in str(refusal.value)


def test_an_evaluation_with_a_list_reports_by_its_groups(make_ctx, tmp_path, capsys):
    ctx = make_ctx()
    examples = context.read_split(ctx, split="validation")
    assert isinstance(ctx.version, dataset_version.Version)
    rows = [f"{name},{'a' if n % 2 else 'b'}" for n, name in enumerate(examples.filenames)]
    path = tmp_path / "people.csv"
    path.write_text("\n".join(["id,side", *rows]))
    grouped = evaluate._grouping(
        evaluate.Evaluation(groups_csv=str(path), groups="side", least_group=10)
    )
    other = evaluate._grouping(evaluate.Evaluation(groups_csv=str(path), groups="age"))
    with pytest.raises(
        errors.UserError, match="--groups=age names no attribute: the data have side"
    ):
        other.attributes_of(examples)
    preds = predictions.dataclasses.replace(
        random_predictions(num_examples=examples.num_examples),
        filenames=examples.filenames,
        labels=examples.labels,
    )
    about = publication.About(model="m", protocol={"split": "v"}, remark="r", grouped=grouped)
    done = publication.publish(
        preds, split=examples, version=ctx.version, folder=tmp_path / "report", about=about
    )
    assert [division.name for division in done.groups.divisions] == ["side"]
    assert done.predictions.attributes["side"].tolist()[:3] == ["b", "a", "b"]
    assert "groups        side:" in capsys.readouterr().out
    assert 'id="groups"' in (tmp_path / "report" / "report.html").read_text()
