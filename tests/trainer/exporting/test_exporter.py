"""Exporter: float32 whatever training's precision, and nothing is kept that fails the check."""

import dataclasses
import json

import numpy as np
import pytest

from runtime import errors
from trainer.exporting import exporter, formats, parity_check
from trainer.inference import trained_model


def request(run, folder, **changes) -> exporter.ExportRequest:
    settings = {"run": run, "format": "keras", "quantize": "none", "data_path": None, **changes}
    return exporter.ExportRequest(folder=folder, **settings)


@pytest.mark.slow
def test_a_network_trained_in_half_precision_is_exported_in_float32(
    export_run, tmp_path, random_crops
):
    half = dataclasses.replace(export_run.settings.training, precision="bfloat16")
    settings = dataclasses.replace(export_run.settings, training=half)
    half_run = dataclasses.replace(export_run, settings=settings)
    assert exporter.export(request(half_run, tmp_path / "out")).largest == 0
    runner = formats.open_keras(tmp_path / "out/model.keras")
    network, _ = trained_model.network(export_run)
    crops = random_crops(2, 16, 16)
    wanted = parity_check.network_runner(network, run=export_run)(crops)
    assert parity_check.difference(runner(crops), wanted) < 1e-6


def test_an_export_with_other_outputs_than_its_network_is_refused_and_not_kept(
    export_run, tmp_path, monkeypatch
):
    def skewed(path):
        return lambda crops: {"probabilities": np.full((len(crops), 8), 1 / 8, np.float32)}

    monkeypatch.setitem(formats.OPEN, "keras", skewed)
    with pytest.raises(
        errors.UserError, match="may differ from its network by 0.0001: .*model.keras differs by 0"
    ):
        exporter.export(request(export_run, tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_manifest_keeps_its_published_keys(exported):
    manifest = json.loads((exported("keras")[0] / "export.json").read_text())
    assert list(manifest) == [
        "format",
        "quantize",
        "class_names",
        "image_size",
        "best_epoch",
        "data",
        "compared",
    ]
    assert list(manifest["data"]) == ["name", "fingerprint", "crop", "encoding"]
    assert list(manifest["compared"]) == [
        "on",
        "largest",
        "num_judged",
        "exported_accuracy",
        "network_accuracy",
    ]
    assert manifest["compared"]["num_judged"] == 37
