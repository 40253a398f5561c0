"""Face detection: MTCNN (Zhang et al. 2016, arXiv:1604.02878), or the whole image as one face."""

import dataclasses
from collections.abc import Callable

import numpy as np

from affectnet_tfds import crop_geometry


@dataclasses.dataclass(frozen=True, kw_only=True)
class DetectedFace:
    """A face that a detector found: its box (None: the whole picture), `align`'s five points, its
    confidence."""

    box: crop_geometry.Box | None
    points: np.ndarray | None = None
    confidence: float = 1.0


Detector = Callable[[np.ndarray], list[DetectedFace]]
"""uint8[H, W, 3] to faces, the largest first."""


_POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")


def detector(name: str) -> Detector:
    """Return the detector of a name: mtcnn, or none, which takes the whole picture."""
    if name == "none":
        return lambda pixels: [DetectedFace(box=None)]
    import mtcnn  # Inside: an extra.

    network = mtcnn.MTCNN()

    def detect(pixels: np.ndarray) -> list[DetectedFace]:
        made = [_found(face) for face in network.detect_faces(pixels)]
        usable = [
            face for face in made if face.box and max(face.box[2:]) >= crop_geometry.MIN_BOX_SIDE
        ]
        return sorted(usable, key=lambda face: -face.box[2] * face.box[3] if face.box else 0)

    return detect


def _found(face: dict) -> DetectedFace:
    x, y, width, height = map(float, face["box"])
    points = np.array([face["keypoints"][name] for name in _POINTS], np.float32)
    return DetectedFace(
        box=(x, y, width, height), points=points, confidence=float(face["confidence"])
    )
