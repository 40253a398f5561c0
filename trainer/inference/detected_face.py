"""Detected face: box, landmarks and confidence that any detector gives."""

import dataclasses
from collections.abc import Callable

import numpy as np

from affectnet_tfds import crop_geometry
from trainer.inference import images


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


Detector = Callable[[images.InputImage], list[DetectedFace]]
"""From an image to its faces, the largest first."""
