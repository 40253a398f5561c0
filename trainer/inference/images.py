"""Input images: finds files and folders, and decodes images and the frames of videos.

Owns finding, decoding and cutting faces out. An image is decoded as the pipeline decodes it, except
that the orientation a camera notes (EXIF) is applied: nobody has annotated its pixels as stored.

A JPEG is decoded at most once for each eighth of its size that is needed, whatever the number of
faces. Cutting all faces out of the image at full size was rejected: the pipeline decodes a JPEG to
the part of its size that a crop needs, and a crop cut from more pixels is not, bit for bit, the one
that the network was trained on.
"""

import dataclasses
import functools
import math
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np

from affectnet_tfds import face_crop, image_codec, image_names, invalid_example
from runtime import errors, untrusted
from trainer.inference import videos

VIDEO_BYTES = 100_000_000_000
"""Largest video that is read."""

_BYTES_PER_PIXEL = 7
"""Memory for a pixel: the decoded image, and a copy that is turned, cut or drawn on."""

_FEW_PIXELS = 20_000_000
"""Of smaller images two sizes stay decoded, of larger ones one."""

_FULL_SIZE = 8
"""Eighths of an image's size."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputImage:
    """Image to classify; a frame of a video has a time."""

    name: str
    size: tuple[int, int]
    """Width and height in pixels."""
    decode: Callable[[int], np.ndarray]
    """Eighths of the size, 1..8, to uint8[H, W, 3] RGB of that size, or larger where the format
    cannot be decoded to less."""
    time_s: float | None = None

    @property
    def pixels(self) -> np.ndarray:
        """Return uint8[H, W, 3] RGB at full size.

        Raises:
          invalid_example.InvalidExample: if the image is broken.
        """
        return self.decode(_FULL_SIZE)

    def shrunk(self, most_pixels: int) -> np.ndarray:
        """Return uint8[H, W, 3] RGB of at most so many pixels; the image itself where it has fewer.

        Raises:
          invalid_example.InvalidExample: if the image is broken.
        """
        width, height = self.size
        part = math.sqrt(most_pixels / (width * height))
        if part >= 1:
            return self.pixels
        size = (max(1, int(width * part)), max(1, int(height * part)))
        pixels = self.decode(_eighths(part, size=self.size))
        return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)

    def cut(
        self, place: face_crop.Place, *, points: np.ndarray | None, image_size: int
    ) -> face_crop.Cut:
        """Cut a face out, by the pipeline's own function.

        Args:
          place: where, from `face_crop.locate`.
          points: landmarks, float[5 or 68, 2], (x, y) in pixels of the image.
          image_size: side of the crop.

        Raises:
          invalid_example.InvalidExample: if the image is broken.
        """
        part = face_crop.part_needed(place, image_size=image_size)
        return face_crop.cut_decoded(
            self.decode(_eighths(part, size=self.size)),
            place=place,
            points=points,
            picture_width=self.size[0],
            image_size=image_size,
        )


def find(paths: Iterable[str | os.PathLike[str]]) -> Iterator[pathlib.Path]:
    """Yield the files that are named, and all images and videos of folders, in order.

    What is an image in a folder, image_names says, as for the job: a name that ends as an image's,
    or first bytes of one; nothing of macOS or Windows (._x.jpg). A folder without any is yielded
    itself, so that `read` reports it.

    Raises:
      errors.UserError: if one is empty, or no path.
    """
    for path in map(_path, paths):
        # os.path: a folder that may not be entered is no error here.
        inside = path.rglob("*") if os.path.isdir(path) else ()  # noqa: PTH112
        yield from sorted(file for file in inside if _is_taken(file, folder=path)) or [path]


def _path(path: object) -> pathlib.Path:
    name = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(name, str):
        raise errors.UserError(
            "the path of an image, a folder or a video must be text or a pathlib.Path: got "
            f"{name!r:.100}"
        )
    if not name:
        raise errors.UserError(
            "the path of an image, a folder or a video must not be empty; . is the folder that you "
            "are in"
        )
    return pathlib.Path(name)


def _is_taken(file: pathlib.Path, *, folder: pathlib.Path) -> bool:
    # What is no file, or a link to nothing, is told by its name, as the job's rejects are.
    if os.path.isdir(file):  # noqa: PTH112  As in `find`.
        return False
    if any(map(image_names.is_of_system, file.relative_to(folder).parts)):
        return False
    is_named_so = file.suffix.lower() in videos.SUFFIXES or image_names.ends_as_image(file.name)
    return is_named_so or image_names.begins_as_image(_head(file))


def _head(file: pathlib.Path) -> bytes:
    """Return a file's first bytes; none of one that cannot be read."""
    try:
        untrusted.check(file, at_most=VIDEO_BYTES)
        with file.open("rb") as opened:
            return opened.read(image_names.HEAD_BYTES)
    except OSError:
        return b""


