"""A few crops of each class beside the pictures they were cut from, with box, crop and landmarks
drawn in.

The eye finds here what no count shows: shifted boxes, x and y swapped, landmarks of another
picture, wrong labels.
"""

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import simplejpeg

import webpage.page
from affectnet_tfds import example_codec, image_codec, invalid_example
from pipeline.data_report import build_files
from pipeline.files import storage
from pipeline.shards import image_statistics, shard_writer
from webpage import charts, colours, markup

PER_CLASS = 4

SIDE = 200
"""Longer side of a picture as it is shown, in pixels of the drawing; the file holds no more."""

_MARGIN = 3
_MOST_SIDES = 2  # A crop that reaches further out of its picture is not drawn whole.
_QUALITY = 78
_CORNERS = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)], np.float64)


class Specimen(NamedTuple):
    """An example as it was written, and where it was cut from."""

    split: str
    example: example_codec.Example
    crop: np.ndarray  # uint8[S, S, 3]
    path: str  # of the original, relative to the release's root
    picture_size: tuple[int, int]
    outline: np.ndarray  # float[3, 2]: see observations.Sight

    def in_picture(self, fractions: np.ndarray) -> np.ndarray:
        """Map float[N, 2] fractions of the crop to (x, y) in the picture."""
        origin, right, below = self.outline
        return origin + fractions[:, :1] * (right - origin) + fractions[:, 1:] * (below - origin)


def section(made: build_files.Material) -> list[markup.Content]:
    """Show a few specimens of each class."""
    by_class = {label: [*_chosen(made, label)] for label in range(len(made.class_names))}
    shown = [
        [markup.element("h3", made.class_names[label]), _pairs(found, made.root)]
        for label, found in by_class.items()
        if found
    ]
    if not shown:
        return [
            webpage.page.note(
                "This build's shards were made by a version of the job that remembered none."
            )
        ]
    named = [
        ("face box of the annotation", colours.VERMILION, ""),
        ("what was cut out", colours.SKY, "5 3"),
        ("landmarks", colours.YELLOW, "3 3"),
    ]
    missing = (
        ""
        if made.root
        else " The originals are no longer where the build found them: only the crops are shown."
    )
    return [
        webpage.page.note(f"Left the original, right the crop as it is in the data set.{missing}"),
        charts.legend(named),
        shown,
    ]


def read_record(path: storage.AnyPath, at: int) -> example_codec.Example:
    """Read the record that begins at a byte of a shard."""
    with path.open("rb") as file:
        file.seek(at)
        (length,) = struct.unpack("<Q", file.read(12)[:8])
        return example_codec.parse(file.read(length))


def _chosen(made: build_files.Material, label: int) -> Iterator[Specimen]:
    """Yield the first of the class in each shard, then the second of each, until there are enough."""
    ranked = []
    for shard_number, done in enumerate(_train_first(made)):
        own = [
            one for one in done.get("observed", {}).get("specimens", ()) if one["label"] == label
        ]
        ranked += [(rank, shard_number, done["name"], one) for rank, one in enumerate(own)]
    for _, _, name, one in sorted(ranked, key=lambda item: item[:2])[:PER_CLASS]:
        example = read_record(made.folder / name, one["at"])
        yield Specimen(
            split=build_files.split_of(name),
            example=example,
            crop=image_codec.decode_crop(
                example.image,
                encoding=made.settings["encoding"],
                image_size=made.settings["image_size"],
            ),
            path=one["path"],
            picture_size=tuple(one["picture_size"]),
            outline=np.asarray(one["outline"], np.float64),
        )


def _train_first(made: build_files.Material) -> list[Mapping[str, Any]]:
    return sorted(
        made.sidecars,
        key=lambda done: (build_files.split_of(done["name"]) != "train", done["name"]),
    )


def _pairs(found: Sequence[Specimen], root: storage.AnyPath | None) -> markup.Markup:
    return webpage.page.grid([_pair(one, root) for one in found], kind="specimens")


