"""Face cropping by the settings of a build, the same for the job's rows and for new photographs.

Owns the order of the steps. The place of the crop is known from the header of the file, so that no
more of an image is decoded than the crop needs; a caller that has decoded the whole image (a frame
of a video) begins at `cut_decoded`.
"""

from typing import NamedTuple

import numpy as np

from affectnet_tfds import crop_geometry, face_alignment, image_codec
from affectnet_tfds.peers import crops as peer_crops

Place = crop_geometry.Square | face_alignment.Similarity | peer_crops.Place
"""Place of a crop, in pixels of the whole image."""


_ALL_LANDMARKS = len(crop_geometry.MIRRORED_POINTS)


class Geometry(NamedTuple):
    """Settings of the job that decide place and size of a crop, by the same names."""

    image_size: int
    margin_frac: float
    align: bool
    like: str = "none"
    """A peer whose arithmetic crops the faces (a name of `peer_crops.SETTINGS`), or none."""


class Cut(NamedTuple):
    """A cropped face."""

    face: np.ndarray  # uint8[S, S, 3]
    points: np.ndarray  # float32[68, 2], fractions of the crop, NaN where there are none
    place: Place

    @property
    def aligned(self) -> bool:
        return isinstance(self.place, (face_alignment.Similarity, peer_crops.Warp))


def cut(
    content: bytes,
    *,
    header: image_codec.Header,
    box: crop_geometry.Box | None,
    points: np.ndarray | None,
    geometry: Geometry,
) -> Cut:
    """Crop a face from the bytes of an image file.

    Args:
      content: the file.
      header: its header (image_codec.read_header).
      box: (x, y, width, height) in pixels of the image; None: the whole image.
      points: landmarks, float[68, 2] or the five of face_alignment, (x, y) in pixels of the image.
      geometry: settings of the build.

    Raises:
      invalid_example.InvalidExample: if the image or its box cannot be used.
    """
    place = locate(box, points=points, picture_size=header.size, geometry=geometry)
    size = geometry.image_size
    pixels = image_codec.decode(content, header, scale=part_needed(place, image_size=size))
    return cut_decoded(
        pixels, place=place, points=points, picture_width=header.size[0], image_size=size
    )


def locate(
    box: crop_geometry.Box | None,
    *,
    points: np.ndarray | None,
    picture_size: tuple[int, int],
    geometry: Geometry,
) -> Place:
    """Return the place of the crop: from the landmarks if the build aligns faces, else the box.

    Or where a peer takes it from. The box must be valid in all cases, so that aligned and plain
    builds have the same rows.

    Raises:
      invalid_example.InvalidExample: if the box cannot be used.
    """
    area = crop_geometry.square(box, picture_size=picture_size, margin_frac=geometry.margin_frac)
    if geometry.like != "none":
        return _like(geometry, box, points=points, picture_size=picture_size)
    if not geometry.align or points is None:
        return area
    return (
        face_alignment.fit(points, picture_size=picture_size, margin_frac=geometry.margin_frac)
        or area
    )


def _like(
    geometry: Geometry,
    box: crop_geometry.Box | None,
    *,
    points: np.ndarray | None,
    picture_size: tuple[int, int],
) -> Place:
    found = peer_crops.locate(
        geometry.like,
        box=box,
        points=points if points is not None and len(points) == _ALL_LANDMARKS else None,
        five=None if points is None else face_alignment.five_points(points),
        picture_size=picture_size,
    )
    size = geometry.image_size
    if isinstance(found, peer_crops.Rectangle) and found[:4] == (0, 0, size, size):
        return crop_geometry.Square(0, 0, size)  # The image is its own crop, and stored as it is.
    return found


def part_needed(place: Place, *, image_size: int) -> float:
    """Return the part of its size that an image must be decoded to (more than 1: all of it)."""
    if isinstance(place, peer_crops.Place):
        return 1.0
    if isinstance(place, crop_geometry.Square):
        scale = image_size / place.side
    else:
        scale = image_size * place.scale
    return crop_geometry.part_needed(scale, image_size=image_size)


def cut_decoded(
    pixels: np.ndarray,
    *,
    place: Place,
    points: np.ndarray | None,
    picture_width: int,
    image_size: int,
) -> Cut:
    """Crop a face from uint8[H, W, 3], the image decoded to its own width or to less."""
    decoded = pixels.shape[1] / picture_width
    if isinstance(place, peer_crops.Place):
        face = place.crop(pixels, image_size=image_size)
        if points is None:
            return Cut(face, np.full((_ALL_LANDMARKS, 2), np.nan, np.float32), place)
        return Cut(face, place.points(points), place)
    if isinstance(place, face_alignment.Similarity):
        assert points is not None  # There is no similarity without them.
        return Cut(
            face_alignment.crop(pixels, place, image_size=image_size, decoded=decoded),
            place.points(points),
            place,
        )
    area = crop_geometry.shrunk(place, decoded)
    points = None if points is None else points * np.float32(decoded)
    return Cut(
        crop_geometry.crop(pixels, area, image_size=image_size),
        crop_geometry.crop_points(points, area),
        place,
    )
