"""What predictions of all folds say of an image: repeats, copies, neighbours and suspects."""

import csv
import dataclasses

import numpy as np
import pytest

pytest.importorskip("cleanlab")

from affectnet_tfds.reader import label_list
from tests.trainer.training.test_soft_targets import split_of
from trainer.label_audit import audit, findings, out_of_fold, page

NAMES = ("a.jpg", "b.jpg", "a.jpg", "c.jpg", "d.jpg", "e.jpg", "f.jpg")
LABELS = (0, 1, 0, 0, 1, 0, 0)
FOLDS = np.array([0, 1, 0, 0, 1, 0, 0])
GROUPS = np.array([0, 1, 0, 2, 1, 3, 4])
PROBS = np.array(
    [[0.8, 0.2], [0.3, 0.7], [0.4, 0.6], [0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.7, 0.3]]
)
FEATURES = np.array([[1, 0], [0, 1], [1, 0], [0.6, 0.8], [0, 1], [0.8, 0.6], [0, 1]], np.float16)


def found(labels=LABELS):
    split = split_of(names=NAMES, copies=(0, 0, 1, 0, 0, 0, 0), labels=labels)
    outputs = [
        out_of_fold.Outputs(probabilities=PROBS[here], features=FEATURES[here])
        for here in (~FOLDS.astype(bool), FOLDS.astype(bool))
    ]
    return findings.of(
        split,
        folds=FOLDS,
        groups=GROUPS,
        outputs=outputs,
        class_names=("neutral", "happy"),
        filter_by="predicted_neq_given",
    )


def test_an_image_is_judged_once_by_the_mean_over_its_repeats():
    judged = found()
    assert judged.filenames.tolist() == ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg", "f.jpg"]
    np.testing.assert_allclose(judged.probabilities[0], [0.6, 0.4])
    assert judged.rows.tolist() == [0, 1, 3, 4, 5, 6]
    assert judged.found.is_error.tolist() == [False] * 4 + [True, False]
    assert judged.accuracy == 5 / 6


def test_neighbours_are_of_the_same_network_and_no_copies():
    """Of fold 0, by cosine with (0.8, 0.6): c 0.96, a 0.8, f 0.6."""
    assert found().neighbours(4).tolist() == [2, 0, 5]
    assert found().neighbours(1).tolist() == []  # d.jpg, its fold's other image, is its copy.


def test_copies_and_their_different_labels_are_told():
    assert found().copies(1).tolist() == [3] and found().copies(0).tolist() == []
    assert found().disagreeing() == []
    unequal = found(labels=(0, 1, 0, 0, 0, 0, 0))
    assert [group.tolist() for group in unequal.disagreeing()] == [[1, 3]]


def test_suspects_are_a_list_that_the_job_and_the_trainer_take(tmp_path):
    (tmp_path / "s.csv").write_text(label_list.to_csv(audit.suspects(found(), split="train")))
    (row,) = csv.DictReader((tmp_path / "s.csv").open())
    assert row == {
        "split": "train",
        "filename": "e.jpg",
        "given": "neutral",
        "suggested": "happy",
        "score": "0.100000",
        "p_given": "0.100000",
        "p_suggested": "0.900000",
        "margin": "-0.800000",
        "fold": "1",
        "copies": "0",
    }
    assert label_list.read(tmp_path / "s.csv").entries == (("train", "e.jpg", 0, 1),)


def test_the_page_shows_label_suggestion_probabilities_copies_and_neighbours():
    judged = found(labels=(0, 0, 0, 0, 1, 0, 0))  # b.jpg, whose copy d.jpg is happy, is doubted.
    shown = judged.found.ranked
    needed = page.images(judged, shown=shown)
    assert set(shown.tolist()) == {1, 4} and set(needed.tolist()) == {0, 1, 2, 3, 4, 5}
    pictures = {int(image): f"jpeg {image}".encode() for image in needed}
    text = page.render(judged, shown=shown, pictures=pictures, about={"data": "x<y"})
    assert "1. neutral → happy" in text and "2. neutral → happy" in text
    assert "90%" in text and "10%" in text
    assert "copies: d.jpg (happy)" in text
    assert text.count("<span title=") == 3 + 2  # Neighbours of e.jpg; the group of b.jpg and d.jpg.
    assert "x&lt;y" in text and "1 groups; at least one label of each is wrong" in text


def test_a_page_without_suspects_says_so():
    judged = found(labels=(0, 1, 0, 0, 1, 1, 0))
    none = dataclasses.replace(judged.found, is_error=np.zeros(6, bool))
    judged = dataclasses.replace(judged, found=none)
    text = page.render(judged, shown=none.ranked, pictures={}, about={})
    assert "No label is probably wrong by this rule." in text
    assert "Copies of an image have the same label everywhere." in text
