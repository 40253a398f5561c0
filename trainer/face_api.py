"""Face classifier in three lines: loads a run or an export, predicts on images, returns a table.

    from trainer.api import FaceClassifier

    classifier = FaceClassifier.load("runs/first")
    faces = classifier.predict(["photo.jpg", "holiday/", "clip.mp4"]).to_pandas()

Owns what may be given as an image and what becomes of a file that cannot be read; finding, cutting
and classifying faces is `trainer.inference`'s, as for `trainer.predict`, so that their numbers are
equal. Importing it is quick: TensorFlow is imported by `load`.
"""

import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from runtime import errors, fields, untrusted
from trainer import predict as predict_program
from trainer.config import run_config
from trainer.config.model_config import AFFECT
from trainer.distributed import devices, tf_logging
from trainer.exporting import exported_model
from trainer.faces import face_table
from trainer.inference import face_detector
from trainer.inference import images as images_lib
from trainer.run import ensemble

if TYPE_CHECKING:  # Importing TensorFlow takes seconds; a refusal has to come first.
    from trainer.inference import batches, face_classifier

Path: TypeAlias = "str | os.PathLike[str]"
Image: TypeAlias = "Path | np.ndarray"
"""Path of an image, a folder or a video; or uint8[H, W, 3] RGB, or uint8[B, H, W, 3]."""

_ONE = (str, bytes, os.PathLike, np.ndarray)
"""What is one image, or a batch, though it has parts."""


class FaceClassifier:
    """Trained or exported model behind a face detector: `predict` takes images, returns a table."""

    def __init__(self, classifier: "face_classifier.FaceClassifier", *, batch_size: int) -> None:
        """Put the front before a loaded classifier; see `load`."""
        self._classifier = classifier
        self._batch_size = batch_size

    @classmethod
    def load(
        cls,
        model: Path,
        *,
        detector: Path = "mtcnn",
        num_gpus: int | None = None,
        batch_size: int = 32,
    ) -> "FaceClassifier":
        """Load a run, an ensemble or an export.

        Args:
          model: the folder of a run, or several, separated by commas, whose outputs are averaged;
            or the folder of an export (SavedModel, Keras, ONNX or TFLite), or the model in it.
          detector: mtcnn (extra `predict`), none, which takes each image as one face crop, or a
            file, as for `trainer.predict`.
          num_gpus: GPUs that share each batch; 0: the CPU; None: all there are. ONNX and TFLite
            files run on the CPU.
          batch_size: faces, of any images, that the networks are given at once.

        Raises:
          errors.UserError: if there is no such model, or it, the detector or a GPU cannot be used.
        """
        batch_size = _setting(batch_size, name="batch_size")
        num_gpus = _setting(num_gpus, name="num_gpus")
        detector = os.fspath(detector) if isinstance(detector, os.PathLike) else detector
        face_detector.check_installed(detector)
        found = _find(model)
        # Refused here, before TensorFlow is imported: crops that are not known, or not of faces.
        face_detector.check_crops(detector, like=found.data.geometry().like)
        wanted = run_config.Devices(num_gpus=num_gpus)
        devices.refuse_early(wanted)
        with tf_logging.chatter_off():
            # Inside: the refusals above must not wait for TensorFlow.
            from trainer.inference import face_classifier

            names = devices.prepare(wanted)
            devices.start()
            detect = face_detector.detector(detector, device=names[0])
            classifier = face_classifier.FaceClassifier(found, detect=detect, devices=names)
        return cls(classifier, batch_size=batch_size)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the expressions, in the order of the model's outputs."""
        return self._classifier.class_names

    def predict(
        self, images: "Image | Iterable[Image]", *, every_s: float = 1.0, smooth_s: float = 1.0
    ) -> face_table.FaceTable:
        """Detect the faces of images and classify them.

        Args:
          images: one or more of: paths of images, folders and videos; uint8[H, W, 3] RGB, or what
            NumPy makes one of, such as a PIL image in RGB; a batch of these, uint8[B, H, W, 3].
          every_s: seconds between the frames that are taken from a video.
          smooth_s: time constant in seconds by which the outputs for a person in a video are
            smoothed; 0: each frame as it is.

        Returns: one row a face, and one for each image without a face. A file that cannot be read
          adds a sentence to `failures`.

        Raises:
          errors.UserError: if something else is given, or no file could be read.
        """
        from trainer.inference import batches, tracker  # Inside, as above.

        every_s = _setting(every_s, name="every_s")
        smooth_s = _setting(smooth_s, name="smooth_s")
        classified = batches.Batches(self._classifier, batch_size=self._batch_size, every_s=every_s)
        people = tracker.Tracker(smooth_s=smooth_s, every_s=every_s)
        rows = [
            row
            for image, faces in classified.run(_sources(_each(images)))
            for row in _rows(image, people.follow(image, faces), names=self.class_names)
        ]
        if classified.failures and not rows:
            raise errors.UserError(classified.failures[0])
        return face_table.FaceTable(
            rows=tuple(rows),
            class_names=self.class_names,
            failures=tuple(classified.failures),
        )


