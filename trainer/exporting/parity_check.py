"""An exported model beside the network it was made from: the largest difference, and what each gets
right.

Owns the pictures they are compared on and the rule for how far apart they may be. The two
accuracies differ in one more thing on purpose: the network judges pictures as training decodes
them, the export the crops that its user has.
"""

import dataclasses
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from runtime import errors
from trainer.data import dataset_version, examples
from trainer.inference import outputs as outputs_lib
from trainer.inference import reference_runner
from trainer.run import trained_run

TOLERANCE = 1e-4
"""How far any output of an unquantised export may be from the network's."""

_MOST_JUDGED = 2000
_BATCH = 32


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """What was compared, how far apart it was, and what share of examples each gets right (None
    without data)."""

    on: str
    largest: float
    num_judged: int = 0
    exported_accuracy: float | None = None
    network_accuracy: float | None = None


def compare(
    exported: outputs_lib.Runner,
    *,
    network: keras.Model,
    run: trained_run.Run,
    version: dataset_version.Version | None,
    fixed_size: bool,
) -> Comparison:
    """Run both on the same pictures.

    Args:
      exported: the file, opened again.
      network: what it was made from.
      run: whose network.
      version: the data set; None: compared on made-up pictures, and nothing is judged.
      fixed_size: whether the export takes pictures of the network's size only.
    """
    size = run.image_size if fixed_size else run.data.stored_size
    crops = examples.read(version, split="validation", size_px=size) if version else None
    sample = (
        _made_up(size)
        if crops is None
        else crops.fetch(np.arange(min(16, crops.num_examples))).numpy()
    )
    batches = [sample] if fixed_size else list(_shapes(sample))
    largest = max(
        difference(exported(batch), reference_runner.original(network, run=run)(batch))
        for batch in batches
    )
    kind = "made-up pictures (the data set is not here)" if crops is None else "validation crops"
    sizes = ", ".join(f"{batch.shape[1]} x {batch.shape[2]}" for batch in batches)
    if version is None or crops is None:
        return Comparison(on=f"{kind} of {sizes}", largest=largest)
    seen = examples.read(version, split="validation", size_px=run.image_size)
    return Comparison(
        on=f"{kind} of {sizes}",
        largest=largest,
        num_judged=len(_judged(crops)),
        exported_accuracy=accuracy(exported, split=crops),
        network_accuracy=accuracy(reference_runner.original(network, run=run), split=seen),
    )


def check(comparison: Comparison, *, path: object) -> None:
    """Refuse an unquantised export that does not do what the network does.

    Raises:
      errors.UserError: if an output differs by more than TOLERANCE.
    """
    if not comparison.largest <= TOLERANCE:
        raise errors.UserError(
            f"an export may differ from its network by {TOLERANCE:g}: {path} differs by {comparison.largest:.2g} on "
            f"{comparison.on}, and is not kept; another --format may do better"
        )


def difference(one: outputs_lib.Outputs, other: outputs_lib.Outputs) -> float:
    """Return the largest difference of any output; infinite where names, shapes or NaNs differ."""
    if one.keys() != other.keys() or any(one[name].shape != other[name].shape for name in one):
        return float("inf")
    return max(
        float(np.nan_to_num(np.abs(one[name] - other[name]), nan=np.inf).max()) for name in one
    )


def accuracy(run: Callable[[np.ndarray], outputs_lib.Outputs], *, split: examples.Split) -> float:
    """Return the share of a split's examples whose most probable class is the right one."""
    numbers = _judged(split)
    right = 0
    for batch in np.split(numbers, range(_BATCH, len(numbers), _BATCH)):
        probs = run(split.fetch(batch).numpy())[outputs_lib.PROBABILITIES]
        right += int((probs.argmax(axis=1) == split.labels[batch]).sum())
    return right / len(numbers)


def _judged(split: examples.Split) -> np.ndarray:
    """Return the numbers of the examples that are judged: all, or 2,000 evenly spaced."""
    count = split.num_examples
    return np.linspace(0, count - 1, min(count, _MOST_JUDGED)).round().astype(np.int64)


def _shapes(sample: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the pictures as they are, and parts of them in other shapes and numbers."""
    side = sample.shape[1]
    yield sample
    yield sample[:3, :, : max(1, side // 2)]
    yield sample[:1, : max(1, side * 3 // 4)]


def _made_up(size_px: int) -> np.ndarray:
    """Return uint8[16, S, S, 3], smooth as photographs are."""
    coarse = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3))
    return tf.cast(
        tf.clip_by_value(tf.image.resize(coarse, (size_px, size_px), "bicubic"), 0, 255), tf.uint8
    ).numpy()
