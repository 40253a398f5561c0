"""Benchmarks of label noise and of leaks: what is flipped or left out, and how it is counted."""

import numpy as np
import pytest

pytest.importorskip("cleanlab")

from affectnet_tfds.reader import label_list
from benchmarks import flips, noise_detection
from tests import benchmark_modules
from trainer.evaluation import predictions

leak = benchmark_modules.imported("leak")
LABELS = np.repeat([0, 1, 2], [100, 50, 10])


def test_each_class_loses_its_share_and_the_seed_decides_which():
    one = flips.flipped(LABELS, shares=flips.uniform_shares(3), rate=0.2, seed=1)
    assert [(one[label == LABELS] != label).sum() for label in range(3)] == [20, 10, 2]
    again = flips.flipped(LABELS, shares=flips.uniform_shares(3), rate=0.2, seed=1)
    other = flips.flipped(LABELS, shares=flips.uniform_shares(3), rate=0.2, seed=2)
    assert (one == again).all() and (one != other).any()


def test_new_labels_are_those_of_the_shares():
    shares = np.array([[0, 1, 0], [0.5, 0, 0.5], [1, 0, 0]])
    noisy = flips.flipped(LABELS, shares=shares, rate=0.5, seed=0)
    assert set(noisy[:100].tolist()) == {0, 1} and set(noisy[150:].tolist()) == {2, 0}
    uniform = flips.flipped(LABELS, shares=flips.uniform_shares(3), rate=1.0, seed=0)
    counts = np.bincount(uniform[:100], minlength=3)
    assert counts[0] == 0 and 35 < counts[1] < 65


def test_confusions_are_shares_of_the_mistakes():
    labels, predicted = [0, 0, 0, 0, 1, 2], [0, 1, 1, 2, 1, 2]
    preds = predictions.Predictions(
        class_names=("a", "b", "c"),
        filenames=np.array(list("abcdef")),
        copies=np.zeros(6, int),
        labels=np.array(labels),
        probabilities=np.eye(3)[predicted],
    )
    expected = [[0, 2 / 3, 1 / 3], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    np.testing.assert_allclose(flips.confusion_shares(preds), expected)


def listed(**entries):
    return {name: label_list.Entry("train", name, *pair) for name, pair in entries.items()}


FLIPS = listed(a=(0, 1), b=(0, 2), c=(1, 0))
SUSPECTS = listed(b=(2, 0), c=(0, 2), d=(2, 1))
"""b goes back to what it was, c on to a third label, and d was right."""


def test_a_build_without_suspects_keeps_the_flips_of_the_others():
    assert [each.filename for each in flips.without(FLIPS, suspects=SUSPECTS)] == ["a"]


def test_relabelled_suspects_start_from_the_labels_of_the_input():
    found = {each.filename: each[2:] for each in flips.composed(FLIPS, suspects=SUSPECTS)}
    assert found == {"a": (0, 1), "c": (1, 2), "d": (2, 1)}


def test_detection_is_precision_and_recall():
    wrong = np.array([1, 1, 1, 1, 0, 0, 0, 0], bool)
    chosen = np.array([1, 1, 1, 0, 1, 0, 0, 0], bool)
    assert noise_detection.of_mask(chosen, is_wrong=wrong) == (0.75, 0.75)
    scores = np.array([0.1, 0.2, 0.4, 0.9, 0.3, 0.8, 0.95, 1.0])
    assert noise_detection.at_recall(scores, is_wrong=wrong, recall=0.5) == (1.0, 0.5)
    assert noise_detection.at_recall(scores, is_wrong=wrong, recall=0.7) == (0.75, 0.75)
    assert noise_detection.at_recall(scores, is_wrong=wrong, recall=1.0) == (4 / 6, 1.0)


def test_an_audits_files_are_judged_by_the_flips(tmp_path):
    names = [f"{number}.jpg" for number in range(40)]
    truth = np.arange(40) % 2
    labels = truth.copy()
    labels[:4] = 1 - labels[:4]
    preds = predictions.Predictions(
        class_names=("neutral", "happy"),
        filenames=np.array(names),
        copies=np.zeros(40, int),
        labels=labels,
        probabilities=np.where(np.eye(2)[truth] == 1, 0.9, 0.1),
    )
    (tmp_path / "predictions.csv").write_text(predictions.to_csv(preds))
    (tmp_path / "suspects.csv").write_text("filename\n0.jpg\n1.jpg\n9.jpg\n")
    (tmp_path / "flips.csv").write_text("filename\n0.jpg\n1.jpg\n2.jpg\n3.jpg\n")
    found = noise_detection.of_audit(tmp_path, flips=tmp_path / "flips.csv")
    assert found["suspects.csv"] == found["the first of suspects.csv"] == (2 / 3, 0.5)
    assert found["cleanlab predicted_neq_given"] == (1.0, 1.0)
    assert found["cleanlab ranked by normalized_margin"].precision == 1.0
    (tmp_path / "suspects.csv").write_text("filename\n3.jpg\n1.jpg\n0.jpg\n9.jpg\n2.jpg\n")
    found = noise_detection.of_audit(tmp_path, flips=tmp_path / "flips.csv")
    assert found["suspects.csv"] == (4 / 5, 1.0)
    assert found["the first of suspects.csv"] == (1.0, 0.75)


def test_copies_in_both_splits_are_left_out_of_train_and_as_many_others_of_the_other_build():
    table = [
        "group,kind,labels_disagree,split,subset,filename,expression",
        "1,near,0,train,manual,a,1",
        "1,near,0,validation,manual,v,1",
        "2,identical,0,train,manual,b,1",
        "2,identical,0,train,manual,c,1",
        "3,near,1,validation,manual,w,1",
        "3,near,1,train,manual,d,1",
        "3,near,1,train,manual,e,2",
    ]
    copies = leak.of_table(table)
    assert copies.in_train == {"a", "d", "e"} and copies.in_validation == {"v", "w"}
    chosen = leak.others(list("abcdefghi"), copies, seed=0)
    assert len(set(chosen)) == 3 and set(chosen) <= set("fghi")
    assert chosen == leak.others(list("ihgfedcba"), copies, seed=0)
