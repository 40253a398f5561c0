"""Row to example: crops the face of an annotation row, and makes the record that is stored."""

import math
from typing import NamedTuple

import numpy as np

from affectnet_tfds import (
    crop_geometry,
    example_codec,
    face_crop,
    features,
    image_codec,
    labels,
)
from pipeline.rows import annotations
from pipeline.shards import image_statistics, measured_groups, tasks

NO_SOFT_LABEL = (math.nan,) * 8


class ExampleSettings(NamedTuple):
    """The settings of a build that decide an example's bytes, given its row."""

    geometry: face_crop.Geometry
    encoding: str  # one of image_codec.ENCODINGS
    soft_labels: bool  # whether examples have a probability for each expression
    groups: tuple[str, ...] = ()  # names of the attributes that examples have


class RowCrop(NamedTuple):
    """The face crop of a row, and what is stored or counted besides."""

    face: np.ndarray  # uint8[S, S, 3]
    points: np.ndarray  # float32[68, 2], fractions of the crop
    bbox: tuple[float, ...]  # fractions of the image
    aligned: bool
    info: image_statistics.ImageInfo
    as_is: bytes  # the image file, if it is its own crop; else empty
    measured: tuple[tuple[str, str], ...] = ()  # name and text of the attributes measured


def crop(content: bytes, row: annotations.Row, settings: ExampleSettings) -> RowCrop:
    """Crop a row's face from its image file, aligned if asked for and the landmarks allow it.

    Raises:
      annotations.InvalidExample: if the image or its box cannot be used.
    """
    header, box = _header_and_box(content, row)
    cut = face_crop.cut(
        content,
        header=header,
        box=box,
        points=annotations.points_of(row),
        geometry=settings.geometry,
    )
    is_stored_as_is = (
        settings.encoding == "jpeg"
        and isinstance(cut.place, crop_geometry.Square)
        and crop_geometry.is_stored_as_is(
            content, header, cut.place, image_size=settings.geometry.image_size
        )
    )
    box_px = max(box[2:] if box else header.size)
    measured = measured_groups.measure(
        measured_groups.Measurable(cut.face, box_px, annotations.points_of(row)),
        names=[name for name in features.MEASURED_GROUPS if name in settings.groups],
    )
    return RowCrop(
        face=cut.face,
        points=cut.points,
        bbox=crop_geometry.bbox_fractions(box, picture_size=header.size),
        aligned=cut.aligned,
        info=image_statistics.ImageInfo(header.size, box_px, cut.place.outline()),
        as_is=content if is_stored_as_is else b"",
        measured=measured,
    )


def check(content: bytes, row: annotations.Row, geometry: face_crop.Geometry) -> None:
    """Check what a crop needs and the header of the image file shows: nothing is decoded.

    Raises:
      annotations.InvalidExample: if the header or the box cannot be used.
    """
    header, box = _header_and_box(content, row)
    face_crop.locate(
        box, points=annotations.points_of(row), picture_size=header.size, geometry=geometry
    )


def _header_and_box(
    content: bytes, row: annotations.Row
) -> tuple[image_codec.Header, crop_geometry.Box | None]:
    """Return the header of a row's image, and the box in its pixels."""
    header = image_codec.read_header(content)
    if row.box and row.box_from == "fractions":
        return header, crop_geometry.in_pixels(row.box, picture_size=header.size)
    return header, row.box


def example(
    row_crop: RowCrop, task: tasks.Task, settings: ExampleSettings
) -> example_codec.Example:
    """Return the example of a task; odd copies are mirrored, landmarks with them."""
    row = task.row
    face = row_crop.face
    points = row_crop.points
    mirrored = bool(task.copy % 2)
    if mirrored:
        face, points = crop_geometry.mirror(face, points)
    if row_crop.as_is and not mirrored:
        image = row_crop.as_is
    else:
        image = image_codec.encode(face, encoding=settings.encoding)
    return example_codec.Example(
        image=image,
        label=row.label,
        valence=row.valence,
        arousal=row.arousal,
        landmarks=points,
        bbox=row_crop.bbox,
        filename=row.filename,
        subset=labels.SUBSETS.index(row.subset),
        copy=task.copy,
        soft_label=(row.soft_label or NO_SOFT_LABEL) if settings.soft_labels else (),
        groups=_groups(row, row_crop, settings),
    )


def _groups(
    row: annotations.Row, row_crop: RowCrop, settings: ExampleSettings
) -> tuple[tuple[str, str], ...]:
    """Return name and text of every attribute asked for, by name; "" for what is not known.

    A name that has a column of the annotation is not measured.
    """
    found = {**dict(row_crop.measured), **dict(row.groups)}
    return tuple((name, found.get(name, "")) for name in sorted(settings.groups))
