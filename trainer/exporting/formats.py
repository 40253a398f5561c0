"""Export formats (Keras, SavedModel, ONNX, TFLite): writes models and runs the files.

Owns the calls into the exporters. Every format carries the class names itself, beside the
probabilities it gives: Keras in its last layer, a SavedModel in a signature, ONNX in its metadata,
TFLite as its associated file labels.txt. Keras' own TFLite export (litert) was rejected: it has no
quantisation.
"""

import json
import pathlib
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer.exporting import signature

FILES = {
    "keras": "model.keras",
    "savedmodel": "saved_model",
    "onnx": "model.onnx",
    "tflite": "model.tflite",
}
CLASS_NAMES = "class_names"
_SERVE = "serve"
_LABELS = "labels.txt"


def write(model: keras.Model, *, format: str, path: pathlib.Path, quantize: str) -> None:
    """Write a model made by `signature.model`; `quantize` is none, or float16 for tflite."""
    if format == "tflite":
        write_tflite(model, path=path, halve=quantize == "float16")
        return
    writers = {"keras": write_keras, "savedmodel": write_savedmodel, "onnx": write_onnx}
    writers[format](model, path=path)


def write_keras(model: keras.Model, *, path: pathlib.Path) -> None:
    """Write a .keras archive; whoever loads it has to `import trainer.serving` first."""
    model.save(path)


def write_savedmodel(model: keras.Model, *, path: pathlib.Path) -> None:
    """Write a SavedModel.

    Its signatures are serving_default (crops → outputs) and class_names (→ string[C]).
    """
    names = class_names(model)
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        _SERVE, lambda crops: model(crops, training=False), input_signature=[_crops_spec(model)]
    )
    archive.add_endpoint(CLASS_NAMES, lambda: {CLASS_NAMES: tf.constant(names)}, input_signature=[])
    archive.write_out(path, verbose=False)


def write_onnx(model: keras.Model, *, path: pathlib.Path) -> None:
    """Write an ONNX file with named outputs and axes, and the class names in its metadata."""
    import onnx  # Inside: an extra.

    _embed_constants(model)
    # Keras exports the function that was called last.
    model(np.zeros((1, 8, 8, 3), np.uint8), training=False)
    model.export(path, format="onnx", verbose=False)
    exported = onnx.load(path)
    _rename_outputs(exported.graph, names=sorted(model.output))
    axes = exported.graph.input[0].type.tensor_type.shape.dim
    for axis, name in zip(axes, ("batch", "height", "width"), strict=False):
        axis.dim_param = name
    exported.metadata_props.add(key=CLASS_NAMES, value=json.dumps(class_names(model)))
    onnx.checker.check_model(exported)
    onnx.save(exported, path)


def write_tflite(model: keras.Model, *, path: pathlib.Path, halve: bool = False) -> None:
    """Write a TFLite file; `halve` stores its weights in 16 bits."""
    with tempfile.TemporaryDirectory() as folder:
        converter = _converter(model, folder=pathlib.Path(folder))
        if halve:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        path.write_bytes(converter.convert())
    _attach_labels(path, names=class_names(model))


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
    _attach_labels(path, names=class_names(fixed))


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


def class_names(model: keras.Model) -> list[str]:
    """Return the class names of a model made by `signature`."""
    return list(model.get_layer(signature.PROBABILITIES).class_names)


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


def _embed_constants(model: keras.Model) -> None:
    """Make the fixed mean and variance of Normalization part of the graph.

    tf2onnx would make eager tensors inputs.
    """
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.mean = np.asarray(layer.mean)
            layer.variance = np.asarray(layer.variance)


def _rename_outputs(graph: Any, *, names: Sequence[str]) -> None:
    """Rename an ONNX graph's outputs, which are in the order of the sorted names."""
    wanted = {output.name: name for output, name in zip(graph.output, names, strict=True)}
    for output in graph.output:
        output.name = wanted[output.name]
    for node in graph.node:
        node.input[:] = [wanted.get(name, name) for name in node.input]
        node.output[:] = [wanted.get(name, name) for name in node.output]


def _dequantised(values: np.ndarray, scale: float, zero: int) -> np.ndarray:
    if not scale:  # Not quantised.
        return values
    return np.asarray((values.astype(np.float32) - zero) * np.float32(scale))


def _arrays(outputs: dict[str, tf.Tensor]) -> signature.Outputs:
    return {name: value.numpy() for name, value in outputs.items()}
