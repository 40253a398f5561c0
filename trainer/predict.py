"""Prediction program: python -m trainer.predict IMAGE_FOLDER_OR_VIDEO ... --model_dir=DIR.

Owns the flags and the printed output; `images` reads the files, `face_classifier` classifies them.
"""

import csv
import dataclasses
import json
import pathlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from affectnet_tfds import invalid_example
from runtime import errors, fields, flags, untrusted
from trainer.config import run_config
from trainer.config.model_config import AFFECT
from trainer.distributed import devices, tf_logging
from trainer.inference import face_detector, images
from trainer.run import ensemble

if TYPE_CHECKING:  # Importing TensorFlow takes seconds; a refusal has to come first.
    from trainer.inference import face_classifier

ABOUT = """\
Detect faces in photographs and videos, crop them exactly as the pipeline does and classify them.

  python -m trainer.predict photo.jpg holiday/ clip.mp4 --model_dir=runs/first
  python -m trainer.predict crops/ --detector=none --csv       images that are face crops already"""

Row = dict[str, Any]
"""Face of an image as it is printed: file, time_s, face, box, expression and probabilities."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Predict:
    """Flags of trainer.predict; files and folders are given without a flag."""

    model_dir: str = fields.field("runs/latest", ensemble.HELP, path="folder")
    detector: str = fields.field(
        "mtcnn",
        "face detector; none takes each image as one face crop",
        choices=face_detector.NAMES,
    )
    every_s: float = fields.field(
        1.0, "interval between the frames taken from a video", unit="seconds", at_least=0.001
    )
    json: bool = fields.field(False, "print JSON: one object per face, with every probability")
    csv: bool = fields.field(False, "print CSV: one row per face, with every probability")
    draw: str | None = fields.field(
        None,
        "folder for copies of the images with boxes and expressions drawn in",
        default_text="none drawn",
        path="folder",
    )

    def __post_init__(self) -> None:
        fields.check(self)
        if self.json and self.csv:
            raise errors.UserError("one of --json and --csv may be given: got both")


SECTIONS = {"Predict": Predict}


def main(paths: Sequence[str]) -> None:
    """Predict as the flags say; the exit code is 1 when a file could not be read."""
    config = Predict(**flags.given(SECTIONS))
    if not paths:
        raise errors.UserError(
            "trainer.predict needs images, folders or videos: got none; --help shows how"
        )
    if "" in paths:
        raise errors.UserError(
            "trainer.predict needs names of images, folders or videos: got an empty one; . is the "
            "folder that you are in"
        )
    face_detector.check_installed(config.detector)
    run = ensemble.find(config.model_dir)
    run.data.geometry()  # Refused here where it is not known, before TensorFlow is imported.
    if config.draw:
        # Now: not after the minutes that the first image takes.
        pathlib.Path(config.draw).mkdir(parents=True, exist_ok=True)
    # On stderr, since stdout may be JSON or CSV; importing TensorFlow takes seconds.
    print(f"starting      with the model of {run.model_dir}", file=sys.stderr, flush=True)
    with tf_logging.chatter_off():
        # Inside: the refusals above must not wait for TensorFlow.
        from trainer.inference import face_classifier

        devices.prepare(run_config.Devices(num_gpus=0))
        detect = face_detector.detector(config.detector)
        classifier = face_classifier.FaceClassifier(run, detect=detect)
    failures: list[str] = []
    rows = predict(paths, classifier=classifier, config=config, failures=failures)
    print_rows(rows, config=config)
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    if failures:
        sys.exit(errors.FAILED)


def predict(
    paths: Sequence[str],
    *,
    classifier: "face_classifier.FaceClassifier",
    config: Predict,
    failures: list[str],
) -> Iterator[Row]:
    """Yield the rows of all files, image by image, so that memory does not grow with their number.

    A file that cannot be read, whatever the reason, adds a sentence to `failures`.

    Raises:
      OSError: if an annotated image cannot be written.
    """
    # Inside, as above.
    from trainer.inference import draw_boxes

    names = classifier.class_names
    for path in images.find(paths):
        try:
            for image in images.read(path, every_s=config.every_s):
                faces = classifier.classify([image])
                if config.draw:
                    draw_boxes.write(image, faces, names=names, folder=config.draw)
                yield from image_rows(image, faces, names=names)
        except invalid_example.InvalidExample as fault:
            failures.append(untrusted.printable(f"{path}: {fault}"))
        except MemoryError:
            failures.append(untrusted.printable(f"{path}: not enough memory for it"))
        except OSError:
            raise
        except Exception as error:
            ours = invalid_example.of_defect(error)
            failures.append(untrusted.printable(f"{path}: {ours.reason}, {ours}"))


def image_rows(
    image: images.InputImage,
    faces: "Sequence[face_classifier.ClassifiedFace]",
    *,
    names: Sequence[str],
) -> list[Row]:
    """Return one row per face of an image, or one without an expression if it has none."""
    source = {"file": untrusted.readable(image.name), "time_s": image.time_s}
    if not faces:
        return [{**source, "face": 0, "box": None, "expression": None, "probabilities": None}]
    return [
        {**source, "face": number, **_prediction(face, names=names)}
        for number, face in enumerate(faces, start=1)
    ]


def _prediction(face: "face_classifier.ClassifiedFace", *, names: Sequence[str]) -> Row:
    """Return the box and the outputs of a face; valence and arousal where the model has them."""
    probs = face.probabilities
    box = face.detected.box or (0, 0, *face.image.size)
    prediction: Row = {
        "box": [round(value) for value in box],
        "expression": names[int(probs.argmax())],
        "probabilities": {
            name: round(float(prob), 6) for name, prob in zip(names, probs, strict=True)
        },
    }
    if face.affect:
        for name, value in zip(AFFECT, face.affect, strict=True):
            prediction[name] = round(value, 6)
    return prediction


def print_rows(rows: Iterable[Row], *, config: Predict) -> None:
    """Print rows as JSON (a list), as CSV, or as lines of text, each as soon as it is known."""
    if config.json:
        print(json.dumps(list(rows), indent=2))
    elif config.csv:
        _print_csv(list(rows))
    else:
        for row in rows:
            print(_line(row), flush=True)


def _line(row: Row) -> str:
    source = untrusted.printable(row["file"])
    if row["time_s"] is not None:
        source += f" at {row['time_s']:g} s"
    if row["expression"] is None:
        return f"{source}  no face found"
    x, y, width, height = row["box"]
    top = sorted(row["probabilities"].items(), key=lambda item: -item[1])[:3]
    probs = "  ".join(f"{name} {prob:.3f}" for name, prob in top)
    affect = "".join(f"  {head} {row[head]:+.2f}" for head in AFFECT if head in row)
    return f"{source}  face {row['face']} at {x},{y} {width} x {height}  {probs}{affect}"


def _print_csv(rows: Sequence[Row]) -> None:
    names = next((list(row["probabilities"]) for row in rows if row["probabilities"]), [])
    affect = [head for head in AFFECT if any(head in row for row in rows)]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(
        ["file", "time_s", "face", "x", "y", "width", "height", "expression", *names, *affect]
    )
    for row in rows:
        probs = row["probabilities"] or {}
        box = row["box"] or ["", "", "", ""]
        source = [untrusted.cell(row["file"]), row["time_s"], row["face"]]
        outputs = [*(probs.get(name, "") for name in names), *(row.get(h, "") for h in affect)]
        writer.writerow([*source, *box, row["expression"] or "", *outputs])


if __name__ == "__main__":
    flags.define(SECTIONS)
    flags.run_on(main, sections=SECTIONS, about=ABOUT)
