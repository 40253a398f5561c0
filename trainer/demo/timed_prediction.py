"""Timed prediction: classifies the faces of one uploaded image and measures how long that took."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from trainer.explain import face_pictures
from trainer.inference import face_classifier, images


@dataclasses.dataclass(frozen=True, kw_only=True)
class TimedPrediction:
    """Image, its faces (the largest first) and the time that detector and network took."""

    image: images.InputImage
    faces: list[face_classifier.ClassifiedFace]
    timings: face_classifier.Timings
    explained: Sequence[np.ndarray] = ()
    """What spoke for the expression of each face, uint8[S, S, 3]; none where it is not asked for.
    The time that it took is in no timing."""


def predict(
    content: bytes,
    *,
    classifier: face_classifier.FaceClassifier,
    pictures: face_pictures.FacePictures | None = None,
) -> TimedPrediction:
    """Classify the faces of an image file's bytes.

    Args:
      content: of the file.
      classifier: finds and classifies the faces.
      pictures: draws what spoke for the expression of each.

    Raises:
      invalid_example.InvalidExample: if they are no image, or a broken one.
    """
    image = images.from_bytes(content, name="upload")
    _ = image.pixels  # Decoded before the clock of the detector starts; the answer shows them.
    timings = face_classifier.Timings()
    faces = classifier.classify([image], timings=timings)
    explained: Sequence[np.ndarray] = ()
    if pictures:
        classes = [int(face.probabilities.argmax()) for face in faces]
        explained = pictures.of([face.crop for face in faces], classes=classes)
    return TimedPrediction(image=image, faces=faces, timings=timings, explained=explained)
