"""Face classifier: detects the faces of images, crops them as the pipeline does, classifies them.

Owns the path from an image to probabilities. A crop reaches the network as a stored example does:
where the data set stores JPEG, it is encoded and decoded too. Giving the network the crop itself
was rejected, since it was trained on what JPEG leaves of a face. Aligned builds are fitted by 68
annotated landmarks, new photographs by the detector's five.
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent import futures
from typing import Protocol

import numpy as np
import tensorflow as tf

from affectnet_tfds import face_crop, image_codec, invalid_example
from affectnet_tfds.reader import image_decoder
from trainer.data import exact_resize
from trainer.explain import face_pictures
from trainer.inference import face_detector, trained_model
from trainer.inference import images as images_lib
from trainer.models import dtype_policy, heads, views
from trainer.run import data_provenance, ensemble, trained_run


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassifiedFace:
    """Face of an image with its probabilities.

    Attributes:
      image: where it was found.
      detected: its box.
      crop: uint8[S, S, 3] RGB, as the pipeline would cut it.
      probabilities: float32[C], in the order of the classifier's `class_names`.
      affect: valence and arousal, -1..1, where the network has learned them.
      person: who it is in a video, from 1, where faces are followed (`tracker`).
    """

    image: images_lib.InputImage
    detected: face_detector.DetectedFace
    crop: np.ndarray
    probabilities: np.ndarray
    affect: tuple[float, float] | None = None
    person: int | None = None


@dataclasses.dataclass(kw_only=True)
class Timings:
    """Milliseconds spent by a call of `classify`.

    Attributes:
      detector_ms: in the detector, all images together.
      network_ms: from crops to probabilities, all faces together.
    """

    detector_ms: float = 0.0
    network_ms: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class FoundFace:
    """Face that a detector found, cut out: uint8[S, S, 3] RGB, as the pipeline would cut it."""

    detected: face_detector.DetectedFace
    crop: np.ndarray


Outputs = Callable[[Sequence[np.ndarray]], dict[str, np.ndarray]]
"""From B crops, uint8[S, S, 3], to outputs by head: probabilities, float32[B, C], and affect."""


class Exported(Protocol):
    """Model in another format, and the data that it was trained on."""

    @property
    def data(self) -> data_provenance.Provenance:
        """Class names, and how faces are cut."""

    def open(self) -> Outputs:
        """Return the function that runs it."""


class FaceClassifier:
    """Trained model behind a face detector: `classify` takes images and returns their faces."""

    def __init__(
        self,
        model: "ensemble.Model | Exported",
        *,
        detect: face_detector.Detector,
        devices: Sequence[str] = ("/cpu:0",),
    ) -> None:
        """Load the best weights of a run, or of all runs of an ensemble, onto each device.

        Args:
          model: of `trained_run.find`, `ensemble.find` or `exported_model.find`.
          detect: from `face_detector.detector`.
          devices: TensorFlow's names; the faces of a call are shared among them. The file of an
            exported model chooses its own.

        Raises:
          errors.UserError: if there are none, or the run does not say how its faces were cut.
        """
        self.class_names = model.data.class_names
        self._geometry = model.data.geometry()
        self._detect = detect
        self._networks: list[Outputs] = []
        if isinstance(model, (trained_run.Run, ensemble.Ensemble)):
            self._networks += [_Networks(model, device=device) for device in devices]
        else:
            self._networks.append(model.open())

    def classify(
        self, images: Iterable[images_lib.InputImage], *, timings: Timings | None = None
    ) -> list[ClassifiedFace]:
        """Detect the faces of images and classify them.

        Each network runs once on each device, on the faces of all images.

        Args:
          images: from `images.read`, `images.from_bytes` or `images.from_pixels`.
          timings: the times of this call are added to it.

        Returns: Faces in the order of the images, and in each image the largest first; an image
          without a face adds none.

        Raises:
          invalid_example.InvalidExample: if an image is broken.
        """
        timings = timings or Timings()
        found = [(image, face) for image in images for face in self.find(image, timings=timings)]
        return self.classify_found(found, timings=timings)

    def find(
        self, image: images_lib.InputImage, *, timings: Timings | None = None
    ) -> list[FoundFace]:
        """Detect the faces of an image, the largest first, and cut them out.

        Raises:
          errors.UserError: if crops are placed by landmarks, and the detector finds none.
          invalid_example.InvalidExample: if the image is broken.
        """
        start = time.perf_counter()
        with dtype_policy.WITHOUT_TF32:
            detected = self._detect(image)
        if timings:
            timings.detector_ms += _ms_since(start)
        found = []
        for face in detected:
            if face.box and face.points is None and self._geometry.like == "ddamfn":
                raise face_detector.without_landmarks()
            try:
                place = face_crop.locate(
                    face.box, points=face.points, picture_size=image.size, geometry=self._geometry
                )
            except invalid_example.InvalidExample:
                continue  # A box without a pixel in the image shows no face.
            cut = image.cut(place, points=face.points, image_size=self._geometry.image_size)
            found.append(FoundFace(detected=face, crop=cut.face))
        return found

    def unused_boxes(self) -> str:
        """Return the sentence about rows of a CSV of boxes that no image has used, or ""."""
        return face_detector.unused_boxes(self._detect)

    def classify_found(
        self,
        found: Sequence[tuple[images_lib.InputImage, FoundFace]],
        *,
        timings: Timings | None = None,
    ) -> list[ClassifiedFace]:
        """Classify faces of `find`, of any number of images, in one call of each network."""
        if not found:
            return []
        start = time.perf_counter()
        probabilities, affect = self._outputs([face.crop for _, face in found])
        if timings:
            timings.network_ms += _ms_since(start)
        return [
            ClassifiedFace(
                image=image,
                detected=face.detected,
                crop=face.crop,
                probabilities=probabilities[position],
                affect=affect[position] if affect else None,
            )
            for position, (image, face) in enumerate(found)
        ]

    def warm_up(self) -> None:
        """Run detector and network once: the first run in TensorFlow takes many times as long."""
        black = np.zeros((240, 320, 3), np.uint8)
        with contextlib.suppress(invalid_example.InvalidExample):  # No CSV of boxes names it.
            self._detect(images_lib.from_pixels(black, name="black"))
        side = self._geometry.image_size
        self._outputs([np.zeros((side, side, 3), np.uint8)])

    def _outputs(
        self, crops: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, list[tuple[float, float]] | None]:
        """Return probabilities, float32[B, C], and valence and arousal, for B uint8[S, S, 3]."""
        shares = np.array_split(np.arange(len(crops)), len(self._networks))
        given = [
            (networks, [crops[position] for position in share])
            for networks, share in zip(self._networks, shares, strict=True)
            if len(share)
        ]
        # Threads: each waits for its device.
        with dtype_policy.WITHOUT_TF32, futures.ThreadPoolExecutor(len(given)) as threads:
            parts = list(threads.map(lambda each: each[0](each[1]), given))
        outputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        probabilities = outputs.pop(heads.PROBABILITIES)
        affect = heads.affect(outputs) if outputs else None
        pairs = None if affect is None else [(float(v), float(a)) for v, a in affect.numpy()]
        return probabilities, pairs


class _Networks:
    """The networks of a model on one device, each compiled for any number of faces."""

    def __init__(self, run: ensemble.Model, *, device: str) -> None:
        self._device = device
        with tf.device(device):
            members = trained_model.members(run)
        self._members = [(network_input(each.run), _compiled(each)) for each in members]

    def __call__(self, crops: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Return the mean of the networks' outputs by head, for B uint8[S, S, 3]."""
        with tf.device(self._device):
            outputs = views.mean(
                [
                    run(np.stack([to_input(crop) for crop in crops]))
                    for to_input, run in self._members
                ]
            )
        return {name: value.numpy() for name, value in outputs.items()}


