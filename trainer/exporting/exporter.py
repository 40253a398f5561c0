"""An export's folder: the model, README.md and export.json, there whole or not at all.

Owns the steps from a run to that folder. What was written is opened again and compared before it is
kept.
"""

import dataclasses
import json
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from trainer.data import dataset_version, examples
from trainer.distributed import tf_logging
from trainer.exporting import formats, manifest, model_card, parity_check, signature
from trainer.inference import outputs, trained_model
from trainer.run import trained_run

_NUM_REPRESENTATIVE = 256
"""Pictures of train, evenly spaced over it, that int8 learns its ranges from."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Order:
    """What to ship and where: `data_path` is the version the run was trained on, None where that is
    not at hand."""

    run: trained_run.Run
    format: str
    quantize: str
    folder: pathlib.Path
    data_path: pathlib.Path | None


def ship(order: Order) -> parity_check.Comparison:
    """Write an export, compare it with its network, and say so.

    Raises:
      errors.UserError: if there are no weights, or the file does not do what the network does.
    """
    version = dataset_version.open_version(order.data_path) if order.data_path else None
    network, best_epoch = trained_model.network(_in_float32(order.run))
    print(
        f"model         {network.name}, {network.count_params():,} parameters, weights of epoch {best_epoch}",
        flush=True,
    )
    staged = order.folder.with_name(f".{order.folder.name}.part")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    path = staged / formats.FILES[order.format]
    shipped = _write(order, network=network, version=version, path=path)
    compared = _compare(order, network=network, version=version, path=path)
    facts = _facts(
        order, shipped=shipped, network=network, best_epoch=best_epoch, compared=compared
    )
    (staged / "README.md").write_text(model_card.text(facts), encoding="utf-8")
    (staged / manifest.MANIFEST).write_text(
        json.dumps(_manifest(facts), indent=2) + "\n", encoding="utf-8"
    )
    shutil.rmtree(order.folder, ignore_errors=True)
    staged.replace(order.folder)
    _say(order, facts=facts)
    return compared


def _in_float32(run: trained_run.Run) -> trained_run.Run:
    """Return the run with a network that computes in float32: weights are float32 in every
    precision of training."""
    training = dataclasses.replace(run.settings.training, precision="float32")
    return dataclasses.replace(run, settings=dataclasses.replace(run.settings, training=training))


def _write(
    order: Order,
    *,
    network: keras.Model,
    version: dataset_version.Version | None,
    path: pathlib.Path,
) -> keras.Model:
    """Write the model file and return the model that is in it."""
    with tf_logging.chatter_off():
        if order.quantize == "int8":
            assert version  # export.find_data refused otherwise.
            fixed = signature.fixed(order.run, network=network)
            formats.write_int8(
                fixed, path=path, pictures=_representative(version, size_px=order.run.image_size)
            )
            return fixed
        model = signature.model(order.run, network=network)
        formats.write(model, format=order.format, path=path, quantize=order.quantize)
        return model


def _representative(version: dataset_version.Version, *, size_px: int) -> Iterator[np.ndarray]:
    split = examples.read(version, split="train", size_px=size_px, cache="none")
    count = split.num_examples
    for number in (
        np.linspace(0, count - 1, min(count, _NUM_REPRESENTATIVE)).round().astype(np.int64)
    ):
        yield split.fetch(number[None]).numpy()[0]


def _compare(
    order: Order,
    *,
    network: keras.Model,
    version: dataset_version.Version | None,
    path: pathlib.Path,
) -> parity_check.Comparison:
    with tf_logging.chatter_off():
        exported = formats.OPEN[order.format](path)
        is_fixed = order.quantize == "int8"
        compared = parity_check.compare(
            exported, network=network, run=order.run, version=version, fixed_size=is_fixed
        )
    if order.quantize == "none":
        parity_check.check(compared, path=order.folder / path.name)
    return compared


def _facts(
    order: Order,
    *,
    shipped: keras.Model,
    network: keras.Model,
    best_epoch: int,
    compared: parity_check.Comparison,
) -> model_card.Facts:
    metrics = order.run.model_dir / "metrics.json"
    return model_card.Facts(
        run=order.run,
        best_epoch=best_epoch,
        num_parameters=network.count_params(),
        metrics=json.loads(metrics.read_text(encoding="utf-8")) if metrics.is_file() else None,
        heads={
            name: tuple(head.shape)
            for name, head in shipped.output.items()
            if name != outputs.PROBABILITIES
        },
        format=order.format,
        quantize=order.quantize,
        compared=compared,
    )


def _manifest(facts: model_card.Facts) -> dict[str, Any]:
    data = facts.run.data
    return {
        "format": facts.format,
        "quantize": facts.quantize,
        "class_names": data.class_names,
        "image_size": facts.run.image_size,
        "best_epoch": facts.best_epoch,
        "data": {"name": data.name, "fingerprint": data.fingerprint, "crop": data.crop},
        "compared": dataclasses.asdict(facts.compared),
    }


def _say(order: Order, *, facts: model_card.Facts) -> None:
    path, compared = order.folder / formats.FILES[order.format], facts.compared
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files)
    print(f"exported      {path}   {size / 1e6:.1f} MB")
    print(f"compared      on {compared.on}: largest difference of an output {compared.largest:.2g}")
    if compared.exported_accuracy is not None:
        print(
            f"accuracy      {compared.exported_accuracy:.4f} exported, {compared.network_accuracy:.4f} before, "
            f"on {compared.num_judged:,} validation crops"
        )
    print(f"look at       {order.folder / 'README.md'}", flush=True)
