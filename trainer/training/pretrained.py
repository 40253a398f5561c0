"""Weights to start from, out of a local file.

Owns the files that are understood and the way from their layers to ours. Files of
keras.applications are read by Keras itself into the architecture as Keras builds it, and copied
layer by layer from there: our version has other layers of normalisation and dropout, which hold the
same numbers. Heads are never copied.
"""

import pathlib
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from runtime import errors
from trainer.config import model_config
from trainer.run import checkpoint

if TYPE_CHECKING:
    import keras

_SUFFIXES = (".h5", ".keras", ".npz")


def check(model: model_config.Model) -> None:
    """Refuse a file that is not there or of no kind that is understood, before TensorFlow is
    imported."""
    path = pathlib.Path(model.weights)
    if not model.is_pretrained:
        return
    if not path.is_file():
        raise errors.UserError(
            f"--weights={path} is not there: name a local file, or none; nothing is downloaded"
        )
    kinds = _SUFFIXES if model.model in model_config.BACKBONES else (".npz",)
    if path.suffix not in kinds:
        raise errors.UserError(
            f"--weights of --model={model.model} must be a file in {' or '.join(kinds)}: got {path}"
        )


def load(network: "keras.Model", *, model: model_config.Model, image_size: int) -> None:
    """Give all layers but the heads the weights of the file that is named, if any.

    Raises:
      errors.UserError: if the file is damaged or holds another network.
    """
    if not model.is_pretrained:
        return
    # Inside, as all that imports Keras here: `check` must not wait for it.
    from trainer.models import factory

    path = pathlib.Path(model.weights)
    layers = [layer for layer in factory.backbone_layers(network) if layer.weights]
    try:
        with warnings.catch_warnings():
            # Keras' warning that it leaves layers as they were drawn: half a network of weights is
            # none.
            warnings.filterwarnings("error", message="Skipping nested container")
            found = (
                _ours(path, layers=layers)
                if path.suffix == ".npz"
                else _theirs(path, model=model, size=image_size)
            )
        _copy(found, layers=layers)
    except (*checkpoint.DAMAGED, UserWarning) as error:
        raise errors.UserError(
            f"--weights={path} does not fit --model={model.model}: {_first_line(error)}"
        ) from None


def _ours(path: pathlib.Path, *, layers: Sequence["keras.layers.Layer"]) -> list[list[np.ndarray]]:
    """Return each layer's arrays out of the best weights of a run, which are named
    weight/<number>/<path>."""
    arrays, _ = checkpoint.read(path)
    by_path = {name.split("/", 2)[-1]: array for name, array in arrays.items()}
    paths = [[variable.path for variable in layer.weights] for layer in layers]
    for path_there in (each for of_layer in paths for each in of_layer if each not in by_path):
        raise ValueError(f"it has no {path_there}")
    return [[by_path[each] for each in of_layer] for of_layer in paths]


def _theirs(path: pathlib.Path, *, model: model_config.Model, size: int) -> list[list[np.ndarray]]:
    """Return the arrays of every layer that has any out of a file of Keras, with or without its
    classifier."""
    import keras

    from trainer.models import keras_backbones

    if path.suffix == ".keras":
        return _arrays(keras.models.load_model(path, compile=False))
    try:
        without = keras_backbones.original(model.model, image_size=size, include_top=False)
        without.load_weights(path)
        return _arrays(without)
    except (*checkpoint.DAMAGED, UserWarning) as error:
        whole = keras_backbones.original(model.model, image_size=size, include_top=True)
        try:
            whole.load_weights(path)
        except (*checkpoint.DAMAGED, UserWarning):
            raise error from None
        return _arrays(whole)


def _arrays(network: "keras.Model") -> list[list[np.ndarray]]:
    return [layer.get_weights() for layer in network.layers if layer.weights]


def _copy(found: Sequence[list[np.ndarray]], *, layers: Sequence["keras.layers.Layer"]) -> None:
    """Give layers their arrays, in order; what a file has beyond them is its classifier."""
    if len(found) < len(layers):
        raise ValueError(
            f"it has weights of {len(found)} layers, and the architecture has {len(layers)}"
        )
    for layer, arrays in zip(layers, found, strict=False):
        there, wanted = (
            [array.shape for array in arrays],
            [tuple(variable.shape) for variable in layer.weights],
        )
        if there != wanted:
            raise ValueError(f"{layer.name} has shapes {wanted}, and in the file {there}")
        layer.set_weights(arrays)


def _first_line(error: BaseException) -> str:
    return " ".join(str(error).split("\n")[0].split())[:200] or type(error).__name__
