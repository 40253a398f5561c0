"""Videos: tells them by their first bytes, and decodes a frame every so many seconds.

Owns what a video is, and the time of its frames: the container's own. Counting frames and dividing
by their rate was rejected: phones and screen recordings have variable rates, and a frame would be
seconds away from where a player shows it.
"""

import pathlib
from collections.abc import Iterator

import cv2
import numpy as np

from affectnet_tfds import invalid_example

SUFFIXES = {
    ".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".wmv", ".asf", ".flv",
    ".mpg", ".mpeg", ".ts", ".mts", ".m2ts",
}  # fmt: skip
"""Suffixes of the files that are taken from folders; a file that is named itself may have any."""

HEAD_BYTES = 377
"""First bytes of a file that `is_video` needs: two packets of MPEG-TS, and the byte after them."""

_IMAGE_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
"""Brands of the ISO base media format whose files are images (ISO/IEC 23008-12)."""


def is_video(head: bytes) -> bool:
    """Return whether a file's first HEAD_BYTES are those of a video container that is read.

    FFmpeg's own guess was rejected: it takes text for playlists, which name other files to open.
    """
    if head[4:8] == b"ftyp":
        return head[8:12] not in _IMAGE_BRANDS
    return (
        head.startswith(b"\x1aE\xdf\xa3")  # Matroska and WebM.
        or (head.startswith(b"RIFF") and head[8:12] == b"AVI ")
        or head.startswith(b"0&\xb2u\x8ef\xcf\x11")  # ASF: WMV.
        or head.startswith((b"FLV\x01", b"\x00\x00\x01\xba"))  # Flash; MPEG program stream.
        or head[4:8] in (b"moov", b"mdat", b"wide")  # QuickTime before it had brands.
        or head[0::188][:2] == b"GG"  # MPEG transport stream, and as cameras store it:
        or head[4::192][:2] == b"GG"
    )


def frames(path: pathlib.Path, *, every_s: float) -> Iterator[tuple[np.ndarray, float]]:
    """Yield frames, uint8[H, W, 3] RGB, with their times in seconds.

    The first is that at 0; each other is the first at or after a multiple of `every_s`, and none
    is given twice. A container that does not say when a frame is shown is counted by its rate.

    Raises:
      invalid_example.InvalidExample: if there is no video in it, or none of its frames can be read.
    """
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not video.isOpened():
            raise invalid_example.InvalidExample("not a video", "OpenCV finds no video in it")
        multiple = -1
        for time_s in _times(video):
            reached = int((time_s + 1e-6) / every_s)
            if reached <= multiple:
                continue
            multiple = reached
            is_read, frame = video.retrieve()
            if is_read:
                yield np.ascontiguousarray(frame[:, :, ::-1]), round(time_s, 3)
        if multiple < 0:
            raise invalid_example.InvalidExample("broken video", "OpenCV can read no frame of it")
    except cv2.error as error:
        said = " ".join(str(error).split())
        raise invalid_example.InvalidExample("broken video", said) from error
    finally:
        video.release()


def _times(video: cv2.VideoCapture) -> Iterator[float]:
    """Yield the time of each frame once it is the current one, in seconds, ascending."""
    frames_per_s = video.get(cv2.CAP_PROP_FPS)
    time_s = -1.0
    while video.grab():
        stated_s = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if stated_s > time_s:
            time_s = max(stated_s, 0.0)
        elif frames_per_s > 0:  # Not NaN either.
            time_s += 1 / frames_per_s
        else:
            raise invalid_example.InvalidExample(
                "not a video", "it says neither when its frames are shown nor how many a second"
            )
        yield time_s
