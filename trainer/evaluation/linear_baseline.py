"""Linear baseline: multinomial logistic regression on gray pixels, evaluated as a network is."""

import warnings
from typing import TYPE_CHECKING

import numpy as np
from sklearn import exceptions, linear_model, pipeline, preprocessing

from runtime import errors
from trainer.data import dataset_version
from trainer.distributed import tf_logging
from trainer.evaluation import metrics

if TYPE_CHECKING:
    from trainer.data import examples

INVERSE_PENALTY = 1e-3
"""scikit-learn's C, chosen on FER2013's validation split (48 x 48). The default of 1 learns pixels
by heart: 0.27 there after 2,400 pictures and 0.35 after 28,709, against 0.36 and 0.39; 1e-2 (both)
and 1e-4 (2,400) were worse."""


MAX_ITERATIONS = 200


LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Red, green and blue in gray (ITU-R BT.601, as JPEG has it)."""


_CHUNK = 1024


def measure(version: dataset_version.Version, *, image_size: int) -> metrics.ClassificationMetrics:
    """Train on the train split and judge on the validation split; no setting follows from either.

    Raises:
      errors.UserError: if the train split has a single class.
    """
    with tf_logging.chatter_off():
        # Inside: what `find` refuses must not wait for TensorFlow.
        from trainer.data import examples
    train = examples.read(version, split="train", size_px=image_size, cache="none")
    validation = examples.read(version, split="validation", size_px=image_size, cache="none")
    classifier = fit(gray(train), labels=train.labels, class_names=version.class_names)
    probabilities = predict(
        classifier, pixels=gray(validation), num_classes=len(version.class_names)
    )
    return metrics.evaluate(validation.labels, probabilities, class_names=version.class_names)


def protocol(version: dataset_version.Version, *, image_size: int) -> dict[str, str]:
    """Say what the judgement was measured on."""
    return {
        "model": f"logistic regression, C={INVERSE_PENALTY}, at most {MAX_ITERATIONS} steps of L-BFGS",
        "input": f"{image_size} x {image_size} gray pixels",
        "data": f"{version.name}, fingerprint {version.fingerprint}",
        "split": "validation",
        "trained on": f"train, {version.counts['train']:,} examples",
        "selection": "nothing on this data; C on FER2013's validation split",
    }


def gray(split: "examples.Split") -> np.ndarray:
    """Return the pictures of a split as float32[N, S * S], gray in 0..255."""
    pixels = np.empty((split.num_examples, split.size_px**2), np.float32)
    for numbers in np.array_split(np.arange(len(pixels)), -(-len(pixels) // _CHUNK)):
        pixels[numbers] = (split.fetch(numbers).numpy() @ LUMA).reshape(len(numbers), -1)
    return pixels


def fit(
    pixels: np.ndarray, *, labels: np.ndarray, class_names: tuple[str, ...]
) -> pipeline.Pipeline:
    """Fit the classifier. Standardises `pixels`, float32[N, P], in place: a second copy might not
    fit.

    Raises:
      errors.UserError: if all labels are the same.
    """
    if len(np.unique(labels)) < 2:
        only = class_names[labels[0]]
        raise errors.UserError(
            f"a classifier needs two classes: split train has {len(labels):,} x {only} alone"
        )
    regression = linear_model.LogisticRegression(C=INVERSE_PENALTY, max_iter=MAX_ITERATIONS)
    classifier = pipeline.make_pipeline(preprocessing.StandardScaler(copy=False), regression)
    with warnings.catch_warnings():
        # The bound on its steps is part of what the yardstick is.
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
        return classifier.fit(pixels, labels)


def predict(classifier: pipeline.Pipeline, *, pixels: np.ndarray, num_classes: int) -> np.ndarray:
    """Return probabilities float64[N, C], 0 for a class that was not in training. Changes `pixels`
    in place."""
    probabilities = np.zeros((len(pixels), num_classes))
    probabilities[:, classifier.classes_] = classifier.predict_proba(pixels)
    return probabilities
