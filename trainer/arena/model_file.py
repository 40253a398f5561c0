"""Model file: an ONNX, TFLite or Keras file of others, opened to be run on the CPU.

Owns the runtimes. No file can run code of its own: pickles, SavedModels and PyTorch files are not
read, and neither are Keras files that hold Python code or name a class outside Keras. A file that
its runtime cannot read or run is refused in one sentence, whatever that raises: it is not ours.
"""

import contextlib
import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from runtime import errors, installation, untrusted
from trainer.arena import keras_file

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
        with refusing(self.path, to="run"):
            return np.asarray(self.run(self._cast(images))[output])

    def _cast(self, images: np.ndarray) -> np.ndarray:
        scale, zero = self.quantization
        if scale:
            images = images / np.float32(scale) + zero
        if self.dtype.kind in "iu":
            limits = np.iinfo(self.dtype)
            images = np.clip(np.rint(images), limits.min, limits.max)
        return images.astype(self.dtype)


_NEEDS = {".onnx": "onnxruntime", ".tflite": "ai_edge_litert"}
ENDINGS = (".onnx", ".tflite", ".keras", ".h5", ".hdf5")


def check(path: pathlib.Path) -> None:
    """Check the kind of a file and that what runs it is installed, without opening it.

    Raises:
      errors.UserError: if it is of no known kind, or a package is missing.
      OSError: if it is missing, or no regular file.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise errors.UserError(
            f"--model_file must end in {', '.join(ENDINGS)}: got {path}; convert the model to "
            "ONNX, or give its probabilities as --predictions"
        )
    untrusted.check(path, at_most=untrusted.WEIGHTS_BYTES)
    if ending in _NEEDS:
        installation.require(_NEEDS[ending], what=f"a model file that ends in {ending}")


def open_file(path: pathlib.Path) -> ModelFile:
    """Open a model.

    Raises:
      errors.UserError: if it cannot be read, or takes something else than one tensor of images.
    """
    openers = {".onnx": _open_onnx, ".tflite": _open_tflite}
    with refusing(path, to="read"):
        return openers.get(path.suffix.lower(), _open_keras)(path)


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


def _open_onnx(path: pathlib.Path) -> ModelFile:
    import onnxruntime  # Inside: an extra.

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # Errors: it warns of every unused weight.
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    given = _only(session.get_inputs(), path=path)
    outputs = tuple(output.name for output in session.get_outputs())
    return ModelFile(
        path=path,
        runtime=f"ONNX Runtime {onnxruntime.__version__}",
        shape=tuple(side if isinstance(side, int) else None for side in given.shape),
        dtype=_dtype(_ONNX_TYPES.get(given.type, given.type), path=path),
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


def _open_tflite(path: pathlib.Path) -> ModelFile:
    import ai_edge_litert  # Inside: an extra.
    from ai_edge_litert import interpreter

    loaded = interpreter.Interpreter(model_path=str(path))
    given = _only(loaded.get_input_details(), path=path)
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
        dtype=_dtype(np.dtype(given["dtype"]).name, path=path),
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


def _open_keras(path: pathlib.Path) -> ModelFile:
    loaded = keras_file.load(path)
    given = _only(loaded.inputs, path=path)
    return ModelFile(
        path=path,
        runtime=loaded.runtime,
        shape=tuple(given.shape),
        dtype=_dtype(given.dtype, path=path),
        outputs=loaded.outputs,
        run=loaded.run,
    )


def _only(inputs: Sequence[Any], *, path: pathlib.Path) -> Any:
    if len(inputs) != 1:
        raise errors.UserError(
            f"{path} has {len(inputs)} inputs, and a model that is evaluated must have one, images"
        )
    return inputs[0]


def _dtype(name: str, *, path: pathlib.Path) -> np.dtype[Any]:
    known = (*_ONNX_TYPES.values(), "int8")
    if name not in known:
        raise errors.UserError(f"{path} takes {name:.40}, and images are {', '.join(known)}")
    return np.dtype(name)