def read(path: pathlib.Path, *, every_s: float) -> Iterator[InputImage]:
    """Yield the image of a file, or of a video's frames one each `every_s` seconds.

    What a file is, its first bytes say, whatever its name.

    Raises:
      invalid_example.InvalidExample: if the file cannot be read. Only the header of a JPEG is read
        here: a fault in its pixels is raised where they are decoded.
    """
    if os.path.isdir(path):  # noqa: PTH112  As in `find`.
        raise invalid_example.InvalidExample(
            "empty folder", "no file in it is an image or a video by its name or its first bytes"
        )
    if "\0" in str(path):
        raise invalid_example.InvalidExample("unreadable file", "its name has a zero character")
    try:
        untrusted.check(path, at_most=VIDEO_BYTES)
        with path.open("rb") as file:
            is_video = videos.is_video(file.read(videos.HEAD_BYTES))
        if is_video:
            for pixels, time_s in videos.frames(path, every_s=every_s):
                yield from_pixels(pixels, name=str(path), time_s=time_s)
        else:
            untrusted.check(path, at_most=image_codec.MAX_FILE_BYTES)
            yield from_bytes(path.read_bytes(), name=str(path))
    except OSError as error:
        raise invalid_example.InvalidExample(
            "unreadable file", error.strerror or str(error)
        ) from error


def from_bytes(content: bytes, *, name: str) -> InputImage:
    """Return the image of a file's bytes, upright.

    Raises:
      invalid_example.InvalidExample: if they are no image, or a broken one (of a JPEG that is
        stored upright, only the header is read here).
    """
    header = image_codec.read_header(content)
    image_codec.check_memory(content, header, bytes_per_pixel=_BYTES_PER_PIXEL)
    orientation = image_codec.orientation(content, header)
    if orientation == 1 and header.is_plain_jpeg:
        # Each size is decoded once, however many faces need it: they come in the order of size.
        kept = 2 if math.prod(header.size) <= _FEW_PIXELS else 1
        decode = functools.lru_cache(kept)(
            lambda eighths: _decode_jpeg(content, header, eighths=eighths)
        )
        return InputImage(name=name, size=header.size, decode=decode)
    pixels = image_codec.decode(content, header)
    return from_pixels(_upright(pixels, orientation=orientation), name=name)


def from_pixels(pixels: np.ndarray, *, name: str, time_s: float | None = None) -> InputImage:
    """Return the image of uint8[H, W, 3] RGB."""
    height, width = pixels.shape[:2]
    return InputImage(name=name, size=(width, height), decode=lambda _: pixels, time_s=time_s)


def _decode_jpeg(content: bytes, header: image_codec.Header, *, eighths: int) -> np.ndarray:
    return image_codec.decode(content, header, scale=eighths / _FULL_SIZE)


def _eighths(part: float, *, size: tuple[int, int]) -> int:
    """Return the fewest eighths of a size that hold a part of its pixels, as libjpeg-turbo does."""
    needed = [math.ceil(side * min(part, 1.0)) for side in size]

    def is_enough(eighths: int) -> bool:
        decoded = [math.ceil(side * eighths / _FULL_SIZE) for side in size]
        return decoded[0] >= needed[0] and decoded[1] >= needed[1]

    return next(eighths for eighths in range(1, _FULL_SIZE + 1) if is_enough(eighths))


def _upright(pixels: np.ndarray, *, orientation: int) -> np.ndarray:
    """Turn pixels as an EXIF orientation (1..8) says."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
