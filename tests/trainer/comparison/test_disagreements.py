"""Disagreements of compared runs: their groups, the examples that are shown, and their images."""

import base64
import dataclasses
import re
import shutil

import cv2
import numpy as np
import pytest

from affectnet_tfds.reader import face_dataset
from runtime import errors
from trainer.comparison import disagreements, disagreements_section, example_images
from trainer.evaluation import paired_comparison, predictions
from webpage import markup

NAMES = ("neutral", "happy", "sad")


def predicted(answers, *, labels, confidence=0.8, files=None):
    """Predictions of these classes, of three, each with a confidence."""
    probs = np.full((len(labels), 3), 0.0)
    probs[np.arange(len(labels)), answers] = confidence
    return predictions.Predictions(
        class_names=NAMES,
        filenames=np.array(files or [f"{n}.jpg" for n in range(len(labels))]),
        copies=np.zeros(len(labels), np.int64),
        labels=np.array(labels),
        probabilities=probs,
    )


LABELS = [0, 0, 1, 1, 2, 2]
FIRST = predicted([0, 1, 1, 0, 2, 0], labels=LABELS)
SECOND = predicted([0, 0, 0, 2, 2, 2], labels=LABELS)
"""Both have 0 and 4 correct, the first 2, the second 1 and 5, neither 3."""


def test_examples_are_grouped_by_who_is_correct():
    assert disagreements.is_different([FIRST, SECOND]).tolist() == [
        False, True, True, True, False, True,
    ]  # fmt: skip
    found = disagreements.groups([FIRST, SECOND])
    assert [(set(group.correct), group.count, group.shown.tolist()) for group in found] == [
        ({1}, 2, [1, 5]),
        ({0}, 1, [2]),
        (set(), 1, [3]),
    ]
    titles = [disagreements_section.title(group, ["a", "b"]) for group in found]
    assert titles == ["Only b is correct", "Only a is correct", "All wrong, in different ways"]


def test_the_same_wrong_class_is_no_disagreement():
    wrong = predicted([1, 1], labels=[0, 0])
    assert disagreements.groups([wrong, wrong]) == []
    (sentence,) = disagreements_section.section(["a", "b"], [wrong, wrong], images={}, missing="")
    assert "The runs predict the same class of all 2 examples." in sentence


def test_classes_are_compared_by_their_names():
    """Runs list them in different orders where one is of others."""
    turned = dataclasses.replace(
        FIRST,
        class_names=NAMES[::-1],
        labels=2 - FIRST.labels,
        probabilities=FIRST.probabilities[:, ::-1],
    )
    assert not disagreements.is_different([FIRST, turned]).any()


def test_of_three_runs_the_one_that_is_wrong_is_named():
    three = [predicted([0, 1], labels=[0, 0]), predicted([0, 0], labels=[0, 0])]
    third = predicted([1, 0], labels=[0, 0])
    titles = [
        disagreements_section.title(group, ["a", "b", "c"])
        for group in disagreements.groups([*three, third])
    ]
    assert titles == ["Only c is wrong", "Only a is wrong"]


def test_the_examples_that_every_run_is_sure_of_come_first_and_an_image_once():
    files = ["a", "b", "c", "c", "d"]
    sure = np.array([0.5, 0.9, 0.7, 0.8, 0.99])
    first = predicted([0] * 5, labels=[0] * 5, files=files, confidence=sure)
    second = predicted([1] * 5, labels=[0] * 5, files=files, confidence=[0.9, 0.9, 0.9, 0.9, 0.6])
    (group,) = disagreements.groups([first, second])
    assert group.count == 5
    assert group.shown.tolist() == [1, 3, 4, 0]  # By 0.9, 0.8, 0.6, 0.5; row 2 is a copy of 3.


def test_no_more_examples_and_groups_are_shown_than_fit():
    labels = [0] * 40
    first, second = predicted([0] * 40, labels=labels), predicted([1] * 40, labels=labels)
    (group,) = disagreements.groups([first, second])
    assert (group.count, len(group.shown)) == (40, disagreements.PER_GROUP)
    answers = np.array([[n >> bit & 1 for n in range(16)] for bit in range(4)])
    runs = [predicted(each, labels=[0] * 16) for each in answers]
    text = str(disagreements_section.section([*"abcd"], runs, images={}, missing=""))
    assert text.count("<h3>") == 8 and "The 8 largest of 14 groups are shown." in text


