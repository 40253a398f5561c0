"""Photographs with what was seen in them: a box around each face, and its expression above."""

import pathlib
from collections.abc import Sequence

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from trainer.inference import face_classifier, images

_COLOUR, _INK = "#0072B2", "white"


def write(
    shot: images.InputImage,
    seen: Sequence[face_classifier.ClassifiedFace],
    *,
    names: Sequence[str],
    folder: str,
) -> pathlib.Path:
    """Write `<name>.png` into a folder that is there; what is there already is kept, and a counter
    tells it apart."""
    place = pathlib.Path(folder)
    stem = pathlib.Path(shot.name).name + ("" if shot.time_s is None else f"_{shot.time_s:g}s")
    path, again = place / f"{stem}.png", 1
    while path.exists():
        again += 1
        path = place / f"{stem}_{again}.png"
    annotated(shot, seen, names=names).save(path)
    return path


def annotated(
    shot: images.InputImage, seen: Sequence[face_classifier.ClassifiedFace], *, names: Sequence[str]
) -> PIL.Image.Image:
    """Return the picture with boxes and labels, sized by the picture so that they can be read in
    any."""
    picture = PIL.Image.fromarray(shot.pixels)
    canvas = PIL.ImageDraw.Draw(picture)
    size = max(12, round(min(picture.size) / 22))
    font = PIL.ImageFont.load_default(size)
    for face, label in zip(seen, labels(seen, names=names), strict=True):
        x, y, width, height = face.found.box or (0, 0, *picture.size)
        line, edge = max(2, size // 7), max(1, size // 14)
        around = (x - edge, y - edge, x + width - 1 + edge, y + height - 1 + edge)
        canvas.rectangle(around, outline=_INK, width=edge)  # Seen on dark pictures too.
        canvas.rectangle((x, y, x + width - 1, y + height - 1), outline=_COLOUR, width=line)
        left, top, right, bottom = canvas.textbbox((0, 0), label, font=font)
        at_x = max(0, min(x, picture.width - (right - left) - 8))
        at_y = y - (bottom - top) - 8 if y >= bottom - top + 8 else y
        canvas.rectangle(
            (at_x, at_y, at_x + right - left + 8, at_y + bottom - top + 8), fill=_COLOUR
        )
        canvas.text((at_x + 4 - left, at_y + 4 - top), label, fill=_INK, font=font)
    return picture


def labels(seen: Sequence[face_classifier.ClassifiedFace], *, names: Sequence[str]) -> list[str]:
    """Return what is written above each face; several are numbered, from 1, as wherever faces are
    listed."""
    said = [
        f"{names[int(face.probabilities.argmax())]} {face.probabilities.max():.0%}" for face in seen
    ]
    return (
        [f"{number} {label}" for number, label in enumerate(said, start=1)]
        if len(said) > 1
        else said
    )
