"""Model file: an ONNX, TFLite or Keras file of others, opened to be run on the CPU.

Owns the runtimes. No file can run code of its own: pickles, SavedModels and PyTorch files are not
read, and neither are Keras files that hold Python code or name a class outside Keras. A file that
its runtime cannot read or run is refused in one sentence, whatever that raises: it is not ours.
"""

import pathlib

from runtime import errors, installation, untrusted
from trainer.arena import keras_file
from trainer.inference import model_runtime
from trainer.inference.model_runtime import ModelFile

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
    if ending in model_runtime.NEEDS:
        installation.require(
            model_runtime.NEEDS[ending], what=f"a model file that ends in {ending}"
        )


def open_file(path: pathlib.Path) -> ModelFile:
    """Open a model.

    Raises:
      errors.UserError: if it cannot be read, or takes something else than one tensor of images.
    """
    with model_runtime.refusing(path, to="read"):
        return model_runtime.OPENERS.get(path.suffix.lower(), _open_keras)(path)


def _open_keras(path: pathlib.Path) -> ModelFile:
    loaded = keras_file.load(path)
    given = model_runtime.only_input(loaded.inputs, path=path)
    return ModelFile(
        path=path,
        runtime=loaded.runtime,
        shape=tuple(given.shape),
        dtype=model_runtime.input_dtype(given.dtype, path=path),
        outputs=loaded.outputs,
        run=loaded.run,
    )
