"""Model runtime: opens an ONNX or TFLite file of others, to be run on the CPU.

Owns the two runtimes, and what a model file is to its users. A file that its runtime cannot read or
run is refused in one sentence, whatever that raises: it is not ours.
"""

import contextlib
import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from runtime import errors, untrusted

Run = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""A batch as the model takes it to its outputs by name."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelFile:
    """An opened model with one input.

    Attributes:
      path: of the file.
      runtime: what runs it, in words.
      shape: of its input, None where any number will do.
      dtype: of its input.
      quantization: scale and zero point of an integer input; (0, 0) where it has none.
      outputs: names of its outputs.
      run: the function that runs it.
    """

    path: pathlib.Path
    runtime: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]
    quantization: tuple[float, int] = (0.0, 0)
    outputs: tuple[str, ...]
    run: Run

    @property
    def takes_integers(self) -> bool:
        """Whether pixels are given to it as whole numbers, without a scale of its own."""
        return self.dtype.kind in "iu" and not self.quantization[0]

    def __call__(self, images: np.ndarray, *, output: str) -> np.ndarray:
        """Return an output for prepared images, float32[B, ...].

        Raises:
          errors.UserError: if the runtime cannot run the model on them.
        """
        return self.all_outputs(images)[output]

    def all_outputs(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Return every output by name for prepared images, float32[B, ...].

        Raises:
          errors.UserError: as above.
        """
        with refusing(self.path, to="run"):
            return {name: np.asarray(value) for name, value in self.run(self._cast(images)).items()}

    def _cast(self, images: np.ndarray) -> np.ndarray:
        scale, zero = self.quantization
        if scale:
            images = images / np.float32(scale) + zero
        if self.dtype.kind in "iu":
            limits = np.iinfo(self.dtype)
            images = np.clip(np.rint(images), limits.min, limits.max)
        return images.astype(self.dtype)


NEEDS = {".onnx": "onnxruntime", ".tflite": "ai_edge_litert"}
"""Endings of model files, and the packages that run them."""


@contextlib.contextmanager
def refusing(path: pathlib.Path, *, to: str) -> Iterator[None]:
    """Turn whatever a runtime raises in the block into one sentence about its file."""
    try:
        yield
    except (errors.UserError, MemoryError):
        raise
    except Exception as error:  # Runtimes have no common class, and document few of them.
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise errors.UserError(
            f"cannot {to} the model {path}: {untrusted.printable(lines[0]):.200}; download or "
            "export it again, or try another format (ONNX, TFLite, Keras)"
        ) from None


def open_onnx(path: pathlib.Path) -> ModelFile:
    import onnxruntime  # Inside: an extra.

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # Errors: it warns of every unused weight.
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    given = only_input(session.get_inputs(), path=path)
    outputs = tuple(output.name for output in session.get_outputs())
    return ModelFile(
        path=path,
        runtime=f"ONNX Runtime {onnxruntime.__version__}",
        shape=tuple(side if isinstance(side, int) else None for side in given.shape),
        dtype=input_dtype(_ONNX_TYPES.get(given.type, given.type), path=path),
        outputs=outputs,
        run=lambda batch: dict(
            zip(outputs, session.run(outputs, {given.name: batch}), strict=True)
        ),
    )


_ONNX_TYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
}


def open_tflite(path: pathlib.Path) -> ModelFile:
    import ai_edge_litert  # Inside: an extra.
    from ai_edge_litert import interpreter

    loaded = interpreter.Interpreter(model_path=str(path))
    given = only_input(loaded.get_input_details(), path=path)
    names = _tflite_outputs(loaded)
    signature = given.get("shape_signature", given["shape"])

    def run(batch: np.ndarray) -> dict[str, np.ndarray]:
        if tuple(loaded.get_input_details()[0]["shape"]) != batch.shape:
            loaded.resize_tensor_input(given["index"], batch.shape)
        loaded.allocate_tensors()
        loaded.set_tensor(given["index"], batch)
        loaded.invoke()
        return {
            names[each["index"]]: _dequantised(loaded.get_tensor(each["index"]), each)
            for each in loaded.get_output_details()
        }

    return ModelFile(
        path=path,
        runtime=f"LiteRT {ai_edge_litert.__version__}",
        shape=tuple(int(side) if side > 0 else None for side in signature),
        dtype=input_dtype(np.dtype(given["dtype"]).name, path=path),
        quantization=given["quantization"],
        outputs=tuple(names.values()),
        run=run,
    )


def _tflite_outputs(loaded: Any) -> dict[int, str]:
    """Return the names of the outputs by tensor: those of a signature, where there is just one."""
    signatures = list(loaded.get_signature_list())
    if len(signatures) == 1:
        details = loaded.get_signature_runner(signatures[0]).get_output_details()
        return {each["index"]: name for name, each in details.items()}
    return {each["index"]: each["name"] for each in loaded.get_output_details()}


def _dequantised(values: np.ndarray, details: Mapping[str, Any]) -> np.ndarray:
    scale, zero = details["quantization"]
    return (values.astype(np.float32) - zero) * np.float32(scale) if scale else values


def only_input(inputs: Sequence[Any], *, path: pathlib.Path) -> Any:
    if len(inputs) != 1:
        raise errors.UserError(
            f"{path} has {len(inputs)} inputs, and a model of faces must have one, images"
        )
    return inputs[0]


def input_dtype(name: str, *, path: pathlib.Path) -> np.dtype[Any]:
    known = (*_ONNX_TYPES.values(), "int8")
    if name not in known:
        raise errors.UserError(f"{path} takes {name:.40}, and images are {', '.join(known)}")
    return np.dtype(name)


OPENERS = {".onnx": open_onnx, ".tflite": open_tflite}
"""What opens a file, by its ending; to be called in `refusing`."""
