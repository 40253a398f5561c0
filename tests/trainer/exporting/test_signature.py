"""Model signature: the resize in front of the network is that of the build's encoding."""

import dataclasses

import numpy as np
import pytest

from trainer.exporting import signature
from trainer.inference import trained_model
from trainer.models import views


@pytest.mark.parametrize(
    ("encoding", "by_eighths"), [("jpeg", True), ("png", False), ("raw", False)]
)
def test_an_exported_model_resizes_crops_as_training_resized_those_of_its_build(
    encoding, by_eighths, export_run
):
    data = dataclasses.replace(export_run.data, encoding=encoding)
    network, _ = trained_model.network(export_run)
    model = signature.model(dataclasses.replace(export_run, data=data), network=network)
    assert model.get_layer("resize").by_eighths is by_eighths


def test_the_model_for_integers_of_an_ensemble_averages_what_its_runs_make_of_the_same_pixels(
    ten_crop_run, flipped_run, random_crops
):
    members = [
        member for run in (ten_crop_run, flipped_run) for member in trained_model.members(run)
    ]
    images = random_crops(2, 32, 32).astype(np.float32)
    found = signature.fixed_of_members(members)(images)["probabilities"]
    alone = [
        views.mean_outputs(each.network, images, views=each.views)["probabilities"]
        for each in members
    ]
    np.testing.assert_allclose(found, np.mean(alone, axis=0), atol=1e-6)
    assert np.abs(alone[0] - found).max() > 0.01
