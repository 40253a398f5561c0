"""Timed prediction: classifies the faces of one uploaded image and measures how long that took."""

import dataclasses

from trainer.inference import face_classifier, images


@dataclasses.dataclass(frozen=True, kw_only=True)
class TimedPrediction:
    """Image, its faces (the largest first) and the time that detector and network took."""

    image: images.InputImage
    faces: list[face_classifier.ClassifiedFace]
    timings: face_classifier.Timings


def predict(content: bytes, *, classifier: face_classifier.FaceClassifier) -> TimedPrediction:
    """Classify the faces of an image file's bytes.

    Raises:
      invalid_example.InvalidExample: if they are no image, or a broken one.
    """
    image = images.from_bytes(content, name="upload")
    _ = image.pixels  # Decoded before the clock of the detector starts; the answer shows them.
    timings = face_classifier.Timings()
    faces = classifier.classify([image], timings=timings)
    return TimedPrediction(image=image, faces=faces, timings=timings)
