"""Batches: the faces of many images and frames, classified together, in the order of the files.

Owns how many faces wait for the network, and that one file that cannot be read stops no other.
Images that wait keep their pixels, so that a batch ends early where these would be many.
"""

import contextlib
import math
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from affectnet_tfds import invalid_example
from runtime import errors, untrusted
from trainer.distributed import out_of_memory
from trainer.inference import face_classifier
from trainer.inference import images as images_lib

_WAITING_PIXELS = 20_000_000
"""Pixels of the images that may wait for a batch."""

_ADVICE = "it cannot hold the faces of a batch: use a smaller --batch_size, or --num_gpus=0"

Classified = tuple[images_lib.InputImage, list[face_classifier.ClassifiedFace]]
"""An image and its faces, the largest first."""

Source = pathlib.Path | images_lib.InputImage
"""A file, or an image that is in memory."""

_Waiting = tuple[Source, images_lib.InputImage, Sequence[face_classifier.FoundFace]]


class Batches:
    """Classifies the faces of files; a file that cannot be read adds a sentence to `failures`."""

    def __init__(
        self, classifier: face_classifier.FaceClassifier, *, batch_size: int, every_s: float
    ) -> None:
        """Set up for a classifier.

        Args:
          classifier: what detects and classifies.
          batch_size: faces that the networks are given at once; an image's are never parted.
          every_s: seconds between the frames that are taken from a video.
        """
        self.failures: list[str] = []
        self._classifier = classifier
        self._batch_size = batch_size
        self._every_s = every_s

    def run(
        self,
        paths: Iterable[Source],
        *,
        read: Callable[[Source], None] = lambda _: None,
    ) -> Iterator[Classified]:
        """Yield every image and frame with its faces; `read` is called after each file or image."""
        waiting: list[_Waiting] = []
        for path in paths:
            for image, faces in self._found(path):
                waiting.append((path, image, faces))
                if self._is_full(waiting):
                    yield from self._classified(waiting)
                    waiting = []
            read(path)
        yield from self._classified(waiting)

    @contextlib.contextmanager
    def noting(self, *paths: Source) -> Iterator[None]:
        """Note what is raised in the block as failures of these files, and go on after it.

        Raises:
          errors.UserError: what is wrong with more than a file.
          OSError: if a file cannot be written (one that cannot be read is an InvalidExample).
        """
        try:
            yield
        except (errors.UserError, OSError):
            raise
        except Exception as error:
            sentence = _sentence(error)
            names = dict.fromkeys(map(_name, paths))
            noted = [untrusted.printable(f"{name}: {sentence}") for name in names]
            self.failures.extend(each for each in noted if each not in self.failures)

    def _found(
        self, path: Source
    ) -> Iterator[tuple[images_lib.InputImage, list[face_classifier.FoundFace]]]:
        with self.noting(path):
            for image in self._images(path):
                yield image, self._classifier.find(image)

    def _images(self, path: Source) -> Iterable[images_lib.InputImage]:
        if isinstance(path, images_lib.InputImage):
            return [path]
        return images_lib.read(path, every_s=self._every_s)

    def _is_full(self, waiting: Sequence[_Waiting]) -> bool:
        num_faces = sum(len(faces) for _, _, faces in waiting)
        num_pixels = sum(math.prod(image.size) for _, image, _ in waiting)
        return num_faces >= self._batch_size or num_pixels >= _WAITING_PIXELS

    def _classified(self, waiting: Sequence[_Waiting]) -> Iterator[Classified]:
        found = [(image, face) for _, image, faces in waiting for face in faces]
        classified: list[face_classifier.ClassifiedFace] | None = None
        paths = [path for path, _, _ in waiting]
        with self.noting(*paths), out_of_memory.as_sentence(_ADVICE):
            classified = self._classifier.classify_found(found)
        if classified is None:
            return
        rest = iter(classified)
        for _, image, faces in waiting:
            yield image, [next(rest) for _ in faces]


def _name(path: Source) -> str:
    return path.name if isinstance(path, images_lib.InputImage) else str(path)


def _sentence(error: Exception) -> str:
    if isinstance(error, invalid_example.InvalidExample):
        return str(error)
    if isinstance(error, MemoryError):
        return "not enough memory for it"
    ours = invalid_example.of_defect(error)
    return f"{ours.reason}, {ours}"
