"""Exported model: opens an export's folder to classify faces with its file, whatever its format.

Owns reading export.json back. The file is given what it was evaluated on: a crop as the job stores
it, at the stored size, encoded and decoded where the data set stores JPEG (int8 files take the
network's own size). Taking a model file without its folder was rejected: it does not say how faces
are cut.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from affectnet_tfds import image_codec
from affectnet_tfds.reader import image_decoder
from runtime import errors, installation, untrusted
from trainer.data import dataset_version
from trainer.exporting import export_folder
from trainer.run import data_provenance

if TYPE_CHECKING:  # Importing TensorFlow takes seconds; a refusal has to come first.
    from trainer.exporting import signature

_NEEDS = {"onnx": ("onnxruntime",), "tflite": ("ai_edge_litert",)}
_FILES = ("keras", "savedmodel", "onnx", "tflite")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportedModel:
    """Export's folder: its file's format, and the data that the model was trained on.

    Attributes:
      folder: the export's.
      format: one of `formats.FILES`.
      size_px: side of the images that the file is given.
      data: class names, and how faces are cut and stored.
    """

    folder: pathlib.Path
    format: str
    size_px: int
    data: data_provenance.Provenance

    def open(self) -> Callable[[Sequence[np.ndarray]], "signature.Outputs"]:
        """Return the function from B crops, uint8[S, S, 3], to the outputs of the file by name.

        Raises:
          errors.UserError: if the file cannot be read.
        """
        from trainer.exporting import formats  # Inside: importing TensorFlow takes seconds.

        path = self.folder / formats.FILES[self.format]
        try:
            run = formats.OPEN[self.format](path)
        except Exception as error:  # Runtimes have no common class.
            said = " ".join(str(error).split())
            raise errors.UserError(
                f"cannot read the model {path}: {untrusted.printable(said):.200}; export it again"
            ) from None
        as_stored = _as_stored(self.data, size_px=self.size_px)
        return lambda crops: run(np.stack([as_stored(crop) for crop in crops]))


def is_export(path: pathlib.Path) -> bool:
    """Return whether a path is an export's folder, or the model in one."""
    return (_folder(path) / export_folder.MANIFEST).is_file()


def find(path: pathlib.Path) -> ExportedModel:
    """Open an export's folder, or that of its model file, without importing TensorFlow.

    Raises:
      errors.UserError: if it is damaged, does not say how faces are cut, or its runtime is missing.
    """
    folder = _folder(path)
    manifest = folder / export_folder.MANIFEST
    try:
        found = _parsed(untrusted.read_json_object(manifest), folder=folder)
    except (ValueError, LookupError, TypeError) as error:
        raise errors.UserError(
            f"cannot read {manifest} ({error}): python -m trainer.export writes it anew"
        ) from None
    found.data.geometry()  # Refused here where it is not known.
    installation.require(*_NEEDS.get(found.format, ()), what=f"an export as {found.format}")
    return found


def _folder(path: pathlib.Path) -> pathlib.Path:
    """Return the folder of an export, of its own path or its model's (a SavedModel is a folder)."""
    return path if (path / export_folder.MANIFEST).is_file() else path.parent


def _parsed(manifest: dict[str, Any], *, folder: pathlib.Path) -> ExportedModel:
    format, names, data = manifest["format"], manifest["class_names"], manifest["data"]
    if format not in _FILES:
        raise ValueError(f"format must be one of {', '.join(_FILES)}: got {format!r:.60}")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("class_names must be a list of names")
    crop = data["crop"]
    if crop is not None:
        data_provenance.check_crop(crop)
    stored_px = int(crop["image_size"]) if crop else 0
    return ExportedModel(
        folder=folder,
        format=format,
        size_px=int(manifest["image_size"]) if manifest["quantize"] == "int8" else stored_px,
        data=data_provenance.Provenance(
            name=str(data["name"]),
            fingerprint=str(data["fingerprint"]),
            is_drawn=dataset_version.is_drawn(str(data["name"])),
            class_names=tuple(names),
            stored_size=stored_px,
            encoding=str(data.get("encoding", "jpeg")),  # Exports from before it was recorded.
            counts={},
            crop=crop,
        ),
    )


def _as_stored(
    data: data_provenance.Provenance, *, size_px: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function that gives a crop the loss of its storage, and a size."""
    from trainer.data import exact_resize  # Inside: importing TensorFlow takes seconds.

    is_jpeg = data.encoding == "jpeg"
    encoding = "jpeg" if is_jpeg else "raw"  # PNG loses nothing.
    stored = image_decoder.Stored(size_px=data.stored_size, is_raw=not is_jpeg)
    decode = exact_resize.decoder(stored, size_px=size_px)
    return lambda crop: decode(memoryview(image_codec.encode(crop, encoding=encoding)))
