"""Pictures to look at: files, folders of them, and frames of videos.

Owns finding and decoding. A picture is decoded as the job does it, with one difference: a camera's
note that the picture is turned (EXIF) is heeded, since nobody has annotated its pixels as stored.
"""

import dataclasses
import io
import pathlib
import struct
from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import PIL.Image

from affectnet_tfds import crop_geometry, face_crop, image_codec, invalid_example

PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
VIDEOS = {".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v"}
"""Endings that are looked for in folders; a file that is named itself may have any."""

_ORIENTATION = 0x0112


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputImage:
    """A picture: uint8[H, W, 3] RGB, and the file's bytes where its pixels are those of the file as
    stored."""

    name: str
    pixels: np.ndarray
    content: bytes | None = None
    time_s: float | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def cut(
        self,
        box: crop_geometry.Box | None,
        *,
        points: np.ndarray | None,
        geometry: face_crop.Geometry,
    ) -> face_crop.Cut:
        """Cut a face out, by the job's own function.

        Raises:
          invalid_example.InvalidExample: if the box cannot be used.
        """
        if self.content is not None:
            header = image_codec.read_header(self.content)
            return face_crop.cut(
                self.content, header=header, box=box, points=points, geometry=geometry
            )
        place = face_crop.locate(box, points=points, picture_size=self.size, geometry=geometry)
        size, width = geometry.image_size, self.size[0]
        return face_crop.cut_decoded(
            self.pixels, place=place, points=points, picture_width=width, image_size=size
        )


def find(paths: Iterable[str]) -> Iterator[pathlib.Path]:
    """Yield files: those that are named, and of folders all pictures and videos, in order.

    A folder without any is yielded itself, so that `read` says so.
    """
    for path in map(pathlib.Path, paths):
        inside = path.rglob("*") if path.is_dir() else ()
        yield from sorted(
            p for p in inside if p.suffix.lower() in PICTURES | VIDEOS and p.is_file()
        ) or [path]


def read(path: pathlib.Path, *, every_s: float) -> Iterator[InputImage]:
    """Yield the picture of a file, or the frames of a video that are `every_s` seconds apart.

    Raises:
      invalid_example.InvalidExample: if it cannot be read.
    """
    if path.is_dir():
        raise invalid_example.InvalidExample(
            "empty folder", f"no file in it ends in {', '.join(sorted(PICTURES | VIDEOS))}"
        )
    try:
        if path.suffix.lower() in VIDEOS:
            yield from _frames(path, every_s=every_s)
        else:
            yield picture(path.read_bytes(), name=str(path))
    except OSError as error:
        raise invalid_example.InvalidExample(
            "unreadable file", error.strerror or str(error)
        ) from error


def picture(content: bytes, *, name: str) -> InputImage:
    """Decode a picture's bytes.

    Raises:
      invalid_example.InvalidExample: if they are no picture, or a broken one.
    """
    pixels = image_codec.decode(content, image_codec.read_header(content))
    turned = _upright(pixels, content=content)
    return InputImage(name=name, pixels=turned, content=content if turned is pixels else None)


def _upright(pixels: np.ndarray, *, content: bytes) -> np.ndarray:
    orientation = _orientation(content)
    turns = {
        2: (0, True),
        3: (2, False),
        4: (2, True),
        5: (3, True),
        6: (3, False),
        7: (1, True),
        8: (1, False),
    }
    if orientation not in turns:
        return pixels
    quarters, is_mirrored = turns[orientation]
    turned = np.rot90(pixels, quarters)
    return np.ascontiguousarray(turned[:, ::-1] if is_mirrored else turned)


def _orientation(content: bytes) -> int:
    """Return EXIF's number of a picture's orientation (1: as stored, also where damaged metadata do
    not say)."""
    try:
        with PIL.Image.open(io.BytesIO(content)) as opened:
            return int(opened.getexif().get(_ORIENTATION, 1))
    except (OSError, ValueError, SyntaxError, LookupError, TypeError, struct.error):
        return 1


def _frames(path: pathlib.Path, *, every_s: float) -> Iterator[InputImage]:
    path.stat()  # OpenCV does not say why a file cannot be opened.
    video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        raise invalid_example.InvalidExample("not a video", "OpenCV finds no video in it")
    rate, due_s, number = video.get(cv2.CAP_PROP_FPS), 0.0, 0
    if not rate > 0:
        raise invalid_example.InvalidExample(
            "not a video", "it does not say how many frames a second it has"
        )
    try:
        while video.grab():
            time_s, number = number / rate, number + 1
            if time_s + 1e-6 >= due_s:
                due_s += every_s
                read, frame = video.retrieve()
                if read:
                    pixels = np.ascontiguousarray(frame[:, :, ::-1])
                    yield InputImage(name=str(path), pixels=pixels, time_s=round(time_s, 3))
    finally:
        video.release()
    if not number:
        raise invalid_example.InvalidExample("broken video", "OpenCV can read no frame of it")
