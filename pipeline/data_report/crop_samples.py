"""Sample of crops beside their originals, with face box, crop outline and landmarks drawn in.

Shows errors that no count shows: shifted boxes, x and y swapped, landmarks of another image, wrong
labels.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import simplejpeg

import webpage.page
from affectnet_tfds import dataset_paths, example_codec, image_codec, invalid_example
from pipeline.data_report import build_files
from pipeline.files import storage
from pipeline.shards import image_files, image_statistics, near_duplicates_in_shards
from webpage import charts, colours, markup

PER_CLASS = 4

SIDE = 200
"""Longer side of an image in the report, in pixels; the file holds no larger one."""

_MARGIN = 3
_MOST_SIDES = 2  # A crop that extends further beyond its image is cut off in the drawing.
_QUALITY = 78
_CORNERS = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)], np.float64)


class Specimen(NamedTuple):
    """An example of a shard, and the part of the original that it was cropped from."""

    split: str
    example: example_codec.Example
    crop: np.ndarray  # uint8[S, S, 3]
    path: str  # of the original, relative to the release's root
    image_size: tuple[int, int]  # of the original: width, height
    outline: np.ndarray  # float[3, 2]: three corners of the crop, see shards/image_statistics.py

    def in_image(self, fractions: np.ndarray) -> np.ndarray:
        """Map float[N, 2] fractions of the crop to (x, y) in the original."""
        origin, right, below = self.outline
        x, y = fractions[:, :1], fractions[:, 1:]
        points: np.ndarray = origin + x * (right - origin) + y * (below - origin)
        return points


def section(built: build_files.BuildFiles) -> list[markup.Content]:
    """Show a few specimens of each class."""
    by_class = {label: [*_chosen(built, label)] for label in range(len(built.class_names))}
    shown = [
        [markup.element("h3", built.class_names[label]), _pairs(specimens, built.root)]
        for label, specimens in by_class.items()
        if specimens
    ]
    if not shown:
        return [
            webpage.page.note(
                "This build's shards were made by a version of the job that did not record it."
            )
        ]
    named = [
        ("face box of the annotation", colours.VERMILION, ""),
        ("crop", colours.SKY, "5 3"),
        ("landmarks", colours.YELLOW, "3 3"),
    ]
    note = "Left the original, right the crop as it is in the data set."
    if not built.root:
        note += " The originals are no longer where the build found them: only the crops are shown."
    return [
        webpage.page.note(note),
        charts.legend(named),
        shown,
    ]


def _chosen(built: build_files.BuildFiles, label: int) -> Iterator[Specimen]:
    """Yield the first specimen of the class in each shard, then the second, up to PER_CLASS."""
    ranked = []
    for shard_number, sidecar in enumerate(_train_first(built)):
        specimens = sidecar.get("observed", {}).get("specimens", ())
        own = [recorded for recorded in specimens if recorded["label"] == label]
        ranked += [
            (rank, shard_number, sidecar["name"], recorded) for rank, recorded in enumerate(own)
        ]
    for _, _, name, recorded in sorted(ranked, key=lambda item: item[:2])[:PER_CLASS]:
        example = near_duplicates_in_shards.read_record(built.folder / name, recorded["at"])
        yield Specimen(
            split=dataset_paths.parse_shard_name(name).split,
            example=example,
            crop=image_codec.decode_crop(
                example.image,
                encoding=built.settings["encoding"],
                image_size=built.settings["image_size"],
            ),
            path=recorded["path"],
            image_size=tuple(recorded["picture_size"]),
            outline=np.asarray(recorded["outline"], np.float64),
        )


def _train_first(built: build_files.BuildFiles) -> list[Mapping[str, Any]]:
    return sorted(
        built.sidecars,
        key=lambda sidecar: (
            dataset_paths.parse_shard_name(sidecar["name"]).split != "train",
            sidecar["name"],
        ),
    )


def _pairs(specimens: Sequence[Specimen], root: storage.AnyPath | None) -> markup.Markup:
    return webpage.page.grid([_pair(specimen, root) for specimen in specimens], kind="specimens")


def _pair(specimen: Specimen, root: storage.AnyPath | None) -> markup.Markup:
    """Show original and crop, and under them the file's name, sizes, valence and arousal."""
    width, height = specimen.image_size
    side = image_statistics.crop_side(specimen.outline)
    facts = [specimen.split, f"{width} x {height}", f"crop {side:.0f} px"]
    example = specimen.example
    if not np.isnan(example.valence):
        facts.append(f"valence {example.valence:+.2f}, arousal {example.arousal:+.2f}")
    original = _original(specimen, root) if root else None
    return markup.element(
        "figure",
        markup.element("div", original, _crop(specimen), class_="specimen"),
        markup.name_of_file(example.filename),
        webpage.page.note(" · ".join(facts)),
    )


def _original(specimen: Specimen, root: storage.AnyPath) -> markup.Markup:
    """Draw the original with box, crop and landmarks, in a square around image and crop."""
    # Links are followed: the build has decided which it took.
    content = image_files.read(root, specimen.path, follow_links=True)
    try:
        if isinstance(content, invalid_example.InvalidExample):
            raise content
        jpeg, (width, height) = _small(
            image_codec.decode(content, scale=SIDE / max(specimen.image_size))
        )
    except invalid_example.InvalidExample as defect:
        return markup.element(
            "p", f"The original can no longer be read: {defect.reason}.", class_="note"
        )
    to_drawing = np.array([width, height]) / specimen.image_size
    crop = specimen.in_image(_CORNERS) * to_drawing
    y0, x0, y1, x1 = specimen.example.bbox
    box = (_CORNERS * (x1 - x0, y1 - y0) + (x0, y0)) * (width, height)
    points = specimen.in_image(specimen.example.landmarks.astype(np.float64)) * to_drawing
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
        alt=f"original of {specimen.example.filename}",
    )


def _square_around(corners: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the shift that centres points in the square around them, and the square's side."""
    low = corners.min(axis=0) - _MARGIN
    high = corners.max(axis=0) + _MARGIN
    side = math.ceil(min((high - low).max(), _MOST_SIDES * SIDE))
    return np.round((side - (low + high)) / 2, 1), side


def _crop(specimen: Specimen) -> markup.Markup:
    jpeg, _ = _small(specimen.crop)
    return charts.svg(
        markup.element("image", href=markup.data_uri(jpeg), x=0, y=0, width=SIDE, height=SIDE),
        _dots(specimen.example.landmarks.astype(np.float64) * SIDE, side=SIDE),
        width=SIDE,
        height=SIDE,
        alt=f"crop of {specimen.example.filename}",
    )


def _small(pixels: np.ndarray) -> tuple[bytes, tuple[int, int]]:
    """Return an image's JPEG of at most SIDE pixels, and its drawn width and height."""
    height, width = pixels.shape[:2]
    ratio = SIDE / max(width, height)
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    if ratio < 1:
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    jpeg = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=_QUALITY, colorspace="RGB")
    return jpeg, size


def _dots(points: np.ndarray, *, side: float) -> list[markup.Markup]:
    """Draw the landmarks inside the drawing; missing ones are NaN and not drawn."""
    inside = points[np.all((points >= 0) & (points <= side), axis=1)]
    return [
        markup.element(
            "circle", cx=x, cy=y, r=1.5, fill=colours.YELLOW, stroke=colours.BLACK, stroke_width=0.5
        )
        for x, y in _rounded(inside)
    ]


def _rounded(points: np.ndarray) -> list[tuple[float, float]]:
    return [(round(float(x), 1), round(float(y), 1)) for x, y in points]
