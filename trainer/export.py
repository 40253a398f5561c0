"""Export program: python -m trainer.export --model_dir=DIR --format=onnx.

Owns the flags and what is refused before TensorFlow is imported; `exporter` does the rest.
"""

import dataclasses
import pathlib

from runtime import errors, fields, flags, installation
from trainer.config import run_config
from trainer.data import dataset_version
from trainer.distributed import devices, tf_logging
from trainer.exporting import export_folder
from trainer.run import trained_run

ABOUT = """\
Export a trained model for another runtime, with its preprocessing inside and a model card.

  python -m trainer.export --model_dir=runs/first --format=onnx
  python -m trainer.export --model_dir=runs/first --format=tflite --quantize=int8"""

_NEEDS = {"onnx": ("onnx", "onnxruntime", "tf2onnx"), "tflite": ("ai_edge_litert",)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Export(fields.Checked):
    """Flags of trainer.export."""

    model_dir: str = fields.field("runs/latest", "folder of the trained model", path="folder")
    format: str = fields.field(
        "savedmodel", "file format", choices=("keras", "savedmodel", "onnx", "tflite")
    )
    quantize: str = fields.field(
        "none",
        "quantisation (tflite): float16 halves the weights, int8 computes with integers, whose "
        "ranges are measured on images of train",
        choices=("none", "float16", "int8"),
    )
    output_dir: str | None = fields.field(
        None,
        "folder to write; an export in it is replaced",
        default_text="MODEL_DIR/export/FORMAT",
        path="folder",
    )
    data_dir: str | None = fields.field(
        None, "folder that holds the data set", default_text="as in training", path="folder"
    )


SECTIONS = {"Export": Export}


def main() -> None:
    """Export as the flags say."""
    config = Export(**flags.given(SECTIONS))
    run = trained_run.find(config.model_dir)
    run.print_if_unfinished()
    run.metrics()  # Refused here where it is damaged, before TensorFlow is imported.
    folder = check(config, run=run)
    data_path = find_data(config, run=run)
    with tf_logging.chatter_off():
        # Inside: the refusals above must not wait for TensorFlow.
        from trainer.exporting import exporter

        devices.prepare(run_config.Devices(num_gpus=0))
    exporter.export(
        exporter.ExportRequest(
            run=run,
            format=config.format,
            quantize=config.quantize,
            folder=folder,
            data_path=data_path,
        )
    )


def check(config: Export, *, run: trained_run.Run) -> pathlib.Path:
    """Return the folder to write.

    Raises:
      errors.UserError: if the format cannot be quantised or lacks its packages, or the folder is
        something else than an export.
    """
    if config.quantize != "none" and config.format != "tflite":
        raise errors.UserError(
            f"--quantize={config.quantize} needs --format=tflite: got --format={config.format}"
        )
    installation.require(*_NEEDS.get(config.format, ()), what=f"--format={config.format}")
    if config.output_dir:
        folder = pathlib.Path(config.output_dir)
        if folder.name in ("", ".."):  # "." too: there is no name to write the new export beside.
            folder = folder.resolve()
    else:
        suffix = "" if config.quantize == "none" else f"_{config.quantize}"
        folder = run.model_dir / "export" / f"{config.format}{suffix}"
    export_folder.check(folder)
    return folder


def find_data(config: Export, *, run: trained_run.Run) -> pathlib.Path | None:
    """Return the version that the run was trained on, or None where it is not available.

    Raises:
      errors.UserError: if it is not available, and was named or is needed.
    """
    trained_on = run.settings.data
    wanted = dataclasses.replace(trained_on, data_dir=config.data_dir or trained_on.data_dir)
    try:
        path = trained_run.locate_data(run, data=wanted, is_named=bool(config.data_dir))
        fingerprint = dataset_version.fingerprint(path)
        if fingerprint != run.data.fingerprint:
            raise errors.UserError(
                f"{run.model_dir} was trained on data with fingerprint "
                f"{run.data.fingerprint[:12]}, and those in {path} have {fingerprint[:12]}: name "
                "the folder that has them with --data_dir"
            )
        return path
    except errors.UserError:
        if config.data_dir or config.quantize == "int8":
            raise
        return None


if __name__ == "__main__":
    flags.define(SECTIONS)
    flags.run(main, sections=SECTIONS, about=ABOUT)
