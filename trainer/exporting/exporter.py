"""Exporter: writes a run's model in another format, checks it and writes its model card.

Owns the steps from a run to an export's folder, which holds the model, README.md and export.json.
The file is opened again and compared with the network before it is kept.
"""

import dataclasses
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from trainer.data import dataset_version, examples
from trainer.distributed import tf_logging
from trainer.exporting import export_folder, formats, model_card, parity_check, signature
from trainer.inference import trained_model
from trainer.run import trained_run

_NUM_REPRESENTATIVE = 256
"""Images of train, evenly spaced over it, from which int8 takes the ranges of its tensors."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What to export, and where to.

    Attributes:
      run: of the model.
      format: one of `formats.FILES`.
      quantize: none, or float16 or int8 for tflite.
      folder: the export's, replaced.
      data_path: the version that the run was trained on; None where it is not available.
    """

    run: trained_run.Run
    format: str
    quantize: str
    folder: pathlib.Path
    data_path: pathlib.Path | None


def export(request: ExportRequest) -> parity_check.Comparison:
    """Write an export, compare it with its network, and print the result.

    Raises:
      errors.UserError: if there are no weights, or the file's outputs are not the network's.
    """
    version = dataset_version.open_version(request.data_path) if request.data_path else None
    network, best_epoch = trained_model.network(_in_float32(request.run))
    print(
        f"model         {network.name}, {network.count_params():,} parameters, "
        f"weights of epoch {best_epoch}",
        flush=True,
    )
    with export_folder.replaced(request.folder) as staged:
        path = staged / formats.FILES[request.format]
        exported = _write(request, network=network, version=version, path=path)
        comparison = _compare(request, network=network, version=version, path=path)
        facts = model_card.Facts(
            run=request.run,
            best_epoch=best_epoch,
            num_parameters=network.count_params(),
            metrics=request.run.metrics(),
            heads=_heads(exported),
            format=request.format,
            quantize=request.quantize,
            comparison=comparison,
        )
        (staged / "README.md").write_text(model_card.text(facts), encoding="utf-8")
        manifest = json.dumps(_manifest(facts), indent=2) + "\n"
        (staged / export_folder.MANIFEST).write_text(manifest, encoding="utf-8")
    _print_result(request, comparison=comparison)
    return comparison


def _in_float32(run: trained_run.Run) -> trained_run.Run:
    """Return the run with a network that computes in float32.

    Weights are float32 in every precision of training.
    """
    training = dataclasses.replace(run.settings.training, precision="float32")
    return dataclasses.replace(run, settings=dataclasses.replace(run.settings, training=training))


def _write(
    request: ExportRequest,
    *,
    network: keras.Model,
    version: dataset_version.Version | None,
    path: pathlib.Path,
) -> keras.Model:
    """Write the model file and return the model that is in it."""
    with tf_logging.chatter_off():
        if request.quantize == "int8":
            assert version  # trainer.export refuses otherwise.
            fixed = signature.fixed(request.run, network=network)
            images = _representative(version, size_px=request.run.image_size)
            formats.write_int8(fixed, path=path, images=images)
            return fixed
        model = signature.model(request.run, network=network)
        formats.write(model, format=request.format, path=path, quantize=request.quantize)
        return model


def _representative(version: dataset_version.Version, *, size_px: int) -> Iterator[np.ndarray]:
    split = examples.read(version, split="train", size_px=size_px, cache="none")
    count = split.num_examples
    positions = np.linspace(0, count - 1, min(count, _NUM_REPRESENTATIVE)).round()
    for position in positions.astype(np.int64):
        yield split.fetch(position[None]).numpy()[0]


def _compare(
    request: ExportRequest,
    *,
    network: keras.Model,
    version: dataset_version.Version | None,
    path: pathlib.Path,
) -> parity_check.Comparison:
    with tf_logging.chatter_off():
        comparison = parity_check.compare(
            formats.OPEN[request.format](path),
            network=network,
            run=request.run,
            version=version,
            fixed_size=request.quantize == "int8",
        )
    if request.quantize == "none":
        parity_check.check(comparison, path=request.folder / path.name)
    return comparison


def _heads(exported: keras.Model) -> dict[str, tuple[int | None, ...]]:
    """Return the shapes of a model's outputs besides the probabilities."""
    return {
        name: tuple(head.shape)
        for name, head in exported.output.items()
        if name != signature.PROBABILITIES
    }


def _manifest(facts: model_card.Facts) -> dict[str, Any]:
    """Return the content of export.json, whose keys are published."""
    data = facts.run.data
    comparison = facts.comparison
    return {
        "format": facts.format,
        "quantize": facts.quantize,
        "class_names": data.class_names,
        "image_size": facts.run.image_size,
        "best_epoch": facts.best_epoch,
        "data": {"name": data.name, "fingerprint": data.fingerprint, "crop": data.crop},
        "compared": {
            "on": comparison.on,
            "largest": comparison.largest,
            "num_judged": comparison.num_evaluated,
            "exported_accuracy": comparison.exported_accuracy,
            "network_accuracy": comparison.network_accuracy,
        },
    }


def _print_result(request: ExportRequest, *, comparison: parity_check.Comparison) -> None:
    path = request.folder / formats.FILES[request.format]
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files)
    print(f"exported      {path}   {size / 1e6:.1f} MB")
    print(
        f"compared      on {comparison.on}: largest difference of an output "
        f"{comparison.largest:.2g}"
    )
    if comparison.exported_accuracy is not None:
        print(
            f"accuracy      {comparison.exported_accuracy:.4f} exported, "
            f"{comparison.network_accuracy:.4f} before, "
            f"on {comparison.num_evaluated:,} validation crops"
        )
    print(f"model card    {request.folder / 'README.md'}", flush=True)
