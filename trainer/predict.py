"""Look at new photographs: python -m trainer.predict PHOTO_OR_FOLDER_OR_VIDEO ... --model_dir=DIR.

Owns the flags, and what is printed; `shots` finds pictures, `seeing` looks at them.
"""

import csv
import dataclasses
import importlib.util
import io
import json
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from affectnet_tfds import invalid_example
from runtime import errors, fields, flags
from trainer.config import run_config
from trainer.config.model_config import AFFECT
from trainer.distributed import devices, tf_logging
from trainer.inference import face_detector
from trainer.run import trained_run

if TYPE_CHECKING:  # Importing TensorFlow takes seconds; a refusal has to come first.
    from trainer.inference import face_classifier, images

ABOUT = """Find faces in photographs or videos and tell their expressions.

  python -m trainer.predict photo.jpg holiday/ clip.mp4 --model_dir=runs/first
  python -m trainer.predict crops/ --detector=none --csv         pictures that are face crops already"""

DETECTORS = ("mtcnn", "none")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Predict:
    """How to look, and what to write; pictures are given without a flag."""

    model_dir: str = fields.field("runs/latest", "folder of the trained model")
    detector: str = fields.field(
        "mtcnn", "what finds faces; none takes the whole picture", choices=DETECTORS
    )
    every_s: float = fields.field(
        1.0, "time between the frames of a video", unit="seconds", at_least=0.001
    )
    json: bool = fields.field(False, "print JSON: one object a face, with every probability")
    csv: bool = fields.field(False, "print CSV: one row a face, with every probability")
    draw: str | None = fields.field(
        None, "folder for pictures with boxes and names drawn in", default_text="none drawn"
    )

    def __post_init__(self) -> None:
        fields.check(self)
        if self.json and self.csv:
            raise errors.UserError("one of --json and --csv may be given: got both")


SECTIONS = {"Predict": Predict}


def main(paths: Sequence[str]) -> None:
    """Predict as the flags say; the exit code is 1 when a file could not be read."""
    asked = Predict(**flags.given(SECTIONS))
    if not paths:
        raise errors.UserError(
            "trainer.predict wants pictures, folders or videos: got none; --help shows how"
        )
    check_detector(asked.detector)
    run = trained_run.find(asked.model_dir)
    run.data.geometry()  # Refuses, if that is not known.
    if asked.draw:
        make_folder(asked.draw)
    with tf_logging.chatter_off():
        # Inside: the refusals above must not wait for TensorFlow.
        from trainer.inference import face_classifier

        devices.prepare(run_config.Devices(num_gpus=0))
        reader, detect = face_classifier.FaceClassifier(run), face_detector.detector(asked.detector)
    troubles: list[str] = []
    print_rows(
        look(paths, reader=reader, detect=detect, asked=asked, troubles=troubles), asked=asked
    )
    for trouble in troubles:
        print(f"error: {trouble}", file=sys.stderr)
    if troubles:
        sys.exit(1)


def check_detector(name: str) -> None:
    """Check that a detector is installed, without importing it.

    Raises:
      errors.UserError: if it is not.
    """
    if name == "mtcnn" and importlib.util.find_spec("mtcnn") is None:
        raise errors.UserError(
            "--detector=mtcnn needs mtcnn: pip install 'affectnet-faces[predict]', or --detector=none"
        )


def make_folder(draw: str) -> None:
    """Make the folder of --draw.

    Raises:
      errors.UserError: if it cannot be made.
    """
    try:
        pathlib.Path(draw).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise errors.UserError(
            f"--draw must name a folder: got {draw!r} ({error.strerror})"
        ) from None


def look(
    paths: Sequence[str],
    *,
    reader: "face_classifier.FaceClassifier",
    detect: "face_detector.Detector",
    asked: Predict,
    troubles: list[str],
) -> Iterator[dict[str, Any]]:
    """Yield one row a face, and one without an expression for a picture that shows none; collect
    what went wrong."""
    # Inside, as above.
    from trainer.inference import draw_boxes, images

    for path in images.find(paths):
        try:
            for shot in images.read(path, every_s=asked.every_s):
                seen = reader.see(shot, detect=detect)
                if asked.draw:
                    draw_boxes.write(shot, seen, names=reader.class_names, folder=asked.draw)
                yield from rows(shot, seen, names=reader.class_names)
        except invalid_example.InvalidExample as fault:
            troubles.append(f"{path}: {fault}")


def rows(
    shot: "images.InputImage",
    seen: "Sequence[face_classifier.ClassifiedFace]",
    *,
    names: Sequence[str],
) -> list[dict[str, Any]]:
    """Return what is said of a picture: one row a face, with valence and arousal where the model
    has learned them."""
    where = {"file": shot.name, "time_s": shot.time_s}
    if not seen:
        return [{**where, "face": 0, "box": None, "expression": None, "probabilities": None}]
    return [
        {
            **where,
            "face": number,
            "box": list(map(round, face.found.box)) if face.found.box else [0, 0, *shot.size],
            "expression": names[int(face.probabilities.argmax())],
            "probabilities": {
                n: round(float(p), 6) for n, p in zip(names, face.probabilities, strict=True)
            },
            **(
                {n: round(v, 6) for n, v in zip(AFFECT, face.affect, strict=True)}
                if face.affect
                else {}
            ),
        }
        for number, face in enumerate(seen, start=1)
    ]


def print_rows(found: Iterator[dict[str, Any]], *, asked: Predict) -> None:
    """Print rows as they come: a table, JSON (a list) or CSV."""
    if asked.json:
        print(json.dumps(list(found), indent=2))
    elif asked.csv:
        _print_csv(found)
    else:
        for row in found:
            print(_line(row), flush=True)


def _line(row: dict[str, Any]) -> str:
    name = row["file"] if row["time_s"] is None else f"{row['file']} at {row['time_s']:g} s"
    if row["expression"] is None:
        return f"{name}  no face found"
    x, y, width, height = row["box"]
    likely = sorted(row["probabilities"].items(), key=lambda item: -item[1])[:3]
    probs = "  ".join(f"{label} {chance:.3f}" for label, chance in likely)
    affect = "".join(f"  {head} {row[head]:+.2f}" for head in AFFECT if head in row)
    return f"{name}  face {row['face']} at {x},{y} {width} x {height}  {probs}{affect}"


def _print_csv(found: Iterator[dict[str, Any]]) -> None:
    kept = list(found)
    names = next((list(row["probabilities"]) for row in kept if row["probabilities"]), [])
    affect = [head for head in AFFECT if any(head in row for row in kept)]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["file", "time_s", "face", "x", "y", "width", "height", "expression", *names, *affect]
    )
    for row in kept:
        probs = row["probabilities"] or {}
        box = row["box"] or ["", "", "", ""]
        values = [*(probs.get(name, "") for name in names), *(row.get(head, "") for head in affect)]
        writer.writerow(
            [row["file"], row["time_s"], row["face"], *box, row["expression"] or "", *values]
        )
    print(text.getvalue(), end="")


if __name__ == "__main__":
    flags.define(SECTIONS)
    flags.run_on(main, sections=SECTIONS, about=ABOUT)