def test_the_grid_has_image_truth_and_each_answer():
    body = disagreements_section.section(
        ["a", "b"], [FIRST, SECOND], images={2: b"jpeg of 2"}, missing="No images are shown: why."
    )
    text = str(markup.joined(body)).replace("\N{NO-BREAK SPACE}", " ")
    assert "Of 4 of 6 examples (67%) the runs predict different classes." in text
    assert "No images are shown: why." in text
    (figure,) = re.findall(r'<figure title="2.jpg">.*?</figure>', text)
    assert base64.b64encode(b"jpeg of 2").decode() in figure
    words = re.sub("<.*?>", "|", figure)
    assert "truth: happy" in words and "a: |happy 80% ✓|" in words and "b: neutral 80%|" in words
    assert text.count("<img") == 1


@pytest.fixture
def run(version):
    """A run that was evaluated on validation of the small version."""
    faces = face_dataset.FaceDataset(version.path, split="validation").columns()
    preds = predicted([0] * 37, labels=[0] * 37, files=faces["filename"].tolist())
    data = f"{version.name} (drawn faces, not AffectNet), fingerprint {version.fingerprint}"
    metrics = {"protocol": {"split": "validation", "data": data}}
    return paired_comparison.Run(name="a", metrics=metrics, preds=preds)


def pixels_of(jpeg):
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), 1), cv2.COLOR_BGR2RGB)


def check_images(found, *, run, version):
    stored = face_dataset.FaceDataset(version.path, split="validation", image_size=80)
    by_name = {stored.stored(i).filename: stored[i]["image"] for i in range(len(stored))}
    for row, jpeg in found.by_row.items():
        wanted = by_name[str(run.preds.filenames[row])]
        assert np.abs(pixels_of(jpeg).astype(int) - wanted).mean() < 4  # Of JPEG's rounding.


def test_images_are_those_of_the_examples(run, version, data_dir):
    asked = {"data_dirs": [str(data_dir)], "is_named": False}
    found = example_images.read(run, rows=[3, 36], **asked)
    assert sorted(found.by_row) == [3, 36] and found.missing == ""
    check_images(found, run=run, version=version)


def test_images_of_a_subset_are_found_by_their_names(run, version, data_dir):
    part = dataclasses.replace(run, preds=run.preds.only(np.array([30, 2, 11])))
    found = example_images.read(part, rows=[0, 2], data_dirs=[str(data_dir)], is_named=False)
    assert sorted(found.by_row) == [0, 2]
    check_images(found, run=part, version=version)
    turned = dataclasses.replace(run, preds=run.preds.only(np.arange(37)[::-1]))
    found = example_images.read(turned, rows=[0, 2], data_dirs=[str(data_dir)], is_named=False)
    check_images(found, run=turned, version=version)


def test_the_first_folder_that_has_the_data_is_read(run, data_dir, tmp_path):
    places = [str(tmp_path), str(data_dir)]
    assert example_images.read(run, rows=[1], data_dirs=places, is_named=False).by_row


def test_without_the_data_the_reason_is_given_and_a_named_folder_is_refused(run, tmp_path):
    reason = (
        "affectnet_faces/sample/1.0.0 with fingerprint {}, on which the runs were evaluated, is "
        f"not in {tmp_path}; name the folder that has it with --data_dir"
    ).format(run.metrics["protocol"]["data"].rpartition(" ")[2][:12])
    asked = {"rows": [1], "data_dirs": [str(tmp_path)]}
    missing = example_images.read(run, **asked, is_named=False)
    assert missing == example_images.Images(by_row={}, missing=f"No images are shown: {reason}.")
    with pytest.raises(errors.UserError) as no:
        example_images.read(run, **asked, is_named=True)
    assert str(no.value) == reason


def test_a_version_with_another_fingerprint_is_not_read(run, data_dir, tmp_path):
    shutil.copytree(data_dir, tmp_path / "copy")
    info = tmp_path / "copy/affectnet_faces/sample/1.0.0/dataset_info.json"
    info.write_text(info.read_text() + " ")
    found = example_images.read(run, rows=[1], data_dirs=[str(tmp_path / "copy")], is_named=False)
    assert "is not in" in found.missing


def test_a_report_that_does_not_say_on_which_data_it_is_has_no_images(run):
    other = dataclasses.replace(run, metrics={"protocol": {"split": "test", "data": "mine"}})
    found = example_images.read(other, rows=[1], data_dirs=["x"], is_named=False)
    assert "does not say on which version of the data it was" in found.missing
