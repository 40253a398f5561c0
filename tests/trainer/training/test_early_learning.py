"""Early-learning regularisation in a run: resumed, and on several replicas."""

import contextlib

import numpy as np
import pytest

from trainer.run import checkpoint, context, model_folder
from trainer.training import setup, trainer

SETTINGS = {
    "conv_filters": (4,),
    "dense_units": (8,),
    "augment": 0.0,
    "epochs": 3,
    "loss": "early_learning",
    "elr_weight": 5.0,
    "optimizer": "sgd",
}


@pytest.fixture
def start(make_ctx, tmp_path):
    """Return a function that trains, or continues, a run and returns what its checkpoint holds."""

    def run(name, *, stop_after=None, **settings):
        ctx = make_ctx(model_dir=str(tmp_path / name), **{**SETTINGS, **settings})
        model_dir = model_folder.claim(ctx.settings)
        train, selection = (
            context.read_split(ctx, split=split) for split in ("train", "validation")
        )
        running = trainer.Trainer(
            ctx,
            network=setup.model(ctx),
            train=train,
            selection=selection,
            model_dir=model_dir,
        )
        with contextlib.closing(running.epochs()) as epochs:
            for number, _ in enumerate(epochs, start=1):
                if number == stop_after:
                    break
        arrays, _ = checkpoint.load_newest(model_dir / "checkpoints", most_bytes=10**8)
        return arrays

    return run


def test_a_run_continues_with_the_running_predictions_that_it_had(start):
    whole = start("whole")
    start("cut", stop_after=1)
    found = start("cut")
    assert found.keys() == whole.keys() and "early_learning/targets" in found
    for name, array in whole.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_every_image_has_a_running_prediction_of_all_its_epochs(start):
    """Of 3 epochs 1 - 0.7^3 of a distribution, whose sum is 1."""
    targets = start("run")["early_learning/targets"]
    np.testing.assert_allclose(targets.sum(axis=1), np.full(62, 1 - 0.7**3), rtol=1e-4)


def test_two_replicas_remember_what_one_does(start):
    one, two = start("one"), start("two", num_replicas=2)
    for name, array in one.items():
        np.testing.assert_allclose(two[name], array, rtol=1e-3, atol=1e-4, err_msg=name)


def test_other_losses_remember_nothing(start):
    plain = {"loss": "cross_entropy", "elr_weight": 3.0, "epochs": 1}
    assert "early_learning/targets" not in start("plain", **plain)
