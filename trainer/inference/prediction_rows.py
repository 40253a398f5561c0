"""Prediction rows: faces of images as lines of text, JSON or CSV.

Owns the names and the order of what is printed; docs/reports.md documents them.
"""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from runtime import untrusted
from trainer.config.model_config import AFFECT

if TYPE_CHECKING:  # Importing TensorFlow takes seconds; a refusal has to come first.
    from trainer.inference import face_classifier, images

Row = dict[str, Any]
"""Face of an image: file, time_s, face, person, box, confidence, expression, probabilities."""

Layout = Literal["text", "json", "csv"]

_SHOWN = 3
"""Expressions in a line of text, unless another number is asked for."""

_SOURCE = ("file", "time_s", "face", "person")
_BOX = ("x", "y", "width", "height")


def of_image(
    image: "images.InputImage",
    faces: "Sequence[face_classifier.ClassifiedFace]",
    *,
    names: Sequence[str],
) -> list[Row]:
    """Return one row per face of an image, or one without an expression if it has none."""
    source = {"file": untrusted.readable(image.name), "time_s": image.time_s}
    nothing = {
        "person": None,
        "box": None,
        "confidence": None,
        "expression": None,
        "probabilities": None,
    }
    if not faces:
        return [{**source, "face": 0, **nothing}]
    return [{**source, **row} for row in of_faces(faces, names=names)]


def of_faces(
    faces: "Sequence[face_classifier.ClassifiedFace]", *, names: Sequence[str]
) -> list[Row]:
    """Return one row per face, without the file that it is in."""
    return [
        {"face": number, **_prediction(face, names=names)}
        for number, face in enumerate(faces, start=1)
    ]


def _prediction(face: "face_classifier.ClassifiedFace", *, names: Sequence[str]) -> Row:
    """Return the box and the outputs of a face; valence and arousal where the model has them."""
    probs = face.probabilities
    detected = face.detected
    prediction: Row = {
        "person": face.person,
        "box": [round(value) for value in detected.box or (0, 0, *face.image.size)],
        "confidence": round(detected.confidence, 4) if detected.box else None,
        "expression": names[int(probs.argmax())],
        "probabilities": {
            name: round(float(prob), 6) for name, prob in zip(names, probs, strict=True)
        },
    }
    if face.affect:
        for name, value in zip(AFFECT, face.affect, strict=True):
            prediction[name] = round(value, 6)
    return prediction


def write(rows: Iterable[Row], *, layout: Layout, top_k: int | None) -> None:
    """Print rows as JSON (a list), as CSV, or as lines of text, each as soon as it is known.

    Args:
      rows: of `of_image`.
      layout: of them.
      top_k: number of the most probable expressions that are given; None: three in text, else all.
    """
    if layout == "json":
        print(json.dumps([_with_top(row, top_k=top_k) for row in rows], indent=2))
    elif layout == "csv":
        _print_csv(list(rows), top_k=top_k)
    else:
        for row in rows:
            print(_line(row, top_k=top_k or _SHOWN), flush=True)


def _top(row: Row, *, top_k: int) -> list[tuple[str, float]]:
    return sorted((row["probabilities"] or {}).items(), key=lambda item: -item[1])[:top_k]


def _with_top(row: Row, *, top_k: int | None) -> Row:
    if top_k is None or row["probabilities"] is None:
        return row
    return {**row, "probabilities": dict(_top(row, top_k=top_k))}


def _line(row: Row, *, top_k: int) -> str:
    source = untrusted.printable(row["file"])
    if row["time_s"] is not None:
        source += f" at {row['time_s']:g} s"
    if row["expression"] is None:
        return f"{source}  no face found"
    x, y, width, height = row["box"]
    probs = "  ".join(f"{name} {prob:.3f}" for name, prob in _top(row, top_k=top_k))
    affect = "".join(f"  {head} {row[head]:+.2f}" for head in AFFECT if head in row)
    who = f"person {row['person']}" if row["person"] else f"face {row['face']}"
    return f"{source}  {who} at {x},{y} {width} x {height}  {probs}{affect}"


def _print_csv(rows: Sequence[Row], *, top_k: int | None) -> None:
    names = next((list(row["probabilities"]) for row in rows if row["probabilities"]), [])
    if top_k is None:
        outputs = names
    else:
        numbers = range(1, min(top_k, len(names)) + 1)
        outputs = [each for n in numbers for each in (f"expression_{n}", f"probability_{n}")]
    affect = [head for head in AFFECT if any(head in row for row in rows)]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([*_SOURCE, *_BOX, "confidence", "expression", *outputs, *affect])
    for row in rows:
        source = [untrusted.cell(row["file"]), row["time_s"], row["face"], row["person"]]
        cells = _cells(row, names=names, top_k=top_k) or [""] * len(outputs)
        heads = [row.get(head, "") for head in affect]
        writer.writerow(
            [
                *source,
                *(row["box"] or [""] * len(_BOX)),
                row["confidence"],
                row["expression"] or "",
                *cells,
                *heads,
            ]
        )


def _cells(row: Row, *, names: Sequence[str], top_k: int | None) -> list[Any]:
    """Return the cells of a row's probabilities, none where it has no face."""
    if not row["probabilities"]:
        return []
    if top_k is None:
        return [row["probabilities"][name] for name in names]
    return [cell for pair in _top(row, top_k=top_k) for cell in pair]