def _pair(one: Specimen, root: storage.AnyPath | None) -> markup.Markup:
    """Show original and crop, and under them the file's name and what is known of it."""
    side, (width, height) = image_statistics.crop_side(one.outline), one.picture_size
    said = [one.split, f"{width} x {height}", f"crop {side:.0f} px"]
    if not np.isnan(one.example.valence):
        said.append(f"valence {one.example.valence:+.2f}, arousal {one.example.arousal:+.2f}")
    return markup.element(
        "figure",
        markup.element(
            "div", _original(one, root) if root else None, _crop(one), class_="specimen"
        ),
        markup.name_of_file(one.example.filename),
        webpage.page.note(" · ".join(said)),
    )


def _original(one: Specimen, root: storage.AnyPath) -> markup.Markup:
    """Draw the original with what is known of the face in it, in a square that holds the picture
    and the crop."""
    content = shard_writer.read_picture(root, one.path)
    try:
        if isinstance(content, invalid_example.InvalidExample):
            raise content
        jpeg, (width, height) = _small(
            image_codec.decode(content, scale=SIDE / max(one.picture_size))
        )
    except invalid_example.InvalidExample as found:
        return markup.element(
            "p", f"The original can no longer be read: {found.reason}.", class_="note"
        )
    to_drawing = np.array([width, height]) / one.picture_size
    crop = one.in_picture(_CORNERS) * to_drawing
    y0, x0, y1, x1 = one.example.bbox
    box = (_CORNERS * (x1 - x0, y1 - y0) + (x0, y0)) * (width, height)
    points = one.in_picture(one.example.landmarks.astype(np.float64)) * to_drawing
    shift, side = _square_around(np.vstack([crop, _CORNERS * (width, height)]))
    left, top = shift
    return charts.svg(
        markup.element(
            "image", href=markup.data_uri(jpeg), x=left, y=top, width=width, height=height
        ),
        charts.line(
            _rounded(crop + shift), stroke=colours.SKY, stroke_width=1.6, stroke_dasharray="5 3"
        ),
        charts.line(_rounded(box + shift), stroke=colours.VERMILION, stroke_width=1.6),
        _dots(points + shift, side=side),
        width=side,
        height=side,
        alt=f"original of {one.example.filename}",
    )


def _square_around(corners: np.ndarray) -> tuple[np.ndarray, float]:
    """Return what moves points into the square around them, in which they are centred, and its
    side."""
    low, high = corners.min(axis=0) - _MARGIN, corners.max(axis=0) + _MARGIN
    side = math.ceil(min((high - low).max(), _MOST_SIDES * SIDE))
    return np.round((side - (low + high)) / 2, 1), side


def _crop(one: Specimen) -> markup.Markup:
    jpeg, (width, height) = _small(one.crop)
    return charts.svg(
        markup.element("image", href=markup.data_uri(jpeg), x=0, y=0, width=SIDE, height=SIDE),
        _dots(one.example.landmarks.astype(np.float64) * SIDE, side=SIDE),
        width=SIDE,
        height=SIDE,
        alt=f"crop of {one.example.filename}",
    )


def _small(pixels: np.ndarray) -> tuple[bytes, tuple[int, int]]:
    """Return a picture's JPEG of at most SIDE pixels, and its width and height when it is drawn
    SIDE units long."""
    height, width = pixels.shape[:2]
    ratio = SIDE / max(width, height)
    size = max(1, round(width * ratio)), max(1, round(height * ratio))
    if ratio < 1:
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels), quality=_QUALITY, colorspace="RGB"
    ), size


def _dots(points: np.ndarray, *, side: float) -> list[markup.Markup]:
    """Draw landmarks; those outside the drawing are left out, and so are all where there are none
    (NaN)."""
    inside = points[np.all((points >= 0) & (points <= side), axis=1)]
    return [
        markup.element(
            "circle", cx=x, cy=y, r=1.5, fill=colours.YELLOW, stroke=colours.BLACK, stroke_width=0.5
        )
        for x, y in _rounded(inside)
    ]


def _rounded(points: np.ndarray) -> list[tuple[float, float]]:
    return [(round(float(x), 1), round(float(y), 1)) for x, y in points]
