"""MTCNN (Zhang et al. 2016, arXiv:1604.02878): faces and their five landmarks, on a smaller image.

Owns the size of the image that it is given. Its first network slides over a pyramid that grows with
the pixels of the image, so that ten megapixels take seconds; a large image is shrunk to where the
smallest face wanted has the 20 pixels that the network needs, and faces are cut out of the image
itself. Its networks are compiled for any size at once: called one by one, as the mtcnn package
does, they take twice as long. Its weights come with that package (the extra `predict`).
"""

import math
from typing import Any

import numpy as np

from trainer.inference import detected_face, images

SMALLEST_PX = 20
"""Side of the smallest face that is looked for, in pixels of the image that the network sees."""

FEW_PIXELS = 500_000
"""Larger images are shrunk to this size, unless smaller faces are asked for."""

MAX_PIXELS = 2_100_000
"""Size of the largest image that the network sees, a little more than a frame of 1920 x 1080: its
pyramid takes 90 bytes a pixel."""

MIN_CONFIDENCE = 0.8
"""The package's own, of the last network."""

_LEAST_PX = 12
"""Side of the first network's window: a smaller face cannot be found without enlarging."""

_POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
_SIDES = (None, 24, 48)
"""Side of the inputs of the three networks; the first takes any."""


def detector(
    *, min_face: float | None, min_confidence: float, device: str
) -> detected_face.Detector:
    """Return the detector; see `face_detector.detector`."""
    network = compiled(device)

    def detect(image: images.InputImage) -> list[detected_face.DetectedFace]:
        pixels = image.shrunk(seen_pixels(image.size, min_face=min_face))
        scale = image.size[0] / pixels.shape[1]
        smallest = SMALLEST_PX if min_face is None else max(_LEAST_PX, min_face / scale)
        found = network.detect_faces(pixels, min_face_size=smallest, threshold_onet=min_confidence)
        return [_detected(face, scale=scale) for face in found]

    return detect


def seen_pixels(size: tuple[int, int], *, min_face: float | None) -> int:
    """Return the most pixels of an image of a size in which the smallest face is found."""
    needed = 0.0
    if min_face is not None:
        needed = math.prod(size) * (SMALLEST_PX / min_face) ** 2
    return int(min(max(needed, FEW_PIXELS), MAX_PIXELS))


def compiled(device: str) -> Any:
    """Return MTCNN on a device, each of its networks compiled once for all sizes."""
    # Inside: the first is an extra, and importing TensorFlow takes seconds.
    import mtcnn
    import tensorflow as tf

    with tf.device(device):
        network = mtcnn.MTCNN(device=device)
    for stage, side in zip(network.stages, _SIDES, strict=True):
        signature = [tf.TensorSpec([None, side, side, 3], tf.float32)]
        # Without AutoGraph, which would leave files of generated code in the temporary folder.
        stage._model = tf.function(stage.model, input_signature=signature, autograph=False)
    return network


def _detected(face: dict[str, Any], *, scale: float) -> detected_face.DetectedFace:
    x, y, width, height = (scale * float(value) for value in face["box"])
    points = np.array([face["keypoints"][name] for name in _POINTS], np.float32) * np.float32(scale)
    return detected_face.DetectedFace(
        box=(x, y, width, height), points=points, confidence=float(face["confidence"])
    )
