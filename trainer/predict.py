"""Prediction program: python -m trainer.predict IMAGE_FOLDER_OR_VIDEO ... --model_dir=DIR.

Owns the flags and what is said on the way; `batches` reads and classifies, `prediction_rows` has
the printed output.
"""

import dataclasses
import itertools
import pathlib
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from runtime import atomic_file, errors, fields, flags, terminal, untrusted
from runtime.terminal import Part
from trainer.config import run_config
from trainer.distributed import devices, tf_logging
from trainer.inference import face_detector, images, prediction_rows
from trainer.run import ensemble

if TYPE_CHECKING:  # Importing TensorFlow takes seconds; a refusal has to come first.
    from trainer.inference import batches as batches_lib
    from trainer.inference import face_classifier
    from trainer.reports import expression_curve

ABOUT = """\
Detect faces in photographs and videos, crop them exactly as the pipeline does and classify them.

  python -m trainer.predict photo.jpg holiday/ clip.mp4 --model_dir=runs/first
  python -m trainer.predict crops/ --detector=none --csv       images that are face crops already
  python -m trainer.predict photos/ --detector=boxes.csv       boxes that are known already
  find photos -name '*.jpg' | python -m trainer.predict -      paths from standard input"""

STDIN = "-"
_PROGRESS_S = 30.0
"""Seconds between two lines of progress where they cannot be replaced."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Predict:
    """Flags of trainer.predict; files and folders are given without a flag."""

    model_dir: str = fields.field("runs/latest", ensemble.HELP, path="folder")
    detector: str = fields.field(
        "mtcnn", face_detector.HELP, path="file", words=face_detector.WORDS
    )
    min_face: float | None = fields.field(
        None,
        face_detector.MIN_FACE_HELP,
        unit="pixels",
        at_least=8,
        default_text=face_detector.MIN_FACE_TEXT,
    )
    min_confidence: float | None = fields.field(
        None,
        face_detector.MIN_CONFIDENCE_HELP,
        at_least=0,
        at_most=1,
        default_text=face_detector.MIN_CONFIDENCE_TEXT,
    )
    every_s: float = fields.field(
        1.0, "interval between the frames taken from a video", unit="seconds", at_least=0.001
    )
    smooth_s: float = fields.field(
        1.0,
        "time constant by which the outputs for a person are smoothed over the frames of a video; "
        "0 leaves each frame as it is",
        unit="seconds",
        at_least=0,
    )
    curve: str | None = fields.field(
        None,
        "folder for the expressions over the time of each video, as a picture and as a CSV",
        default_text="none",
        path="folder",
    )
    batch_size: int = fields.field(
        32, "number of faces, of any images, that the network is given at once", at_least=1
    )
    num_gpus: int | None = fields.field(
        None,
        "GPUs to use, which share each batch; 0 is the CPU",
        at_least=0,
        default_text="all there are",
    )
    top_k: int | None = fields.field(
        None,
        "number of the most probable expressions that are given",
        at_least=1,
        default_text="3 in text, all in JSON and CSV",
    )
    json: bool = fields.field(False, "print JSON: one object per face, with every probability")
    csv: bool = fields.field(False, "print CSV: one row per face, with every probability")
    draw: str | None = fields.field(
        None,
        "folder for copies of the images with boxes and expressions drawn in",
        default_text="none drawn",
        path="folder",
    )

    explain: str | None = fields.field(
        None,
        "folder for pictures of each face, as it is and with what spoke for its expression in "
        "orange; of a single run only, since an ensemble has several networks",
        default_text="none",
        path="folder",
    )

    def __post_init__(self) -> None:
        fields.check(self)
        if self.json and self.csv:
            raise errors.UserError("one of --json and --csv may be given: got both")
        face_detector.check_filter(
            self.detector, min_face=self.min_face, min_confidence=self.min_confidence
        )

    @property
    def layout(self) -> prediction_rows.Layout:
        """How rows are printed."""
        if self.json:
            return "json"
        return "csv" if self.csv else "text"

    @property
    def devices(self) -> run_config.Devices:
        """The devices of the networks."""
        return run_config.Devices(num_gpus=self.num_gpus)


SECTIONS = {"Predict": Predict}


def main(paths: Sequence[str]) -> None:
    """Predict as the flags say; the exit code is 1 when a file could not be read."""
    config = Predict(**flags.given(SECTIONS))
    check_paths(paths)
    face_detector.check_installed(config.detector)
    run = ensemble.find(config.model_dir)
    # Refused here, before TensorFlow is imported: crops that are not known, or not of faces.
    face_detector.check_crops(config.detector, like=run.data.geometry().like)
    if config.explain:
        ensemble.check_is_one_run(run, flag="--explain")
    devices.refuse_early(config.devices)
    for folder in filter(None, (config.draw, config.curve, config.explain)):
        # Now: not after the minutes that the first image takes.
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    # On stderr, since stdout may be JSON or CSV; importing TensorFlow takes seconds.
    print(f"starting      with the model of {run.model_dir}", file=sys.stderr, flush=True)
    with tf_logging.chatter_off():
        # Inside: the refusals above must not wait for TensorFlow.
        from trainer.inference import batches as batches_lib

        classifier = load(run, config=config)
        explanations = Explanations(run, folder=config.explain) if config.explain else None
    batches = batches_lib.Batches(classifier, batch_size=config.batch_size, every_s=config.every_s)
    rows = predict(
        paths,
        batches=batches,
        names=classifier.class_names,
        config=config,
        explanations=explanations,
    )
    prediction_rows.write(rows, layout=config.layout, top_k=config.top_k)
    if unused := classifier.unused_boxes():
        print(f"warning: {unused}", file=sys.stderr)
    for failure in batches.failures:
        print(f"error: {failure}", file=sys.stderr)
    if batches.failures:
        sys.exit(errors.FAILED)


def check_paths(paths: Sequence[str]) -> None:
    """Check that there are names of files.

    Raises:
      errors.UserError: if there are none, or an empty one.
    """
    if not paths:
        raise errors.UserError(
            "trainer.predict needs images, folders or videos: got none; --help shows how"
        )
    if "" in paths:
        raise errors.UserError(
            "trainer.predict needs names of images, folders or videos: got an empty one; . is the "
            "folder that you are in"
        )


def load(run: ensemble.Model, *, config: Predict) -> "face_classifier.FaceClassifier":
    """Return the classifier of a run, on the devices that the flags name.

    Raises:
      errors.UserError: if these are not there, or detector or weights cannot be read.
    """
    from trainer.inference import face_classifier  # Inside, as above.

    names = devices.prepare(config.devices)
    devices.start()
    detect = face_detector.detector(
        config.detector,
        min_face=config.min_face,
        min_confidence=config.min_confidence,
        device=names[0],
    )
    return face_classifier.FaceClassifier(run, detect=detect, devices=names)


def predict(
    paths: Sequence[str],
    *,
    batches: "batches_lib.Batches",
    names: Sequence[str],
    config: Predict,
    explanations: "Explanations | None" = None,
) -> Iterator[prediction_rows.Row]:
    """Yield the rows of all files, in their order; memory does not grow with their number.

    A file that cannot be read, whatever the reason, adds a sentence to `batches.failures`.

    Raises:
      OSError: if an annotated image or a curve cannot be written.
    """
    from trainer.inference import draw_boxes, tracker  # Inside, as above.

    files, total = listed(paths)
    progress = Progress(total)
    people = tracker.Tracker(smooth_s=config.smooth_s, every_s=config.every_s)
    curves = Curves(config, names=names)
    for image, found in batches.run(files, read=lambda _: progress.file_read()):
        faces = people.follow(image, found)
        curves.add(image, faces)
        if config.draw:
            with batches.noting(pathlib.Path(image.name)):
                draw_boxes.write(image, faces, names=names, folder=config.draw)
        if explanations:
            with batches.noting(pathlib.Path(image.name)):
                explanations.write(image, faces, names=names)
        progress.count(len(faces))
        yield from prediction_rows.of_image(image, faces, names=names)
    curves.write()
    progress.end()


class Explanations:
    """Pictures of what spoke for the expression of each face, in a folder that exists."""

    def __init__(self, run: ensemble.Model, *, folder: str) -> None:
        from trainer.inference import face_classifier  # Inside, as above.

        self._folder = folder
        self._pictures = face_classifier.face_pictures_of(run)

    def write(
        self,
        image: images.InputImage,
        faces: "Sequence[face_classifier.ClassifiedFace]",
        *,
        names: Sequence[str],
    ) -> None:
        """Write `<name>_face1_<expression>.png` and so on: the crop, and the evidence over it."""
        # Inside, as above.
        import cv2
        import numpy as np

        from trainer.inference import draw_boxes

        classes = [int(face.probabilities.argmax()) for face in faces]
        pictures = self._pictures.of([face.crop for face in faces], classes=classes)
        time = "" if image.time_s is None else f"_{image.time_s:g}s"
        stem = draw_boxes.shortened(pathlib.Path(image.name).name) + time
        for number, (face, label, picture) in enumerate(
            zip(faces, classes, pictures, strict=True), start=1
        ):
            name = f"{stem}_face{number}_{names[label]}"
            (path,) = draw_boxes.unused(self._folder, name, ".png")
            both = np.concatenate([face.crop, picture], axis=1)
            png = cv2.imencode(".png", cv2.cvtColor(both, cv2.COLOR_RGB2BGR))[1]
            atomic_file.replace(path, content=png.tobytes())


class Curves:
    """Expressions over time of one video after another, written when the next one begins."""

    def __init__(self, config: Predict, *, names: Sequence[str]) -> None:
        self._folder = config.curve
        self._gap_s = 2.5 * config.every_s
        self._names = names
        self._video: str | None = None
        self._moments: list[expression_curve.Moment] = []

    def add(
        self, image: images.InputImage, faces: "Sequence[face_classifier.ClassifiedFace]"
    ) -> None:
        """Add the persons of a frame."""
        if self._folder is None or image.time_s is None:
            return
        from trainer.reports import expression_curve  # Inside, as above.

        if image.name != self._video:
            self.write()
            self._video = image.name
        self._moments += [
            expression_curve.Moment(image.time_s, face.person or 0, face.probabilities.tolist())
            for face in faces
        ]

    def write(self) -> None:
        """Write the picture and the CSV of the video so far, and forget it."""
        if self._folder is None or self._video is None:
            return
        # Inside, as above.
        from trainer.inference import draw_boxes
        from trainer.reports import expression_curve, figures

        name = pathlib.Path(self._video).name
        stem = f"{draw_boxes.shortened(name)}_expressions"
        picture, table = draw_boxes.unused(self._folder, stem, ".png", ".csv")
        title = f"Expressions in {untrusted.printable(name):.60}"
        drawing = expression_curve.picture(
            self._moments, names=self._names, title=title, gap_s=self._gap_s
        )
        atomic_file.replace(picture, content=figures.png(drawing))
        text = expression_curve.table(self._moments, names=self._names)
        atomic_file.replace(table, content=text.encode())
        print(f"curve         {picture}  {table}", file=sys.stderr, flush=True)
        self._video, self._moments = None, []


def listed(paths: Sequence[str]) -> tuple[Iterable[pathlib.Path], int | None]:
    """Return the files that are named, and how many, where standard input names none."""
    if STDIN in paths:
        words = itertools.chain.from_iterable(
            named_on_stdin() if path == STDIN else [path] for path in paths
        )
        return images.find(words), None
    files = list(images.find(paths))
    return files, len(files)


def named_on_stdin() -> Iterator[str]:
    """Yield the paths on standard input, one a line, as they come."""
    for line in sys.stdin:
        path = line.rstrip("\r\n")
        if path:
            yield path


class Progress:
    """Line on stderr: files read, images and faces classified, speed and time left."""

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._line = terminal.ProgressLine(to=sys.stderr, every_s=_PROGRESS_S)
        self._start_s = time.monotonic()
        self._files = self._images = self._faces = 0

    def file_read(self) -> None:
        """Count a file, and show the line."""
        self._files += 1
        self._line.show(self._parts(), final=False)

    def count(self, num_faces: int) -> None:
        """Count an image, and make room for what is printed of it."""
        self._images += 1
        self._faces += num_faces
        self._line.clear()

    def end(self) -> None:
        """Show the totals."""
        self._line.clear()
        seconds = max(time.monotonic() - self._start_s, 1e-9)
        counts = f"{_counted(self._faces, 'face')} of {_counted(self._images, 'image')}"
        print(
            f"classified    {counts} in {seconds:.1f} s ({self._images / seconds:.1f} images/s)",
            file=sys.stderr,
            flush=True,
        )

    def _parts(self) -> list[Part]:
        seconds = max(time.monotonic() - self._start_s, 1e-9)
        speed = self._files / seconds
        parts = [Part(f"file {self._files:,}"), Part(f"  {speed:.1f} files/s", rank=1)]
        if self._total:
            parts[0] = Part(f"file {self._files:,} of {self._total:,}")
            parts.insert(1, Part(f"  {terminal.bar(self._files / self._total)}", rank=2))
            left_s = (self._total - self._files) / speed
            parts.append(Part(f"  {terminal.clock(left_s)} left", rank=1))
        return parts


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


if __name__ == "__main__":
    flags.define(SECTIONS)
    flags.run_on(main, sections=SECTIONS, about=ABOUT)
