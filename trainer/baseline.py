"""The yardstick: a linear classifier on gray pixels, judged as the network is, which the network must beat.

Owns that classifier and its program. Logistic regression by L-BFGS draws nothing at random, so there is no seed to
set; a one-layer Keras model was rejected because its number would hang on a learning rate and an epoch count.
"""

import dataclasses
import pathlib
import warnings
from typing import TYPE_CHECKING

import numpy as np
from sklearn import exceptions, linear_model, pipeline, preprocessing

from runtime import atomic_file, errors, fields, flags
from trainer import config, dataset, metrics, quiet, report

if TYPE_CHECKING:
    from trainer import pictures

ABOUT = """Train a linear classifier on gray pixels of a published data set and judge it on validation.

  python -m trainer.baseline --data_dir=DIR"""

INVERSE_PENALTY = 1e-3
"""scikit-learn's C, chosen on FER2013's validation split (48 x 48). The default of 1 learns pixels by heart: 0.27
there after 2,400 pictures and 0.35 after 28,709, against 0.36 and 0.39; 1e-2 (both) and 1e-4 (2,400) were worse."""

MAX_ITERATIONS = 200

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Red, green and blue in gray (ITU-R BT.601, as JPEG has it)."""

_CHUNK = 1024


@dataclasses.dataclass(frozen=True, kw_only=True)
class Baseline:
    """What the yardstick is measured on, and how large it sees it."""

    data_dir: str | None = fields.field(
        None, f"folder that holds {config.DATASET}/", default_text="TFDS_DATA_DIR, else ~/tensorflow_datasets"
    )
    config_name: str | None = fields.field(
        None, "which build of the data set", default_text="the data set's own default, or the only one there"
    )
    image_size: int = fields.field(48, "side the crops are shrunk to", unit="pixels", at_least=1)
    output: str | None = fields.field(None, "JSON file to write the judgement to")

    def __post_init__(self) -> None:
        fields.check(self)


SECTIONS = {"Baseline": Baseline}


def main() -> None:
    """Measure as the flags say."""
    asked = Baseline(**flags.given(SECTIONS))
    version = find(asked)
    judgement = measure(version, image_size=asked.image_size)
    about = protocol(version, image_size=asked.image_size)
    if asked.output:
        atomic_file.replace(pathlib.Path(asked.output), content=report.to_json(judgement, protocol=about).encode())
    print(report.table(judgement))
    print(f"\nlinear classifier on {about['input']}: validation accuracy {judgement.accuracy:.3f}", flush=True)


def find(asked: Baseline) -> dataset.Version:
    """Open the data set asked for, and see that the answer has a place to go.

    Raises:
      errors.UserError: if the data set is not there, has nothing to train on or to judge by, or if the output is a
        folder.
    """
    if asked.output and pathlib.Path(asked.output).is_dir():
        way_out = pathlib.Path(asked.output) / "baseline.json"
        raise errors.UserError(f"--output must be a file: {asked.output} is a folder; give {way_out}")
    path = dataset.locate(config.Data(data_dir=asked.data_dir, config_name=asked.config_name))
    with quiet.chatter_off():
        version = dataset.open_version(path)
    for split in ("train", "validation"):
        dataset.check_split(version, split=split)
    return version


def measure(version: dataset.Version, *, image_size: int) -> metrics.Judgement:
    """Train on the train split and judge on the validation split; no setting follows from either.

    Raises:
      errors.UserError: if the train split has a single class.
    """
    with quiet.chatter_off():
        from trainer import pictures  # Inside: what `find` refuses must not wait for TensorFlow.
    train = pictures.read(version, split="train", size_px=image_size, cache="none")
    validation = pictures.read(version, split="validation", size_px=image_size, cache="none")
    classifier = fit(gray(train), labels=train.labels, class_names=version.class_names)
    probabilities = predict(classifier, pixels=gray(validation), num_classes=len(version.class_names))
    return metrics.judge(validation.labels, probabilities, class_names=version.class_names)


def protocol(version: dataset.Version, *, image_size: int) -> dict[str, str]:
    """Say what the judgement was measured on."""
    return {
        "model": f"logistic regression, C={INVERSE_PENALTY}, at most {MAX_ITERATIONS} steps of L-BFGS",
        "input": f"{image_size} x {image_size} gray pixels",
        "data": f"{version.name}, fingerprint {version.fingerprint}",
        "split": "validation",
        "trained on": f"train, {version.counts['train']:,} examples",
        "selection": "nothing on this data; C on FER2013's validation split",
    }


def gray(split: "pictures.Split") -> np.ndarray:
    """Return the pictures of a split as float32[N, S * S], gray in 0..255."""
    pixels = np.empty((split.num_examples, split.size_px**2), np.float32)
    for numbers in np.array_split(np.arange(len(pixels)), -(-len(pixels) // _CHUNK)):
        pixels[numbers] = (split.fetch(numbers).numpy() @ LUMA).reshape(len(numbers), -1)
    return pixels


def fit(pixels: np.ndarray, *, labels: np.ndarray, class_names: tuple[str, ...]) -> pipeline.Pipeline:
    """Fit the classifier. Standardises `pixels`, float32[N, P], in place: a second copy might not fit.

    Raises:
      errors.UserError: if all labels are the same.
    """
    if len(np.unique(labels)) < 2:
        only = class_names[labels[0]]
        raise errors.UserError(f"a classifier needs two classes: split train has {len(labels):,} x {only} alone")
    regression = linear_model.LogisticRegression(C=INVERSE_PENALTY, max_iter=MAX_ITERATIONS)
    classifier = pipeline.make_pipeline(preprocessing.StandardScaler(copy=False), regression)
    with warnings.catch_warnings():
        # The bound on its steps is part of what the yardstick is.
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
        return classifier.fit(pixels, labels)


def predict(classifier: pipeline.Pipeline, *, pixels: np.ndarray, num_classes: int) -> np.ndarray:
    """Return probabilities float64[N, C], 0 for a class that was not in training. Changes `pixels` in place."""
    probabilities = np.zeros((len(pixels), num_classes))
    probabilities[:, classifier.classes_] = classifier.predict_proba(pixels)
    return probabilities


if __name__ == "__main__":
    flags.define(SECTIONS)
    flags.run(main, sections=SECTIONS, about=ABOUT)
