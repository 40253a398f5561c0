"""Keras file of others (.keras, .h5): checked for code, then loaded in safe mode.

Owns the check. Keras' safe mode refuses Lambda layers in .keras files; older formats, and what is
nested in other layers, have been ways around it, so that the configuration is searched first, in
both formats alike: no Lambda, no function with code in it, no class from outside Keras and ours.
"""

import dataclasses
import json
import pathlib
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from runtime import errors, untrusted

_CODE = ("Lambda", "__lambda__", "__bytes__")
"""Class names under which Keras stores Python code."""

_PARTS = (
    "activations",
    "constraints",
    "dtype_policies",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "quantizers",
    "random",
    "regularizers",
)
"""Parts of Keras whose classes and functions compute, and open no files and no connections."""

_OURS = "trainer."
_CONFIG = "config.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Loaded:
    """A loaded model: its input tensors, the names of its outputs, and how it is run."""

    runtime: str
    inputs: Sequence[Any]
    outputs: tuple[str, ...]
    run: Callable[[np.ndarray], Mapping[str, np.ndarray]]


def load(path: pathlib.Path) -> Loaded:
    """Load a model.

    Raises:
      errors.UserError: if it holds code, or says nothing of its input.
      Exception: whatever Keras and h5py raise for damaged files.
    """
    _refuse_code(_config(path), path=path)
    import keras  # Inside: damaged files and code are refused without it.
    import tensorflow as tf

    from trainer.exporting import signature  # It registers the layers of our own exports.

    assert signature.REGISTERED
    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    if not getattr(model, "inputs", None):
        raise errors.UserError(f"{path} does not say what its input is: save a functional model")
    compiled = tf.function(lambda batch: model(batch, training=False), reduce_retracing=True)
    names = _output_names(model)
    return Loaded(
        runtime=f"Keras {keras.__version__}",
        inputs=model.inputs,
        outputs=tuple(names),
        run=lambda batch: {
            name: each.numpy()
            for name, each in zip(names, _flat(compiled(tf.constant(batch))), strict=True)
        },
    )


def _config(path: pathlib.Path) -> Any:
    """Return the configuration of a model, without Keras."""
    if path.suffix.lower() == ".keras":
        with zipfile.ZipFile(path) as archive, archive.open(_CONFIG) as file:
            return untrusted.parse_json(file.read(untrusted.JSON_BYTES))
    import h5py  # Inside: Keras brings it.

    with h5py.File(path, "r") as file:
        stored = file.attrs.get("model_config")
    if stored is None:
        raise errors.UserError(
            f"{path} holds weights alone, and no model: save it as a whole (model.save)"
        )
    return json.loads(stored)


def _refuse_code(config: Any, *, path: pathlib.Path) -> None:
    for each in _objects(config):
        name, module = each.get("class_name"), each.get("module")
        if name in _CODE:
            raise errors.UserError(
                f"{path} holds Python code ({name}), which is never run here: export the model to "
                "ONNX or TFLite, or give its probabilities as --predictions"
            )
        if module is not None and not _is_known(str(module), name=str(name)):
            raise errors.UserError(
                f"{path} needs {module}.{name}, and only layers of Keras are loaded: export "
                "the model to ONNX or TFLite"
            )


def _is_known(module: str, *, name: str) -> bool:
    if module == "builtins":
        return name == "function"  # Of Keras, by its name.
    package, *parts = [part for part in module.split(".") if part != "src"]
    return module.startswith(_OURS) or (package == "keras" and (not parts or parts[0] in _PARTS))


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object that a JSON value holds, itself included."""
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value:
        if isinstance(each, (dict, list)):
            yield from _objects(each)


def _output_names(model: Any) -> list[str]:
    if isinstance(model.output, dict):
        return sorted(model.output)
    return list(model.output_names)


def _flat(outputs: Any) -> list[Any]:
    """Return the outputs in the order of `_output_names`."""
    if isinstance(outputs, dict):
        return [outputs[name] for name in sorted(outputs)]
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
