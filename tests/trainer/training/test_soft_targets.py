import types

import numpy as np
import pytest

from runtime import errors
from trainer.config import training_config
from trainer.data import examples
from trainer.training import soft_targets

SOFT = [[0.5, 0.3, 0, 0, 0, 0, 0, 0.2], [np.nan] * 8, [0, 0, 0, 0, 0, 0, 0, 1.0]]
SEVEN = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger")


def split_of(*, soft=None, names=("a.jpg", "b.jpg", "c.jpg"), copies=(0, 0, 0), labels=(1, 2, 0)):
    count = len(names)
    return examples.Split(
        name="train",
        size_px=1,
        labels=np.array(labels),
        valence=np.zeros(count, np.float32),
        arousal=np.zeros(count, np.float32),
        read_filenames=lambda: np.array(names),
        copies=np.array(copies),
        positions=np.arange(count),
        fetch=lambda numbers: numbers,
        fetch_exact=lambda numbers: numbers,
        soft_labels=None if soft is None else np.array(soft, np.float32),
    )


def targets(split, *, classes=SEVEN, **settings):
    version = types.SimpleNamespace(name="faces/x", class_names=classes)
    asked = training_config.Targets(**settings)
    return soft_targets.attached(split, settings=asked, version=version).targets


def test_nothing_is_attached_where_labels_alone_are_learnt():
    assert targets(split_of(soft=SOFT)) is None


def test_soft_labels_are_taken_in_the_classes_of_the_data():
    """Without contempt 0.8 is left of the first; the others have nothing left: their labels."""
    found = targets(split_of(soft=SOFT), targets="soft")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], [0.625, 0.375, 0, 0, 0, 0, 0], rtol=1e-6)
    np.testing.assert_array_equal(found[1:], np.eye(7)[[2, 0]])


def test_examples_without_a_soft_label_are_counted(capsys):
    targets(split_of(soft=SOFT), targets="soft")
    assert "2 of 3 examples have no soft label of these classes" in capsys.readouterr().out
    targets(split_of(soft=[SOFT[0]] * 3), targets="soft")
    assert not capsys.readouterr().out


def test_classes_without_a_soft_label_get_nothing_of_it():
    classes = (*SEVEN, "contempt", "none", "uncertain", "no-face")
    found = targets(split_of(soft=SOFT, labels=(1, 9, 7)), targets="soft", classes=classes)
    np.testing.assert_allclose(found[0], [0.5, 0.3, 0, 0, 0, 0, 0, 0.2, 0, 0, 0], rtol=1e-6)
    assert found[1, 9] == 1


def test_a_temperature_is_that_of_a_softmax():
    logits = np.array([[1.0, -2.0, 0.5]])
    probs = np.exp(logits) / np.exp(logits).sum()
    at_four = np.exp(logits / 4) / np.exp(logits / 4).sum()
    np.testing.assert_allclose(soft_targets.at_temperature(probs, temperature=4.0), at_four)


TABLE = """filename,copy,p_sad,p_happy,p_neutral
b.jpg,0,0.7,0.2,0.1
c.jpg,0,0.0,0.0,1.0
a.jpg,0,0.1,0.6,0.3
a.jpg,1,0.2,0.2,0.6
"""


def test_a_teachers_probabilities_go_to_their_images(tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    split = split_of(names=("a.jpg", "b.jpg", "a.jpg"), copies=(0, 0, 1))
    found = targets(split, teacher=str(tmp_path / "t.csv"), classes=("neutral", "happy", "sad"))
    np.testing.assert_allclose(found, [[0.3, 0.6, 0.1], [0.1, 0.2, 0.7], [0.6, 0.2, 0.2]])


def test_a_teacher_that_does_not_know_an_image_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    split = split_of(names=("a.jpg", "z.jpg", "c.jpg"))
    with pytest.raises(
        errors.UserError, match=r"no row of 1 of 3 examples, the first z\.jpg.*split=train"
    ):
        targets(split, teacher=str(tmp_path / "t.csv"), classes=("neutral", "happy", "sad"))


def test_a_teacher_of_other_classes_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    with pytest.raises(errors.UserError, match="surprise"):
        targets(split_of(), teacher=str(tmp_path / "t.csv"))


def test_data_without_soft_labels_are_refused():
    with pytest.raises(errors.UserError, match="faces/x has none; leave it out"):
        targets(split_of(), targets="soft")


def test_a_run_with_other_targets_is_another_one():
    plain = split_of(soft=SOFT)
    version = types.SimpleNamespace(name="faces/x", class_names=SEVEN)
    found = [
        soft_targets.fingerprint(
            soft_targets.attached(
                plain,
                settings=training_config.Targets(targets="soft", temperature=temperature),
                version=version,
            ),
            data="abc",
        )
        for temperature in (1.0, 2.0)
    ]
    assert len({*found, soft_targets.fingerprint(plain, data="abc")}) == 3
    assert soft_targets.fingerprint(plain, data="abc") == "abc"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"soft_weight": 0.9}, "--soft_weight=0.9 has no effect without soft targets"),
        ({"temperature": 2.0}, "--temperature=2.0 has no effect without soft targets"),
        ({"targets": "soft", "teacher": "t.csv"}, "give one of them"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, message):
    with pytest.raises(errors.UserError, match=message):
        training_config.Targets(**settings)


def test_a_teachers_file_is_read_before_tensorflow_is_imported(tmp_path):
    (tmp_path / "t.csv").write_text("filename,happy\na.jpg,1\n")
    with pytest.raises(errors.UserError, match=r"cannot read .*t\.csv as a table of probabilities"):
        soft_targets.check(training_config.Targets(teacher=str(tmp_path / "t.csv")))
    soft_targets.check(training_config.Targets())
