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
from trainer.run import ensemble, trained_run

ABOUT = """\
Export a trained model for another runtime, with its preprocessing inside and a model card.

  python -m trainer.export --model_dir=runs/first --format=onnx
  python -m trainer.export --model_dir=runs/first --format=tflite --quantize=int8
  python -m trainer.export --model_dir=runs/a,runs/b --output_dir=both   an ensemble in one file"""

_NEEDS = {"onnx": ("onnx", "onnxruntime", "tf2onnx"), "tflite": ("ai_edge_litert",)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Export(fields.Checked):
    """Flags of trainer.export."""

    model_dir: str = fields.field("runs/latest", ensemble.HELP, path="folder")
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
    report_dir: str | None = fields.field(
        None,
        "folder of the report that trainer.evaluate wrote of an ensemble, for the model card",
        default_text="the card has no evaluation of an ensemble",
        path="folder",
    )
    data_dir: str | None = fields.field(
        None, "folder that holds the data set", default_text="as in training", path="folder"
    )


SECTIONS = {"Export": Export}


def main() -> None:
    """Export as the flags say."""
    config = Export(**flags.given(SECTIONS))
    run = find_model(config)
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


def find_model(config: Export) -> ensemble.Model:
    """Return the run, or the ensemble with the folder of its report.

    Raises:
      errors.UserError: if there is none, or a run is given the report of an ensemble.
    """
    found = ensemble.find(config.model_dir)
    if config.report_dir is None:
        return found
    if not isinstance(found, ensemble.Ensemble):
        raise errors.UserError(
            f"--report_dir is for an ensemble, whose report has a folder of its own: that of "
            f"{found.model_dir} is in it; leave --report_dir out"
        )
    return dataclasses.replace(found, report_dir=pathlib.Path(config.report_dir))


def check(config: Export, *, run: ensemble.Model) -> pathlib.Path:
    """Return the folder to write.

    Raises:
      errors.UserError: if the format cannot be quantised or lacks its packages, no folder is given
        for an ensemble, or the folder is something else than an export.
    """
    if config.quantize != "none" and config.format != "tflite":
        raise errors.UserError(
            f"--quantize={config.quantize} needs --format=tflite: got --format={config.format}"
        )
    installation.require(*_NEEDS.get(config.format, ()), what=f"--format={config.format}")
    if isinstance(run, ensemble.Ensemble):
        _check_ensemble(config, model=run)
    if config.output_dir:
        folder = pathlib.Path(config.output_dir)
        if folder.name in ("", ".."):  # "." too: there is no name to write the new export beside.
            folder = folder.resolve()
    else:
        suffix = "" if config.quantize == "none" else f"_{config.quantize}"
        folder = pathlib.Path(run.model_dir) / "export" / f"{config.format}{suffix}"
    export_folder.check(folder)
    return folder


def _check_ensemble(config: Export, *, model: ensemble.Ensemble) -> None:
    if not config.output_dir:
        raise errors.UserError(
            f"an export of an ensemble ({model.model_dir}) needs a folder of its own: name one "
            "with --output_dir"
        )
    first, *others = model.members
    for run in others:
        if config.quantize == "int8" and run.image_size != first.image_size:
            raise errors.UserError(
                "--quantize=int8 takes images of one size, and the runs of this ensemble take "
                f"more: {first.model_dir} {first.image_size} px, {run.model_dir} {run.image_size} "
                "px; leave one out, or use --quantize=float16"
            )


def find_data(config: Export, *, run: ensemble.Model) -> pathlib.Path | None:
    """Return the version that the (first) run was trained on, or None where it is not available.

    Raises:
      errors.UserError: if it is not available, and was named or is needed.
    """
    run = run.members[0]
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
