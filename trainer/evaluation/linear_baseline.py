"""Linear baseline: multinomial logistic regression on gray pixels, evaluated as a network is.

Owns the classifier that a network must beat. L-BFGS draws no random numbers, so that there is no
seed; a one-layer Keras model was rejected because its accuracy would depend on a learning rate and
a number of epochs.
"""

import warnings
from typing import TYPE_CHECKING

import numpy as np
from sklearn import exceptions, linear_model, pipeline, preprocessing

from affectnet_tfds import luma
from runtime import errors
from trainer.data import dataset_version
from trainer.distributed import tf_logging
from trainer.evaluation import metrics

if TYPE_CHECKING:
    from trainer.data import examples

INVERSE_PENALTY = 1e-3
"""scikit-learn's C, chosen on FER2013's validation split (48 x 48). The default of 1 overfits: 0.27
there after 2,400 images and 0.35 after 28,709, against 0.36 and 0.39; 1e-2 (both) and 1e-4 (2,400)
were worse."""

MAX_ITERATIONS = 200

_CHUNK = 1024
"""Images decoded at a time."""


def measure(version: dataset_version.Version, *, image_size: int) -> metrics.ClassificationMetrics:
    """Train on the train split and evaluate on the validation split; neither tunes anything.

    Raises:
      errors.UserError: if the train split has a single class.
    """
    with tf_logging.chatter_off():
        # Inside: refusals in trainer.baseline must not wait for TensorFlow.
        from trainer.data import examples
    class_names = version.class_names
    train = examples.read(version, split="train", size_px=image_size, cache="none")
    validation = examples.read(version, split="validation", size_px=image_size, cache="none")
    classifier = fit(gray(train), labels=train.labels, class_names=class_names)
    probabilities = predict(classifier, pixels=gray(validation), num_classes=len(class_names))
    return metrics.evaluate(validation.labels, probabilities, class_names=class_names)


def protocol(version: dataset_version.Version, *, image_size: int) -> dict[str, str]:
    """Describe the model, its data and its selection."""
    steps = f"at most {MAX_ITERATIONS} steps of L-BFGS"
    return {
        "model": f"logistic regression, C={INVERSE_PENALTY}, {steps}",
        "input": f"{image_size} x {image_size} gray pixels",
        "data": f"{version.name}, fingerprint {version.fingerprint}",
        "split": "validation",
        "trained on": f"train, {version.counts['train']:,} examples",
        "selection": "nothing on this data; C on FER2013's validation split",
    }


def gray(split: "examples.Split") -> np.ndarray:
    """Return the images of a split as float32[N, S * S], gray in 0..255."""
    pixels = np.empty((split.num_examples, split.size_px**2), np.float32)
    weights = np.array(luma.LUMA, np.float32)
    num_chunks = -(-len(pixels) // _CHUNK)
    for rows in np.array_split(np.arange(len(pixels)), num_chunks):
        pixels[rows] = (split.fetch(rows).numpy() @ weights).reshape(len(rows), -1)
    return pixels


def fit(
    pixels: np.ndarray, *, labels: np.ndarray, class_names: tuple[str, ...]
) -> pipeline.Pipeline:
    """Fit the classifier on float32[N, P] pixels.

    `pixels` are standardised in place, because a second copy might not fit into memory.

    Raises:
      errors.UserError: if all labels are the same.
    """
    if len(np.unique(labels)) < 2:
        only = class_names[labels[0]]
        raise errors.UserError(
            f"a classifier needs two classes: split train has {len(labels):,} x {only} alone; "
            "name a build with more (--config_name)"
        )
    regression = linear_model.LogisticRegression(C=INVERSE_PENALTY, max_iter=MAX_ITERATIONS)
    classifier = pipeline.make_pipeline(preprocessing.StandardScaler(copy=False), regression)
    with warnings.catch_warnings():
        # The bound on the number of steps is part of the baseline's definition.
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
        return classifier.fit(pixels, labels)


def predict(classifier: pipeline.Pipeline, *, pixels: np.ndarray, num_classes: int) -> np.ndarray:
    """Return float64[N, C] probabilities, 0 for classes without training examples.

    `pixels` are standardised in place.
    """
    probabilities = np.zeros((len(pixels), num_classes))
    probabilities[:, classifier.classes_] = classifier.predict_proba(pixels)
    return probabilities
