"""ONNX files: writes a model with named axes, and what a person who finds the file alone must know.

Owns the opset and the file's own description: producer, version, texts of the model and of its
input and outputs, class names and crop settings. A JSON file beside it was rejected: model
registries and servers keep the one file.
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from runtime import installation
from trainer.exporting import signature

if TYPE_CHECKING:  # An extra.
    import onnx

OPSET = 18
"""The newest that tf2onnx writes; ONNX Runtime reads it since 1.14."""

CLASS_NAMES = "class_names"
_INPUT_AXES = ("batch", "height", "width")


@dataclasses.dataclass(frozen=True, kw_only=True)
class About:
    """What the file says of its model.

    Attributes:
      text: one sentence or more.
      version: of the model: the epoch that its weights are from, of several the last.
      facts: further metadata by name.
    """

    text: str = "Classifier of facial expressions."
    version: int = 1
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)


def write(model: keras.Model, *, path: pathlib.Path, about: About) -> None:
    """Write a model made by `signature.of_members`."""
    import onnx  # Inside: an extra.

    _embed_constants(model)
    # Keras exports the function that was called last.
    model(np.zeros((1, 8, 8, 3), np.uint8), training=False)
    model.export(path, format="onnx", verbose=False, opset_version=OPSET)
    exported = onnx.load(path)
    _rename_outputs(exported.graph, names=sorted(model.output))
    _describe(exported, about=about, class_names=signature.class_names(model))
    onnx.checker.check_model(exported)
    onnx.save(exported, path)


def _embed_constants(model: keras.Model) -> None:
    """Make the fixed mean and variance of Normalization part of the graph.

    tf2onnx would make eager tensors inputs.
    """
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.mean = np.asarray(layer.mean)
            layer.variance = np.asarray(layer.variance)


def _rename_outputs(graph: Any, *, names: Sequence[str]) -> None:
    """Rename a graph's outputs, which are in the order of the sorted names."""
    wanted = {output.name: name for output, name in zip(graph.output, names, strict=True)}
    for output in graph.output:
        output.name = wanted[output.name]
    for node in graph.node:
        node.input[:] = [wanted.get(name, name) for name in node.input]
        node.output[:] = [wanted.get(name, name) for name in node.output]


def _describe(exported: "onnx.ModelProto", *, about: About, class_names: Sequence[str]) -> None:
    exported.producer_name = installation.NAME
    exported.producer_version = installation.version()
    exported.model_version = about.version
    exported.doc_string = exported.graph.doc_string = about.text
    (crops,) = exported.graph.input
    crops.doc_string = "faces, cropped as the model card says: uint8 RGB of any size, 0..255"
    _name_axes(crops, names=_INPUT_AXES)
    for output in exported.graph.output:
        _name_axes(output, names=_INPUT_AXES[:1])
        if output.name == signature.PROBABILITIES:
            output.doc_string = f"in the order {', '.join(class_names)}; they sum to 1"
    for key, value in {CLASS_NAMES: json.dumps(list(class_names)), **about.facts}.items():
        exported.metadata_props.add(key=key, value=value)


def _name_axes(value: Any, *, names: Sequence[str]) -> None:
    for axis, name in zip(value.type.tensor_type.shape.dim, names, strict=False):
        axis.dim_param = name
