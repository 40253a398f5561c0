"""From a picture to its faces, and from a face to probabilities.

Owns the detector (MTCNN, Zhang et al. 2016, whose weights come with the mtcnn package) and the way of a crop to the
network, which is that of a stored example: where the data set stores JPEG, encoded and decoded too, since a network may
see what JPEG leaves of a face. Aligned builds are fitted by 68 annotated landmarks, new photographs by the detector's
five.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from affectnet_tfds import crops, defect, faces
from trainer import comparison, decoding, serving, shots, trained


@dataclasses.dataclass(frozen=True, kw_only=True)
class Found:
    """A face that a detector found: its box (None: the whole picture), `align`'s five points, its confidence."""

    box: faces.Box | None
    points: np.ndarray | None = None
    confidence: float = 1.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seen:
    """A face, its crop uint8[S, S, 3] and probabilities float32[C]."""

    found: Found
    cut: crops.Cut
    probabilities: np.ndarray


Detector = Callable[[np.ndarray], list[Found]]
"""uint8[H, W, 3] to faces, the largest first."""

_POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")


def detector(name: str) -> Detector:
    """Return the detector of a name: mtcnn, or none, which takes the whole picture."""
    if name == "none":
        return lambda pixels: [Found(box=None)]
    import mtcnn  # Inside: an extra.

    network = mtcnn.MTCNN()

    def detect(pixels: np.ndarray) -> list[Found]:
        made = [_found(face) for face in network.detect_faces(pixels)]
        usable = [face for face in made if face.box and max(face.box[2:]) >= faces.MIN_BOX_SIDE]
        return sorted(usable, key=lambda face: -face.box[2] * face.box[3] if face.box else 0)

    return detect


class Reader:
    """A trained network that looks at faces."""

    def __init__(self, run: trained.Run) -> None:
        self.class_names, self._geometry = run.data.class_names, run.data.geometry()
        network, _ = trained.network(run)
        self._run = comparison.original(network, run=run)
        self._is_jpeg = run.data.encoding == "jpeg"
        stored = decoding.Stored(size_px=self._geometry.image_size)
        self._decode = decoding.to_size(stored, size_px=run.image_size)
        self._to_size = decoding.to_size(dataclasses.replace(stored, is_raw=True), size_px=run.image_size)

    def see(self, shot: shots.Shot, *, detect: Detector) -> list[Seen]:
        """Return the faces of a picture with their probabilities; none where no face was found."""
        found, cuts = [], []
        for face in detect(shot.pixels):
            try:
                cuts.append(shot.cut(face.box, points=face.points, geometry=self._geometry))
                found.append(face)
            except defect.Defect:  # A box without a pixel in the picture shows no face.
                continue
        if not cuts:
            return []
        chances = self._run(np.stack([self.as_trained(cut.face) for cut in cuts]))[serving.PROBABILITIES]
        return [Seen(found=f, cut=c, probabilities=p) for f, c, p in zip(found, cuts, chances, strict=True)]

    def as_trained(self, face: np.ndarray) -> np.ndarray:
        """Return a crop as the network saw crops in training: uint8[S, S, 3]."""
        if self._is_jpeg:
            return self._decode(memoryview(faces.encode(face)))
        return self._to_size(memoryview(face.tobytes()))  # PNG loses nothing: its pixels are the plain ones.


def _found(face: dict) -> Found:
    x, y, width, height = map(float, face["box"])
    points = np.array([face["keypoints"][name] for name in _POINTS], np.float32)
    return Found(box=(x, y, width, height), points=points, confidence=float(face["confidence"]))
