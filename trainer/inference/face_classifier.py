"""From a picture to its faces, and from a face to probabilities.

Owns the detector (MTCNN, Zhang et al. 2016, whose weights come with the mtcnn package) and the way
of a crop to the network, which is that of a stored example: where the data set stores JPEG, encoded
and decoded too, since a network may see what JPEG leaves of a face. Aligned builds are fitted by 68
annotated landmarks, new photographs by the detector's five.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from affectnet_tfds import face_crop, image_codec, invalid_example
from trainer.data import image_decoder
from trainer.inference import face_detector, images, outputs, reference_runner, trained_model
from trainer.models import heads
from trainer.run import trained_run


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassifiedFace:
    """A face, its crop uint8[S, S, 3], probabilities float32[C], and valence and arousal where
    these were learned."""

    found: face_detector.DetectedFace
    cut: face_crop.Cut
    probabilities: np.ndarray
    affect: tuple[float, float] | None = None


class FaceClassifier:
    """A trained network that looks at faces."""

    def __init__(self, run: trained_run.Run) -> None:
        self.class_names, self._geometry = run.data.class_names, run.data.geometry()
        network, _ = trained_model.network(run)
        self._run = reference_runner.original(network, run=run)
        self._is_jpeg = run.data.encoding == "jpeg"
        stored = image_decoder.Stored(size_px=self._geometry.image_size)
        self._decode = image_decoder.to_size(stored, size_px=run.image_size)
        self._to_size = image_decoder.to_size(
            dataclasses.replace(stored, is_raw=True), size_px=run.image_size
        )

    def see(
        self, shot: images.InputImage, *, detect: face_detector.Detector
    ) -> list[ClassifiedFace]:
        """Return the faces of a picture with their probabilities; none where no face was found."""
        return self.judge(self.cut(shot, found=detect(shot.pixels)))

    def cut(
        self, shot: images.InputImage, *, found: Iterable[face_detector.DetectedFace]
    ) -> list[tuple[face_detector.DetectedFace, face_crop.Cut]]:
        """Return what was found, each with its crop."""
        cuts = []
        for face in found:
            try:
                cuts.append((face, shot.cut(face.box, points=face.points, geometry=self._geometry)))
            except (
                invalid_example.InvalidExample
            ):  # A box without a pixel in the picture shows no face.
                continue
        return cuts

    def judge(
        self, cuts: Sequence[tuple[face_detector.DetectedFace, face_crop.Cut]]
    ) -> list[ClassifiedFace]:
        """Return what the network says of each crop."""
        if not cuts:
            return []
        said = self._run(np.stack([self.as_trained(cut.face) for _, cut in cuts]))
        affects = [_affect(said, number) for number in range(len(cuts))]
        return [
            ClassifiedFace(found=face, cut=cut, probabilities=probs, affect=affect)
            for (face, cut), probs, affect in zip(
                cuts, said[outputs.PROBABILITIES], affects, strict=True
            )
        ]

    def as_trained(self, face: np.ndarray) -> np.ndarray:
        """Return a crop as the network saw crops in training: uint8[S, S, 3]."""
        if self._is_jpeg:
            return self._decode(memoryview(image_codec.encode(face)))
        return self._to_size(
            memoryview(face.tobytes())
        )  # PNG loses nothing: its pixels are the plain ones.


def _affect(said: outputs.Outputs, number: int) -> tuple[float, float] | None:
    if not all(name in said for name in heads.AFFECT):
        return None
    valence, arousal = (float(said[name][number, 0]) for name in heads.AFFECT)
    return valence, arousal
