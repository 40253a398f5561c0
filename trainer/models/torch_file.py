"""PyTorch's files of weights: reads a state dict without PyTorch, and without running anything.

Owns the format that torch.save wrote before version 1.6 (`torch.serialization`, _legacy_load): a
few pickles, the last of which name the tensors' storages, and then the bytes of these. Only what a
state dict of plain tensors needs is unpickled; even so a pickle can take any memory and time, so
callers read files that they know. PyTorch itself was rejected: it is ten times larger than all the
weights it would be installed for.
"""

import collections
import io
import math
import pickle
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_TYPES = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
}


class _Storage(NamedTuple):
    """Values of tensors, which follow in the file."""

    key: str
    kind: np.dtype
    num_values: int


class _Tensor(NamedTuple):
    """A view of a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read(content: bytes) -> dict[str, np.ndarray]:
    """Return the tensors of a state dict by name, in the order of the network's modules.

    Args:
      content: of a file whose origin is known.

    Raises:
      ValueError: saying what is wrong, if it is no such state dict, or is cut off.
    """
    with io.BytesIO(content) as file:
        try:
            if _unpickled(file) != _MAGIC or _unpickled(file) != _PROTOCOL:
                raise ValueError("it is no file of torch.save before version 1.6")
            _unpickled(file)  # Sizes of C's types where it was written.
            tensors, keys = _unpickled(file), _unpickled(file)
        except (pickle.UnpicklingError, EOFError, AttributeError, TypeError, KeyError) as error:
            raise ValueError(f"it is no state dict of PyTorch ({error})") from None
        if not isinstance(tensors, dict) or not isinstance(keys, list):
            raise ValueError("it is no state dict of PyTorch")
        if not all(isinstance(tensor, _Tensor) for tensor in tensors.values()):
            raise ValueError("it holds something else than tensors")
        storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
        values = {key: _values(file, storages.get(key)) for key in keys}
    return {name: _array(tensor, values=values) for name, tensor in tensors.items()}


def _values(file: BinaryIO, storage: _Storage | None) -> np.ndarray:
    num_values = int.from_bytes(file.read(8), "little")
    if storage is None or num_values != storage.num_values:
        raise ValueError("its storages are not those of its tensors")
    content = file.read(num_values * storage.kind.itemsize)
    if len(content) < num_values * storage.kind.itemsize:
        raise ValueError("it is cut off")
    return np.frombuffer(content, storage.kind)


def _array(tensor: _Tensor, *, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return a tensor: a view of its storage, which may have its axes in another order."""
    found = values.get(tensor.storage.key)
    if found is None:
        raise ValueError("its storages are not those of its tensors")
    sizes = [tensor.offset, *tensor.shape, *tensor.strides]
    if len(tensor.shape) != len(tensor.strides) or not all(_is_size(size) for size in sizes):
        raise ValueError("a tensor has no shape")
    last = sum((size - 1) * step for size, step in zip(tensor.shape, tensor.strides, strict=True))
    # Steps of 0 would make a small storage a tensor of any size.
    if math.prod(tensor.shape) > len(found) or tensor.offset + last >= len(found):
        raise ValueError("a tensor reaches beyond its storage")
    strides = [step * found.itemsize for step in tensor.strides]
    return np.lib.stride_tricks.as_strided(
        found[tensor.offset :], tensor.shape, strides, writeable=False
    )


def _is_size(value: object) -> bool:
    return isinstance(value, int) and value >= 0


def _unpickled(file: BinaryIO) -> Any:
    return _Unpickler(file).load()


class _Unpickler(pickle.Unpickler):
    """Unpickle numbers, text, mappings and tensors, and nothing that could run."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if module == "torch" and name in _TYPES:
            return _TYPES[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        what, kind, key, _, num_values, view = pid
        if what != "storage" or view is not None or not isinstance(kind, np.dtype):
            raise pickle.UnpicklingError("its storages are of an unknown kind")
        return _Storage(key, kind, num_values)


def _rebuild(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> _Tensor:
    return _Tensor(storage, offset, tuple(shape), tuple(strides))
