"""Export formats (Keras, SavedModel, ONNX, TFLite): writes models and runs the files.

Owns the calls into the exporters. Every format carries the class names itself, beside the
probabilities it gives: Keras in its last layer, a SavedModel in a signature, ONNX in its metadata,
TFLite as its associated file labels.txt. Keras' own TFLite export (litert) was rejected: it has no
quantisation.
"""

import pathlib
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence

import keras
import numpy as np
import tensorflow as tf

from trainer.exporting import onnx_file, signature

FILES = {
    "keras": "model.keras",
    "savedmodel": "saved_model",
    "onnx": "model.onnx",
    "tflite": "model.tflite",
}
CLASS_NAMES = onnx_file.CLASS_NAMES
_SERVE = "serve"
_LABELS = "labels.txt"


def write(
    model: keras.Model,
    *,
    format: str,
    path: pathlib.Path,
    quantize: str,
    about: onnx_file.About | None = None,
) -> None:
    """Write a model made by `signature.of_members`.

    Args:
      model: the model.
      format: one of FILES.
      path: of the file or folder.
      quantize: none, or float16 for tflite.
      about: what the file says of itself, if the format has a place for it (onnx).
    """
    if format == "tflite":
        write_tflite(model, path=path, halve=quantize == "float16")
    elif format == "onnx":
        onnx_file.write(model, path=path, about=about or onnx_file.About())
    else:
        writers = {"keras": write_keras, "savedmodel": write_savedmodel}
        writers[format](model, path=path)


def write_keras(model: keras.Model, *, path: pathlib.Path) -> None:
    """Write a .keras archive; whoever loads it has to `import trainer.serving` first."""
    model.save(path)


def write_savedmodel(model: keras.Model, *, path: pathlib.Path) -> None:
    """Write a SavedModel.

    Its signatures are serving_default (crops → outputs) and class_names (→ string[C]).
    """
    names = signature.class_names(model)
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        _SERVE, lambda crops: model(crops, training=False), input_signature=[_crops_spec(model)]
    )
    archive.add_endpoint(CLASS_NAMES, lambda: {CLASS_NAMES: tf.constant(names)}, input_signature=[])
    archive.write_out(path, verbose=False)


def write_tflite(model: keras.Model, *, path: pathlib.Path, halve: bool = False) -> None:
    """Write a TFLite file; `halve` stores its weights in 16 bits."""
    with tempfile.TemporaryDirectory() as folder:
        converter = _converter(model, folder=pathlib.Path(folder))
        if halve:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        path.write_bytes(converter.convert())
    _attach_labels(path, names=signature.class_names(model))


def write_int8(fixed: keras.Model, *, path: pathlib.Path, images: Iterable[np.ndarray]) -> None:
    """Write a TFLite file of integer operations only, from uint8 crops to uint8 outputs.

    Args:
      fixed: see `signature.fixed`.
      path: of the file.
      images: uint8[S, S, 3] each, from which the ranges of all tensors are measured. Two pixels of
        each are made black and white, so that the input's range is 0..255 and its scale is 1.
    """
    with tempfile.TemporaryDirectory() as folder:
        converter = _converter(fixed, folder=pathlib.Path(folder))
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([_full_range(image)] for image in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
        path.write_bytes(converter.convert())
    _attach_labels(path, names=signature.class_names(fixed))


def _full_range(image: np.ndarray) -> np.ndarray:
    batch = image[None].astype(np.float32)
    batch[0, 0, :2] = ((0,), (255,))
    return batch


def open_keras(path: pathlib.Path) -> signature.Runner:
    """Return the function that runs a .keras archive."""
    model = keras.saving.load_model(path, compile=False)
    return lambda crops: _arrays(model(crops, training=False))


def open_savedmodel(path: pathlib.Path) -> signature.Runner:
    """Return the function that runs a SavedModel."""
    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures["serving_default"]
    return lambda crops: _arrays(serve(**{signature.CROPS: tf.constant(crops)}))


def open_onnx(path: pathlib.Path) -> signature.Runner:
    """Return the function that runs an ONNX file on the CPU."""
    import onnxruntime  # Inside: an extra.

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda crops: dict(zip(names, session.run(names, {signature.CROPS: crops}), strict=True))


def open_tflite(path: pathlib.Path) -> signature.Runner:
    """Return the function that runs a TFLite file, with quantised outputs turned into float32."""
    from ai_edge_litert import interpreter  # Inside: an extra.

    loaded = interpreter.Interpreter(model_path=str(path))
    run = loaded.get_signature_runner("serving_default")
    details = run.get_output_details()

    def outputs(crops: np.ndarray) -> signature.Outputs:
        stored = run(**{signature.CROPS: crops})
        return {
            name: _dequantised(value, *details[name]["quantization"])
            for name, value in stored.items()
        }

    return outputs


OPEN: dict[str, Callable[[pathlib.Path], signature.Runner]] = {
    "keras": open_keras,
    "savedmodel": open_savedmodel,
    "onnx": open_onnx,
    "tflite": open_tflite,
}


def _crops_spec(model: keras.Model) -> tf.TensorSpec:
    (crops,) = model.inputs
    return tf.TensorSpec(crops.shape, crops.dtype, name=signature.CROPS)


def _converter(model: keras.Model, *, folder: pathlib.Path) -> tf.lite.TFLiteConverter:
    """Return a converter from a SavedModel, which freezes variables and keeps names."""
    write_savedmodel(model, path=folder)
    return tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=["serving_default"])


def _attach_labels(path: pathlib.Path, *, names: Sequence[str]) -> None:
    """Append labels.txt as a zip archive, which is how TFLite Metadata stores associated files.

    Interpreters ignore it.
    """
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(_LABELS), "\n".join(names) + "\n")


def _dequantised(values: np.ndarray, scale: float, zero: int) -> np.ndarray:
    if not scale:  # Not quantised.
        return values
    return np.asarray((values.astype(np.float32) - zero) * np.float32(scale))


def _arrays(outputs: dict[str, tf.Tensor]) -> signature.Outputs:
    return {name: value.numpy() for name, value in outputs.items()}