def _setting(value: Any, *, name: str) -> Any:
    """Return what a flag of trainer.predict would make of a value, by the same rules."""
    plain = value.item() if isinstance(value, np.generic) else value
    return fields.setting(plain, config_type=predict_program.Predict, name=name)


def _find(model: object) -> "ensemble.Model | exported_model.ExportedModel":
    name = os.fspath(model) if isinstance(model, os.PathLike) else model
    if not isinstance(name, str) or not name:
        raise errors.UserError(
            "model must be the folder of a run or an export as text or a pathlib.Path (several "
            f"runs: 'runs/a,runs/b'): got {name!r:.100}"
        )
    path = pathlib.Path(name)
    return exported_model.find(path) if exported_model.is_export(path) else ensemble.find(name)


def _each(images: Any) -> Iterable[Image]:
    """Return what is given one by one: a path, an array or something that is none is one."""
    is_one = isinstance(images, _ONE) or not isinstance(images, Iterable)
    return [images] if is_one else images


def _sources(given: Iterable[Image]) -> "Iterator[batches.Source]":
    """Yield the files of paths, and the images of arrays, in their order."""
    for number, each in enumerate(given):
        if isinstance(each, (str, os.PathLike)):
            yield from images_lib.find([each])
        else:
            yield from _of_pixels(each, name=f"image {number}")


def _of_pixels(pixels: object, *, name: str) -> Iterator[images_lib.InputImage]:
    array = _array(pixels)
    is_image = array.dtype == np.uint8 and array.ndim in (3, 4) and array.shape[-1] == 3
    if not is_image or 0 in array.shape:
        raise errors.UserError(
            "an image must be a path or uint8[H, W, 3] RGB, and a batch of images uint8[B, H, W, "
            f"3]: got {_described(pixels, array=array)}"
        )
    if array.ndim == 3:
        yield images_lib.from_pixels(array, name=name)
        return
    for index, each in enumerate(array):
        yield images_lib.from_pixels(each, name=f"{name}[{index}]")


def _array(pixels: object) -> np.ndarray:
    try:
        return np.asarray(pixels)
    except (ValueError, TypeError, RuntimeError):  # Of lists of several lengths, and of tensors.
        return np.empty((), object)


def _described(pixels: object, *, array: np.ndarray) -> str:
    kind = type(pixels).__name__
    if isinstance(pixels, bytes):
        return f"{kind}; os.fsdecode makes a path of them"
    if not array.shape:
        return kind
    way_out = "; image.convert('RGB') makes one that is" if hasattr(pixels, "convert") else ""
    return f"{kind} of {array.dtype}{list(array.shape)}{way_out}"


def _rows(
    image: images_lib.InputImage,
    faces: "Sequence[face_classifier.ClassifiedFace]",
    *,
    names: Sequence[str],
) -> list[face_table.FacePrediction]:
    file = untrusted.readable(image.name)
    if not faces:
        return [face_table.FacePrediction(file=file, time_s=image.time_s, face=0)]
    return [
        _row(face, file=file, number=number, names=names)
        for number, face in enumerate(faces, start=1)
    ]


def _row(
    face: "face_classifier.ClassifiedFace", *, file: str, number: int, names: Sequence[str]
) -> face_table.FacePrediction:
    detected = face.detected
    return face_table.FacePrediction(
        file=file,
        time_s=face.image.time_s,
        face=number,
        person=face.person,
        box=detected.box or (0, 0, *face.image.size),
        confidence=detected.confidence if detected.box else None,
        expression=names[int(face.probabilities.argmax())],
        probabilities=dict(zip(names, map(float, face.probabilities), strict=True)),
        **dict(zip(AFFECT, face.affect or (), strict=False)),
    )
