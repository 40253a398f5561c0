import dataclasses
import types

import numpy as np
import pytest
import tensorflow as tf

from runtime import errors
from tests.trainer.training.test_soft_targets import split_of
from trainer.augment import prepared_batch
from trainer.config import training_config
from trainer.run import context
from trainer.training import label_weights, setup, soft_targets, train_input

VERSION = types.SimpleNamespace(name="faces/x")


def weighted(tmp_path, text, *, weight=0.25, split=None):
    (tmp_path / "suspects.csv").write_text(text)
    settings = training_config.Targets(
        suspects=str(tmp_path / "suspects.csv"), suspect_weight=weight
    )
    return label_weights.attached(split or split_of(), settings=settings, version=VERSION)


def test_nothing_is_attached_without_a_list():
    split = split_of()
    settings = training_config.Targets()
    assert label_weights.attached(split, settings=settings, version=VERSION) is split


def test_doubted_labels_weigh_less_and_the_mean_is_one(tmp_path, capsys):
    """1, 0.25 and 1, over their mean of 0.75."""
    found = weighted(tmp_path, "filename,given\nb.jpg,sad\n").label_weights
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [4 / 3, 1 / 3, 4 / 3], rtol=1e-6)
    assert capsys.readouterr().out == (
        "suspects      1 of 3 labels weigh 0.25 times what others do\n"
    )


def test_repeats_of_an_image_share_its_line(tmp_path):
    split = split_of(names=("a.jpg", "b.jpg", "a.jpg"), copies=(0, 0, 1), labels=(1, 2, 1))
    found = weighted(tmp_path, "filename\na.jpg\n", weight=0.0, split=split).label_weights
    np.testing.assert_allclose(found, [0, 3, 0])


def test_a_line_about_another_label_or_split_is_passed_over(tmp_path):
    text = "split,filename,given\ntrain,a.jpg,happy\ntrain,b.jpg,happy\nvalidation,c.jpg,neutral\n"
    found = weighted(tmp_path, text).label_weights
    assert found[0] < 1 < found[1] == found[2]


def test_a_list_of_other_data_is_refused(tmp_path):
    with pytest.raises(errors.UserError, match=r"of 1 rows, the first z\.jpg, none is there"):
        weighted(tmp_path, "filename\nz.jpg\n")


def test_a_list_that_leaves_nothing_to_learn_is_refused(tmp_path):
    with pytest.raises(errors.UserError, match="doubts every label of train"):
        weighted(tmp_path, "filename\na.jpg\nb.jpg\nc.jpg\n", weight=0.0)


def test_a_weight_without_a_list_is_refused():
    with pytest.raises(errors.UserError, match="--suspect_weight=0.5 has no effect without"):
        training_config.Targets(suspect_weight=0.5)


def test_a_damaged_list_is_refused_before_tensorflow_is_imported(tmp_path):
    (tmp_path / "s.csv").write_text("name\na.jpg\n")
    with pytest.raises(errors.UserError, match=r"cannot read .*s\.csv as a list of labels"):
        label_weights.check(training_config.Targets(suspects=str(tmp_path / "s.csv")))
    label_weights.check(training_config.Targets())


def test_a_run_with_other_weights_is_another_one(tmp_path):
    plain = split_of()
    some = [plain, *(weighted(tmp_path, "filename\na.jpg\n", weight=w) for w in (0.0, 0.5))]
    assert len({soft_targets.fingerprint(each, data="abc") for each in some}) == 3
    assert soft_targets.what(plain) == "data"
    assert soft_targets.what(some[1]) == "data and doubted labels (--suspects)"


def microbatch(**fields):
    nothing = tf.zeros(4)
    names = [field.name for field in dataclasses.fields(prepared_batch.Microbatch)]
    return prepared_batch.Microbatch(**{**dict.fromkeys(names[:8], nothing), **fields})


def test_mixed_labels_keep_their_weights():
    """Images 2k and 2k + 1 are mixed: 0.75 * 2 * 10 + 0.25 * 0.5 * 20, and so on."""
    part = microbatch(
        label=tf.constant([10.0, 20.0]),
        partner_label=tf.constant([20.0, 10.0]),
        lam=tf.constant([0.75, 0.5]),
        label_weight=tf.constant([2.0, 0.5]),
    )
    np.testing.assert_allclose(part.weighted_mean(lambda label: label), [17.5, 15.0])
    np.testing.assert_allclose(part.mean(lambda label: label), [12.5, 15.0])


def test_without_weights_the_mean_is_that_of_labels():
    part = microbatch(label=tf.constant([10.0, 20.0]), lam=None)
    np.testing.assert_allclose(part.weighted_mean(lambda label: label), [10, 20])


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_a_label_of_weight_zero_is_not_learnt(make_ctx, weight):
    """The first step of SGD is the same whatever that label is; with a weight of 1 it is not."""
    plain = {"augment": 0.0, "optimizer": "sgd", "epochs": 1, "batch_size": 62, "warmup_epochs": 0}
    ctx = make_ctx(conv_filters=(4,), dense_units=(8,), **plain)
    whole = context.read_split(ctx, split="train")
    weights = np.ones(62, np.float32)
    weights[7] = weight
    found = []
    for label in (0, 5):
        labels = whole.labels.copy()
        labels[7] = label
        split = dataclasses.replace(whole, labels=labels, label_weights=weights)
        network = setup.model(ctx)
        step = setup.build_train_step(network, ctx=ctx, split=split)
        groups = train_input.step_groups(ctx, split=split)
        step.compile(groups.element_spec)
        step.train(next(groups), first_step=0)
        found.append([variable.numpy() for variable in network.variables])
    is_same = all((one == other).all() for one, other in zip(*found, strict=True))
    assert is_same == (weight == 0.0)
