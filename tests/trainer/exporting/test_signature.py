"""Model signature: the resize in front of the network is that of the build's encoding."""

import dataclasses

import pytest

from trainer.exporting import signature
from trainer.inference import trained_model


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
