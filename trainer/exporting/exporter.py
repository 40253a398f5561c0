"""Exporter: writes a run or an ensemble in another format, checks it and writes its model card.

Owns the steps from a model to an export's folder, which holds the model, README.md and export.json.
The file is opened again and compared with the networks before it is kept.
"""

import dataclasses
import json
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from trainer.data import dataset_version, examples
from trainer.distributed import tf_logging
from trainer.exporting import (
    export_folder,
    formats,
    model_card,
    onnx_file,
    parity_check,
    signature,
)
from trainer.inference import trained_model
from trainer.models import factory
from trainer.run import data_provenance, ensemble, history, trained_run, training_facts

_NUM_REPRESENTATIVE = 256
"""Images of train, evenly spaced over it, from which int8 takes the ranges of its tensors."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What to export, and where to.

    Attributes:
      run: the model: a run or an ensemble.
      format: one of `formats.FILES`.
      quantize: none, or float16 or int8 for tflite.
      folder: the export's, replaced.
      data_path: the version that the run was trained on; None where it is not available.
    """

    run: ensemble.Model
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
    request = dataclasses.replace(request, run=_licensed(request.run, version=version))
    members = trained_model.members(request.run)
    for each in members:
        print(
            f"model         {each.network.name}, {each.network.count_params():,} parameters, "
            f"weights of epoch {each.best_epoch}",
            flush=True,
        )
    # Before the conversion, which takes minutes: a damaged file is told at once.
    training = list(map(_training, members))
    with export_folder.replaced(request.folder) as staged:
        path = staged / formats.FILES[request.format]
        exported = _write(request, members=members, version=version, path=path)
        comparison = _compare(request, members=members, version=version, path=path)
        facts = model_card.Facts(
            run=request.run,
            best_epochs=[each.best_epoch for each in members],
            num_parameters=sum(each.network.count_params() for each in members),
            training=training,
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


def _licensed(model: ensemble.Model, *, version: dataset_version.Version | None) -> ensemble.Model:
    """Return a model whose runs on a version have its licence, which earlier releases left out."""

    def licensed(run: trained_run.Run) -> trained_run.Run:
        if version is None or run.data.license or run.data.fingerprint != version.fingerprint:
            return run
        return dataclasses.replace(run, data=data_provenance.of(version))

    if isinstance(model, ensemble.Ensemble):
        return dataclasses.replace(model, members=tuple(map(licensed, model.members)))
    return licensed(model)


def _training(member: trained_model.Member) -> dict[str, str]:
    """Return how a run was trained, by name, for its card."""
    run = member.run
    changed = training_facts.changed_settings(run.settings)
    flags = " ".join(f"--{name}={value}" for name, value in changed.items())
    return {
        "network": factory.describe(member.network, image_size=member.views.crop_px),
        "compute": factory.cost(member.network),
        **training_facts.facts(
            run.model_dir,
            settings=run.settings,
            history=history.read_csv(run.model_dir / history.HISTORY),
        ),
        "settings that are not the defaults": f"`{flags}`" if flags else "none",
    }


def _write(
    request: ExportRequest,
    *,
    members: Sequence[trained_model.Member],
    version: dataset_version.Version | None,
    path: pathlib.Path,
) -> keras.Model:
    """Write the model file and return the model that is in it."""
    with tf_logging.chatter_off():
        if request.quantize == "int8":
            assert version  # trainer.export refuses otherwise.
            fixed = signature.fixed_of_members(members)
            images = _representative(version, size_px=members[0].run.image_size)
            formats.write_int8(fixed, path=path, images=images)
            return fixed
        model = signature.of_members(members)
        formats.write(
            model,
            format=request.format,
            path=path,
            quantize=request.quantize,
            about=_about(members),
        )
        return model


def _about(members: Sequence[trained_model.Member]) -> onnx_file.About:
    """Return what the file itself says of the model."""
    runs = [each.run for each in members]
    data = runs[0].data
    drawn = " Trained on drawn faces, not on photographs." if data.is_drawn else ""
    return onnx_file.About(
        text=f"Classifier of facial expressions, trained on {data.name}.{drawn}",
        version=max(each.best_epoch for each in members),
        facts={
            "data": data.name,
            "data_fingerprint": data.fingerprint,
            "crop": json.dumps(data.crop),
            "image_size": json.dumps([run.image_size for run in runs]),
            "best_epoch": json.dumps([each.best_epoch for each in members]),
        },
    )


def _representative(version: dataset_version.Version, *, size_px: int) -> Iterator[np.ndarray]:
    split = examples.read(version, split="train", size_px=size_px, cache="none")
    count = split.num_examples
    positions = np.linspace(0, count - 1, min(count, _NUM_REPRESENTATIVE)).round()
    for position in positions.astype(np.int64):
        yield split.fetch(position[None]).numpy()[0]


def _compare(
    request: ExportRequest,
    *,
    members: Sequence[trained_model.Member],
    version: dataset_version.Version | None,
    path: pathlib.Path,
) -> parity_check.Comparison:
    with tf_logging.chatter_off():
        comparison = parity_check.compare(
            formats.OPEN[request.format](path),
            members=members,
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
    manifest = {
        "format": facts.format,
        "quantize": facts.quantize,
        "class_names": data.class_names,
        "image_size": facts.run.members[0].image_size,
        "best_epoch": facts.best_epochs[0],
        "data": {
            "name": data.name,
            "fingerprint": data.fingerprint,
            "crop": data.crop,
            "encoding": data.encoding,
        },
        "compared": {
            "on": comparison.on,
            "largest": comparison.largest,
            "num_judged": comparison.num_evaluated,
            "exported_accuracy": comparison.exported_accuracy,
            "network_accuracy": comparison.network_accuracy,
        },
    }
    if len(facts.run.members) > 1:
        manifest |= {"image_size": None, "best_epoch": None, "ensemble": _ensemble(facts)}
    return manifest


def _ensemble(facts: model_card.Facts) -> list[dict[str, Any]]:
    """Return what the manifest says of each run of an ensemble."""
    members = facts.run.members
    names = ensemble.names([run.model_dir for run in members])
    return [
        {
            "name": name,
            "image_size": run.image_size,
            "best_epoch": epoch,
            "data": {"name": run.data.name, "fingerprint": run.data.fingerprint},
        }
        for name, run, epoch in zip(names, members, facts.best_epochs, strict=True)
    ]


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
