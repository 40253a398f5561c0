"""Ship a trained model: python -m trainer.export --model_dir=DIR --format=onnx.

Owns the flags and what is refused before TensorFlow is imported; `shipping` does the rest.
"""

import dataclasses
import importlib.util
import pathlib

from runtime import errors, fields, flags
from trainer.config import run_config
from trainer.data import dataset_version
from trainer.distributed import devices, tf_logging
from trainer.exporting import manifest
from trainer.run import trained_run

ABOUT = """Write a trained model in a format that runs elsewhere, with its preprocessing inside and a model card.

  python -m trainer.export --model_dir=runs/first --format=onnx
  python -m trainer.export --model_dir=runs/first --format=tflite --quantize=int8"""

_NEEDS = {"onnx": ("onnx", "onnxruntime", "tf2onnx"), "tflite": ("ai_edge_litert",)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Export:
    """What to ship, and how."""

    model_dir: str = fields.field("runs/latest", "folder of the trained model")
    format: str = fields.field(
        "savedmodel", "file format", choices=("keras", "savedmodel", "onnx", "tflite")
    )
    quantize: str = fields.field(
        "none",
        "numbers of a smaller type (tflite): float16 halves the weights, int8 computes in whole numbers, with ranges "
        "learned from pictures of train",
        choices=("none", "float16", "int8"),
    )
    output_dir: str | None = fields.field(
        None, "folder to write, replaced if it is an export", default_text="MODEL_DIR/export/FORMAT"
    )
    data_dir: str | None = fields.field(
        None, "folder that holds the data set", default_text="as in training"
    )

    def __post_init__(self) -> None:
        fields.check(self)


SECTIONS = {"Export": Export}


def main() -> None:
    """Export as the flags say."""
    asked = Export(**flags.given(SECTIONS))
    run = trained_run.find(asked.model_dir)
    folder = check(asked, run=run)
    data_path = find_data(asked, run=run)
    with tf_logging.chatter_off():
        # Inside: the refusals above must not wait for TensorFlow.
        from trainer.exporting import exporter

        devices.prepare(run_config.Devices(num_gpus=0))
    order = exporter.Order(
        run=run, format=asked.format, quantize=asked.quantize, folder=folder, data_path=data_path
    )
    exporter.ship(order)


def check(asked: Export, *, run: trained_run.Run) -> pathlib.Path:
    """Return the folder to write.

    Raises: errors.UserError: if the format cannot be quantised, lacks its packages, or the folder
      is something else.
    """
    if asked.quantize != "none" and asked.format != "tflite":
        raise errors.UserError(
            f"--quantize={asked.quantize} is for --format=tflite: got --format={asked.format}"
        )
    missing = [
        name for name in _NEEDS.get(asked.format, ()) if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise errors.UserError(
            f"--format={asked.format} needs {', '.join(missing)}: pip install 'affectnet-faces[export]'"
        )
    name = asked.format + (f"_{asked.quantize}" if asked.quantize != "none" else "")
    folder = pathlib.Path(asked.output_dir) if asked.output_dir else run.model_dir / "export" / name
    if (
        folder.exists()
        and not (folder / manifest.MANIFEST).is_file()
        and (not folder.is_dir() or any(folder.iterdir()))
    ):
        raise errors.UserError(
            f"--output_dir={folder} is there and is no export: name a new folder"
        )
    return folder


def find_data(asked: Export, *, run: trained_run.Run) -> pathlib.Path | None:
    """Return the version that the run was trained on, or None where it is not.

    Raises:
      errors.UserError: if it was named, or is needed, and is not there.
    """
    was = run.settings.data
    where = dataclasses.replace(was, data_dir=asked.data_dir or was.data_dir)
    try:
        path = dataset_version.locate(where)
        found = dataset_version.fingerprint(path)
        if found != run.data.fingerprint:
            raise errors.UserError(
                f"{run.model_dir} was trained on data with fingerprint {run.data.fingerprint[:12]}, and those in "
                f"{path} have {found[:12]}: name the folder that has them with --data_dir"
            )
        return path
    except errors.UserError:
        if asked.data_dir or asked.quantize == "int8":
            raise
        return None


if __name__ == "__main__":
    flags.define(SECTIONS)
    flags.run(main, sections=SECTIONS, about=ABOUT)
