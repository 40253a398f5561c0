"""Face detection: MTCNN, a detector file, a CSV of boxes, or the whole image as one face.

Owns which detector a name means, and which of its faces are left: those of a size and a confidence.
"""

import pathlib

from affectnet_tfds import crop_geometry
from runtime import errors, installation, untrusted
from trainer.inference import (
    box_list,
    detected_face,
    detector_file,
    images,
    model_runtime,
    mtcnn_detector,
)

WORDS = ("mtcnn", "none")
"""Detectors that are no file: none takes the whole image as one face."""

HELP = (
    "face detector: mtcnn; none takes each image as one face crop; a .csv has the boxes by file "
    "name; an .onnx or .tflite file is a detector of yours"
)

MIN_FACE_HELP = "smallest face, the longer side of its box in pixels of the image; more is faster"
MIN_FACE_TEXT = (
    f"{mtcnn_detector.SMALLEST_PX}, and in images of more than half a megapixel 1/40 of their "
    "longer side"
)

MIN_CONFIDENCE_HELP = "lowest confidence of the detector at which what it finds is a face"
MIN_CONFIDENCE_TEXT = (
    f"{mtcnn_detector.MIN_CONFIDENCE:g} of mtcnn, {detector_file.MIN_CONFIDENCE:g} of a file, 0 of "
    "boxes in a .csv"
)

DetectedFace = detected_face.DetectedFace
Detector = detected_face.Detector


def check_installed(name: str) -> None:
    """Check that a detector is known, there and installed, without importing it.

    Raises:
      errors.UserError: if it is not.
    """
    ending = pathlib.Path(name).suffix.lower() if isinstance(name, str) else ""
    if name == "mtcnn":
        installation.require("mtcnn", what="--detector=mtcnn", instead="use --detector=none")
    elif ending == ".csv" or ending in model_runtime.NEEDS:
        _check_file(pathlib.Path(name), ending=ending)
    elif name not in WORDS:
        guess = errors.guess(str(name), known=list(WORDS))
        raise errors.UserError(
            f"--detector must be {', '.join(WORDS)} or a file that ends in .csv, .onnx or .tflite: "
            f"got {name}" + (f"; {guess}" if guess else "")
        )


def check_crops(name: str, *, like: str) -> None:
    """Check that a network's crops depend on what the detector of this name finds.

    Args:
      name: of the detector.
      like: the peer that the build's crops are like.

    Raises:
      errors.UserError: if all faces of a photograph would be one crop, the whole of it.
    """
    if name != "none" and like == "dan":
        raise errors.UserError(
            "a crop like dan's (--like=dan) is the whole image, so that all faces of a photograph "
            f"would have one answer: give images of one face and --detector=none, not {name}"
        )
    if like == "ddamfn" and name.lower().endswith(".csv"):
        raise without_landmarks()


def without_landmarks() -> errors.UserError:
    """Return the refusal of a detector whose faces have no landmarks, where crops need them."""
    return errors.UserError(
        "a crop like ddamfn's (--like=ddamfn) is placed by landmarks, and is the whole image for "
        "a detector that finds boxes alone: use --detector=mtcnn"
    )


def check_filter(name: str, *, min_face: float | None, min_confidence: float | None) -> None:
    """Check that a detector finds faces, where their size or confidence is asked for.

    Raises:
      errors.UserError: if it takes whole images.
    """
    given = {"min_face": min_face, "min_confidence": min_confidence}
    for flag, value in given.items():
        if name == "none" and value is not None:
            raise errors.UserError(
                f"--{flag} has no effect with --detector=none, which takes each image as one face"
            )


def detector(
    name: str,
    *,
    min_face: float | None = None,
    min_confidence: float | None = None,
    device: str = "CPU:0",
) -> Detector:
    """Return the detector of a name that `check_installed` has passed.

    Args:
      name: of WORDS, or a file.
      min_face: longer side of the smallest box, in pixels of the image.
      min_confidence: of the detector; None: its own.
      device: TensorFlow's, for MTCNN.

    Raises:
      errors.UserError: if a file cannot be read.
    """
    if name == "none":
        return lambda image: [DetectedFace(box=None)]
    smallest = max(min_face or 0, crop_geometry.MIN_BOX_SIDE)
    if name == "mtcnn":
        confidence = mtcnn_detector.MIN_CONFIDENCE if min_confidence is None else min_confidence
        find = mtcnn_detector.detector(min_face=min_face, min_confidence=confidence, device=device)
    elif name.lower().endswith(".csv"):
        confidence = min_confidence or 0.0
        find = box_list.read(pathlib.Path(name))
    else:
        confidence = detector_file.MIN_CONFIDENCE if min_confidence is None else min_confidence
        find = detector_file.detector(pathlib.Path(name), min_confidence=confidence)

    return _Filtered(find, smallest=smallest, confidence=confidence)


class _Filtered:
    """Faces of another detector that have a size and a confidence, the largest first."""

    def __init__(self, find: Detector, *, smallest: float, confidence: float) -> None:
        self.find = find
        self._smallest = smallest
        self._confidence = confidence

    def __call__(self, image: images.InputImage) -> list[DetectedFace]:
        usable = [face for face in self.find(image) if face.box and self._is_usable(face)]
        return sorted(usable, key=lambda face: -face.box[2] * face.box[3] if face.box else 0)

    def _is_usable(self, face: DetectedFace) -> bool:
        is_large = face.box is not None and max(face.box[2:]) >= self._smallest
        return is_large and face.confidence >= self._confidence


def unused_boxes(detect: Detector) -> str:
    """Return the sentence about rows of a CSV that no image has used; "" where there are none."""
    find = detect.find if isinstance(detect, _Filtered) else None
    return find.unused() if isinstance(find, box_list.BoxList) else ""


def _check_file(path: pathlib.Path, *, ending: str) -> None:
    try:
        untrusted.check(
            path, at_most=untrusted.LIST_BYTES if ending == ".csv" else untrusted.WEIGHTS_BYTES
        )
    except OSError as error:
        raise errors.UserError(
            f"cannot read --detector={path}: {error.strerror or error}"
        ) from None
    if ending in model_runtime.NEEDS:
        installation.require(
            model_runtime.NEEDS[ending], what=f"--detector={path}", instead="use --detector=mtcnn"
        )
