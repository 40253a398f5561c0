"""Parity check: compares an exported model with the network that it was made from.

Owns the images they are compared on and the tolerance. The accuracy of the network is that of an
evaluation, on images of its own size; the export is given the stored crops, as its user has them.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from runtime import errors
from trainer.data import dataset_version, exact_resize, examples
from trainer.exporting import signature
from trainer.inference import trained_model
from trainer.models import views
from trainer.run import trained_run

TOLERANCE = 1e-4
"""Largest difference allowed between any output of an unquantised export and the network's."""

_MAX_EVALUATED = 2000
_BATCH = 32


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """Result of a comparison.

    Attributes:
      on: what it was made on, in words.
      largest: largest difference of any output.
      num_evaluated: number of examples that accuracy was measured on.
      exported_accuracy: of the export; None without data.
      network_accuracy: of the network; None without data.
    """

    on: str
    largest: float
    num_evaluated: int = 0
    exported_accuracy: float | None = None
    network_accuracy: float | None = None


def compare(
    exported: signature.Runner,
    *,
    members: Sequence[trained_model.Member],
    version: dataset_version.Version | None,
    fixed_size: bool,
) -> Comparison:
    """Run both on the same images.

    Args:
      exported: the file, opened again.
      members: the networks that it was made from, and their runs.
      version: the data set; None: compared on synthetic images, and no accuracy is measured.
      fixed_size: whether the export takes images of the network's size only.
    """
    run = members[0].run
    size_px = run.image_size if fixed_size else run.data.stored_size
    crops = examples.read(version, split="validation", size_px=size_px) if version else None
    if crops is None:
        kind = "synthetic images (the data set is not available)"
        sample = _synthetic(size_px)
    else:
        kind = "validation crops"
        sample = crops.fetch(np.arange(min(16, crops.num_examples))).numpy()
    batches = [sample] if fixed_size else list(_shapes(sample))
    runners = [network_runner(each.network, run=each.run) for each in members]
    largest = max(
        difference(exported(batch), _mean([each(batch) for each in runners])) for batch in batches
    )
    sizes = ", ".join(f"{batch.shape[1]} x {batch.shape[2]}" for batch in batches)
    on = f"{kind} of {sizes}"
    if version is None or crops is None:
        return Comparison(on=on, largest=largest)
    as_evaluated = [
        examples.read(version, split="validation", size_px=each.run.image_size) for each in members
    ]
    return Comparison(
        on=on,
        largest=largest,
        num_evaluated=len(_evaluated(crops)),
        exported_accuracy=accuracy([exported], splits=[crops]),
        network_accuracy=accuracy(runners, splits=as_evaluated),
    )


def network_runner(network: keras.Model, *, run: trained_run.Run) -> signature.Runner:
    """Return the function that runs the network itself on crops of any size."""

    def outputs(crops: np.ndarray) -> signature.Outputs:
        resized = exact_resize.resize(
            tf.constant(crops), size_px=run.image_size, by_eighths=run.data.encoding == "jpeg"
        )
        means = views.mean_outputs(network, resized, views=trained_model.views(run))
        return {name: value.numpy() for name, value in means.items()}

    return outputs


def check(comparison: Comparison, *, path: object) -> None:
    """Refuse an unquantised export whose outputs differ from the network's.

    Raises:
      errors.UserError: if an output differs by more than TOLERANCE.
    """
    if not comparison.largest <= TOLERANCE:
        raise errors.UserError(
            f"an export may differ from its network by {TOLERANCE:g}: {path} differs by "
            f"{comparison.largest:.2g} on {comparison.on}, and is not kept; another --format may "
            "do better"
        )


def difference(outputs: signature.Outputs, wanted: signature.Outputs) -> float:
    """Return the largest difference of any output; infinite where names, shapes or NaNs differ."""
    if outputs.keys() != wanted.keys():
        return float("inf")
    if any(outputs[name].shape != wanted[name].shape for name in wanted):
        return float("inf")
    return max(
        float(np.nan_to_num(np.abs(outputs[name] - wanted[name]), nan=np.inf).max())
        for name in wanted
    )


def accuracy(runners: Sequence[signature.Runner], *, splits: Sequence[examples.Split]) -> float:
    """Return the fraction of a split's examples whose most probable class is correct.

    Args:
      runners: whose outputs are averaged.
      splits: the same split at the size of each of them.
    """
    positions = _evaluated(splits[0])
    num_correct = 0
    for batch in np.split(positions, range(_BATCH, len(positions), _BATCH)):
        outputs = [
            run(split.fetch(batch).numpy()) for run, split in zip(runners, splits, strict=True)
        ]
        probs = _mean(outputs)[signature.PROBABILITIES]
        num_correct += int((probs.argmax(axis=1) == splits[0].labels[batch]).sum())
    return num_correct / len(positions)


def _mean(outputs: Sequence[signature.Outputs]) -> signature.Outputs:
    return {name: np.mean([each[name] for each in outputs], axis=0) for name in outputs[0]}


def _evaluated(split: examples.Split) -> np.ndarray:
    """Return the positions of the examples that are evaluated: all, or 2,000 evenly spaced."""
    count = split.num_examples
    positions = np.linspace(0, count - 1, min(count, _MAX_EVALUATED))
    return np.asarray(positions.round(), np.int64)


def _shapes(sample: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the images as they are, and parts of them in other shapes and batch sizes."""
    side = sample.shape[1]
    yield sample
    yield sample[:3, :, : max(1, side // 2)]
    yield sample[:1, : max(1, side * 3 // 4)]


def _synthetic(size_px: int) -> np.ndarray:
    """Return uint8[16, S, S, 3], smooth as photographs are."""
    coarse = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3))
    smooth = tf.image.resize(coarse, (size_px, size_px), "bicubic").numpy()
    return np.asarray(smooth.clip(0, 255), np.uint8)
