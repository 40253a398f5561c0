"""Annotated images: draws a box around each face and writes its expression above it."""

import os
import pathlib
from collections.abc import Sequence

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from trainer.inference import face_classifier, images

_BOX_COLOR = "#0072B2"
_TEXT_COLOR = "white"
_LONGEST_BYTES = 220  # File systems allow 255.


def write(
    image: images.InputImage,
    faces: Sequence[face_classifier.ClassifiedFace],
    *,
    names: Sequence[str],
    folder: str,
) -> pathlib.Path:
    """Write `<name>.png` into a folder that exists.

    A file of that name is kept: a counter is added to the new one. A name that would be too long
    for a disk ends early.
    """
    time = "" if image.time_s is None else f"_{image.time_s:g}s"
    stem = shortened(pathlib.Path(image.name).name) + time
    (path,) = unused(folder, stem, ".png")
    annotated(image, faces, names=names).save(path)
    return path


def unused(folder: str, stem: str, *endings: str) -> list[pathlib.Path]:
    """Return paths in a folder with these endings and one stem; no file of any is there yet."""
    count = 1
    numbered = stem
    while any(pathlib.Path(folder, numbered + ending).exists() for ending in endings):
        count += 1
        numbered = f"{stem}_{count}"
    return [pathlib.Path(folder, numbered + ending) for ending in endings]


def shortened(name: str) -> str:
    """Return as much of a file's name as leaves room for a time, a counter and an ending."""
    encoded = os.fsencode(name)
    if len(encoded) <= _LONGEST_BYTES:
        return name
    return encoded[:_LONGEST_BYTES].decode("utf-8", errors="ignore")


def annotated(
    image: images.InputImage,
    faces: Sequence[face_classifier.ClassifiedFace],
    *,
    names: Sequence[str],
) -> PIL.Image.Image:
    """Return the image with boxes and labels, whose size grows with the image."""
    drawing = PIL.Image.fromarray(image.pixels)
    canvas = PIL.ImageDraw.Draw(drawing)
    size = max(12, round(min(drawing.size) / 22))
    font = PIL.ImageFont.load_default(size)
    line, edge = max(2, size // 7), max(1, size // 14)
    for face, label in zip(faces, labels(faces, names=names), strict=True):
        x, y, width, height = face.detected.box or (0, 0, *drawing.size)
        # The edge keeps the box visible on dark images.
        outside = (x - edge, y - edge, x + width - 1 + edge, y + height - 1 + edge)
        canvas.rectangle(outside, outline=_TEXT_COLOR, width=edge)
        canvas.rectangle((x, y, x + width - 1, y + height - 1), outline=_BOX_COLOR, width=line)
        _draw_label(canvas, label, corner=(x, y), font=font, image_width=drawing.width)
    return drawing


def _draw_label(
    canvas: PIL.ImageDraw.ImageDraw,
    label: str,
    *,
    corner: tuple[float, float],
    font: PIL.ImageFont.FreeTypeFont | PIL.ImageFont.ImageFont,
    image_width: int,
) -> None:
    """Write a label above a box, or inside it where there is no room above."""
    left, top, right, bottom = canvas.textbbox((0, 0), label, font=font)
    width = right - left + 8
    height = bottom - top + 8
    x = max(0, min(corner[0], image_width - width))
    y = corner[1] - height if corner[1] >= height else corner[1]
    canvas.rectangle((x, y, x + width, y + height), fill=_BOX_COLOR)
    canvas.text((x + 4 - left, y + 4 - top), label, fill=_TEXT_COLOR, font=font)


def labels(faces: Sequence[face_classifier.ClassifiedFace], *, names: Sequence[str]) -> list[str]:
    """Return the label of each face; several are numbered from 1, as wherever faces are listed.

    Those of a video have the numbers of their persons.
    """
    texts = [
        f"{names[int(face.probabilities.argmax())]} {face.probabilities.max():.0%}"
        for face in faces
    ]
    if len(texts) == 1 and not faces[0].person:
        return texts
    numbers = [face.person or number for number, face in enumerate(faces, start=1)]
    return [f"{number} {text}" for number, text in zip(numbers, texts, strict=True)]
