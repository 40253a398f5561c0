"""From a picture to its faces, and from a face to probabilities.

Owns the detector (MTCNN, Zhang et al. 2016, whose weights come with the mtcnn package) and the way of a crop to the
network, which is that of a stored example: where the data set stores JPEG, encoded and decoded too, since a network may
see what JPEG leaves of a face. Aligned builds are fitted by 68 annotated landmarks, new photographs by the detector's
five.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from affectnet_tfds import crop_geometry, face_crop, image_codec, invalid_example
from trainer import comparison, decoding, formats, heads, serving, shots, trained


@dataclasses.dataclass(frozen=True, kw_only=True)
class Found:
    """A face that a detector found: its box (None: the whole picture), `align`'s five points, its confidence."""

    box: crop_geometry.Box | None
    points: np.ndarray | None = None
    confidence: float = 1.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seen:
    """A face, its crop uint8[S, S, 3], probabilities float32[C], and valence and arousal where these were learned."""

    found: Found
    cut: face_crop.Cut
    probabilities: np.ndarray
    affect: tuple[float, float] | None = None


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
        usable = [face for face in made if face.box and max(face.box[2:]) >= crop_geometry.MIN_BOX_SIDE]
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
        return self.judge(self.cut(shot, found=detect(shot.pixels)))

    def cut(self, shot: shots.Shot, *, found: Iterable[Found]) -> list[tuple[Found, face_crop.Cut]]:
        """Return what was found, each with its crop."""
        cuts = []
        for face in found:
            try:
                cuts.append((face, shot.cut(face.box, points=face.points, geometry=self._geometry)))
            except invalid_example.InvalidExample:  # A box without a pixel in the picture shows no face.
                continue
        return cuts

    def judge(self, cuts: Sequence[tuple[Found, face_crop.Cut]]) -> list[Seen]:
        """Return what the network says of each crop."""
        if not cuts:
            return []
        said = self._run(np.stack([self.as_trained(cut.face) for _, cut in cuts]))
        affects = [_affect(said, number) for number in range(len(cuts))]
        return [
            Seen(found=face, cut=cut, probabilities=chances, affect=affect)
            for (face, cut), chances, affect in zip(cuts, said[serving.PROBABILITIES], affects, strict=True)
        ]

    def as_trained(self, face: np.ndarray) -> np.ndarray:
        """Return a crop as the network saw crops in training: uint8[S, S, 3]."""
        if self._is_jpeg:
            return self._decode(memoryview(image_codec.encode(face)))
        return self._to_size(memoryview(face.tobytes()))  # PNG loses nothing: its pixels are the plain ones.


def _affect(said: formats.Outputs, number: int) -> tuple[float, float] | None:
    if not all(name in said for name in heads.AFFECT):
        return None
    valence, arousal = (float(said[name][number, 0]) for name in heads.AFFECT)
    return valence, arousal


def _found(face: dict) -> Found:
    x, y, width, height = map(float, face["box"])
    points = np.array([face["keypoints"][name] for name in _POINTS], np.float32)
    return Found(box=(x, y, width, height), points=points, confidence=float(face["confidence"]))
