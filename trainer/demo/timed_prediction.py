"""One look at one picture, timed: what the demo page answers with.

Owns the clock. Everything that is measured is `seeing`'s.
"""

import dataclasses
import time

import numpy as np

from trainer.inference import face_classifier, face_detector, images


@dataclasses.dataclass(frozen=True, kw_only=True)
class TimedPrediction:
    """A picture, its faces (the largest first), and how long finding and judging them took, in
    milliseconds."""

    shot: images.InputImage
    seen: list[face_classifier.ClassifiedFace]
    detector_ms: float
    network_ms: float


def predict(
    content: bytes, *, reader: face_classifier.FaceClassifier, detect: face_detector.Detector
) -> TimedPrediction:
    """Look at the bytes of a picture file.

    The network's time is that of all faces together, from crops to probabilities.

    Raises:
      invalid_example.InvalidExample: if they are no picture, or a broken one.
    """
    shot = images.picture(content, name="picture")
    start = time.perf_counter()
    found = detect(shot.pixels)
    detected = time.perf_counter()
    cuts = reader.cut(shot, found=found)
    cut = time.perf_counter()
    seen = reader.judge(cuts)
    judged = time.perf_counter()
    return TimedPrediction(
        shot=shot,
        seen=seen,
        detector_ms=1000 * (detected - start),
        network_ms=1000 * (judged - cut),
    )


def warm_up(*, reader: face_classifier.FaceClassifier, detect: face_detector.Detector) -> None:
    """Run detector and network once, since TensorFlow's first run takes many times as long as the
    others."""
    shot = images.InputImage(name="nothing", pixels=np.zeros((240, 320, 3), np.uint8))
    detect(shot.pixels)
    reader.judge(reader.cut(shot, found=[face_detector.DetectedFace(box=None)]))