def _compiled(member: trained_model.Member) -> Callable[[np.ndarray], heads.ByName]:
    """Return the function from uint8[B, N, N, 3] to a network's outputs, the mean over views."""
    side = member.views.image_px
    signature = [tf.TensorSpec([None, side, side, 3], tf.uint8)]

    def outputs(images: tf.Tensor) -> heads.ByName:
        pixels = tf.cast(images, tf.float32)
        return views.mean_outputs(member.network, pixels, views=member.views)

    # Without AutoGraph, which would leave files of generated code in the temporary folder.
    compiled: Callable[[np.ndarray], heads.ByName] = tf.function(
        outputs, input_signature=signature, autograph=False
    )
    return compiled


def face_pictures_of(run: ensemble.Model, *, device: str = "/cpu:0") -> face_pictures.FacePictures:
    """Return what draws the evidence of a single run's network over the crops of its faces.

    Raises:
      errors.UserError: if the run has no weights, or is an ensemble.
    """
    ensemble.check_is_one_run(run, flag="--explain")
    with tf.device(device):
        (member,) = trained_model.members(run)
    return face_pictures.FacePictures(
        member.network, views=member.views, to_input=network_input(member.run)
    )


def network_input(run: trained_run.Run) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function that turns a crop into what the network was given in evaluation.

    It takes uint8[S, S, 3] of the size that the data set stores and returns uint8[N, N, 3] of the
    network's: encoded and decoded where the data set stores JPEG, and resized once.
    """
    is_jpeg = run.data.encoding == "jpeg"
    encoding = "jpeg" if is_jpeg else "raw"  # PNG loses nothing: its pixels are the plain ones.
    stored = image_decoder.Stored(size_px=run.data.geometry().image_size, is_raw=not is_jpeg)
    decode = exact_resize.decoder(stored, size_px=run.image_size)
    return lambda crop: decode(memoryview(image_codec.encode(crop, encoding=encoding)))


def _ms_since(start: float) -> float:
    return 1000 * (time.perf_counter() - start)
