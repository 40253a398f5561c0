"""Face detection: MTCNN (Zhang et al. 2016, arXiv:1604.02878), or the whole image as one face.

MTCNN's weights come with the mtcnn package (the extra `predict`): nothing is downloaded.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from affectnet_tfds import crop_geometry
from runtime import installation
from trainer.inference import images

NAMES = ("mtcnn", "none")
"""Detectors: none takes the whole image as one face."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DetectedFace:
    """Face that a detector found.

    Attributes:
      box: (x, y, width, height) in pixels of the image; None: the whole image.
      points: eyes, nose and mouth corners, float32[5, 2], (x, y) in pixels, as `face_alignment`
        takes them.
      confidence: the detector's, 0..1.
    """

    box: crop_geometry.Box | None
    points: np.ndarray | None = None
    confidence: float = 1.0


MAX_PIXELS = 2_100_000
"""Larger images are shrunk for MTCNN to this size, a little more than a frame of 1920 x 1080: its
pyramid takes 90 bytes a pixel. It finds faces of 20 pixels, here 1/80 of the longer side."""

Detector = Callable[[images.InputImage], list[DetectedFace]]
"""From an image to its faces, the largest first."""

_POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")


def check_installed(name: str) -> None:
    """Check that a detector is installed, without importing it.

    Raises:
      errors.UserError: if it is not.
    """
    if name == "mtcnn":
        installation.require("mtcnn", what="--detector=mtcnn", instead="use --detector=none")


def detector(name: str) -> Detector:
    """Return the detector of a name, one of NAMES."""
    if name == "none":
        return lambda image: [DetectedFace(box=None)]
    import mtcnn  # Inside: an extra.

    network = mtcnn.MTCNN()

    def detect(image: images.InputImage) -> list[DetectedFace]:
        pixels = image.shrunk(MAX_PIXELS)
        scale = image.size[0] / pixels.shape[1]
        detected = [_detected(face, scale=scale) for face in network.detect_faces(pixels)]
        usable = [
            face
            for face in detected
            if face.box and max(face.box[2:]) >= crop_geometry.MIN_BOX_SIDE
        ]
        return sorted(usable, key=lambda face: -face.box[2] * face.box[3] if face.box else 0)

    return detect


def _detected(face: dict[str, Any], *, scale: float) -> DetectedFace:
    x, y, width, height = (scale * float(value) for value in face["box"])
    points = np.array([face["keypoints"][name] for name in _POINTS], np.float32) * np.float32(scale)
    return DetectedFace(
        box=(x, y, width, height), points=points, confidence=float(face["confidence"])
    )
