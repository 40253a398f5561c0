"""Image decoding and encoding: file bytes to uint8[H, W, 3] RGB, and face crops to stored bytes."""

import io
import math
from typing import NamedTuple

import cv2
import numpy as np
import PIL.Image
import simplejpeg

from affectnet_tfds import invalid_example

MAX_PIXELS = 100_000_000
"""Larger images are refused before any pixel is decoded (100 megapixels take 300 MB)."""

# Pillow only warns up to twice its own limit; MAX_PIXELS is a rule.
PIL.Image.MAX_IMAGE_PIXELS = None

JPEG_QUALITY = 95

_JPEG_BEGINS = b"\xff\xd8\xff"


class Header(NamedTuple):
    """Header of an image file, read without decoding pixels."""

    size: tuple[int, int]  # width, height in pixels
    is_plain_jpeg: bool  # gray, YCbCr or RGB; the others (CMYK) are left to Pillow


def read_header(content: bytes) -> Header:
    """Read the size of an image from its header.

    Raises:
      invalid_example.InvalidExample: if it is empty, no image, or larger than MAX_PIXELS.
    """
    if not content:
        raise invalid_example.InvalidExample("empty file", "the file has no bytes")
    header = _jpeg_header(content) or Header(_opened(content).size, is_plain_jpeg=False)
    width, height = header.size
    if width * height > MAX_PIXELS:
        detail = f"a picture may have {MAX_PIXELS:,} pixels: this one claims {width} x {height}"
        raise invalid_example.InvalidExample("picture too large", detail)
    return header


def _jpeg_header(content: bytes) -> Header | None:
    if not is_jpeg(content):
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(content)
    except ValueError:
        return None
    return (
        Header((width, height), is_plain_jpeg=True) if colours in ("Gray", "YCbCr", "RGB") else None
    )


def decode(content: bytes, header: Header | None = None, *, scale: float = 1.0) -> np.ndarray:
    """Decode an image of any common format to uint8[H, W, 3] RGB, rows and columns as stored.

    Args:
      content: the file.
      header: its header, if it was read before.
      scale: fraction of the pixels of a side that is needed. A JPEG is then decoded by the inverse
        DCT of the next larger eighth, which costs less and averages better than decoding all of it
        and shrinking.

    Raises:
      invalid_example.InvalidExample: if it is empty, no image, too large, or broken.
    """
    header = header or read_header(content)
    if not header.is_plain_jpeg:
        with _opened(content) as image:
            return _decode_other(image)
    width, height = (math.ceil(side * min(scale, 1.0)) for side in header.size)
    try:
        pixels: np.ndarray = simplejpeg.decode_jpeg(content, min_width=width, min_height=height)
    except ValueError:
        return decode_leniently(content)
    return pixels


def _opened(content: bytes) -> PIL.Image.Image:
    """Open an image, reading its header only."""
    try:
        return PIL.Image.open(io.BytesIO(content))
    except (OSError, ValueError, SyntaxError) as error:
        if is_jpeg(content):
            raise invalid_example.InvalidExample(
                "broken picture", "it begins as a JPEG, and its header is damaged"
            ) from error
        head = content[:12].decode("latin-1").encode("unicode_escape").decode()
        raise invalid_example.InvalidExample(
            "not a picture", f"no known picture format: begins with {head!r}"
        ) from error


def decode_leniently(content: bytes | memoryview) -> np.ndarray:
    """Decode a JPEG or PNG, passing over faults such as bytes between a JPEG's segments.

    Raises:
      invalid_example.InvalidExample: if it is broken.
    """
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    if pixels is None:
        raise invalid_example.InvalidExample(
            "broken picture", "the JPEG data end early or are damaged"
        )
    return pixels


def _decode_other(image: PIL.Image.Image) -> np.ndarray:
    """Decode with Pillow: palettes, alpha, CMYK and 16 bits; transparent parts become black."""
    try:
        image.load()
        if image.mode.startswith(("I", "F")):
            return _scale_deep(np.asarray(image, dtype=np.float32))
        if image.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in image.info:
            black = PIL.Image.new("RGBA", image.size, (0, 0, 0, 255))
            image = PIL.Image.alpha_composite(black, image.convert("RGBA"))
        return np.ascontiguousarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, IndexError, MemoryError, EOFError) as error:
        raise invalid_example.InvalidExample(
            "broken picture", f"{image.format} data: {error}"
        ) from error


def _scale_deep(gray: np.ndarray) -> np.ndarray:
    """Convert 16-bit gray values to RGB by their upper 8 bits."""
    top = 255.0 if gray.max(initial=0) <= 255 else 65535.0
    return np.repeat(
        np.round(gray * (255.0 / top)).clip(0, 255).astype(np.uint8)[:, :, None], 3, axis=2
    )


ENCODINGS = ("jpeg", "png", "raw")
"""Encodings of crops: JPEG (small), PNG (lossless), raw uint8[S, S, 3] (nothing to decode)."""


def encode(pixels: np.ndarray, *, encoding: str = "jpeg") -> bytes:
    """Encode uint8[S, S, 3] RGB; JPEG with chroma at half resolution (4:2:0), as in cameras."""
    if encoding == "raw":
        return np.ascontiguousarray(pixels).tobytes()
    if encoding == "png":
        return cv2.imencode(".png", np.ascontiguousarray(pixels[:, :, ::-1]))[1].tobytes()
    content: bytes = simplejpeg.encode_jpeg(
        pixels, quality=JPEG_QUALITY, colorspace="RGB", colorsubsampling="420"
    )
    return content


def decode_crop(content: bytes, *, encoding: str, image_size: int) -> np.ndarray:
    """Return uint8[S, S, 3] from what `encode` made.

    Raises:
      invalid_example.InvalidExample: if it cannot be decoded, or is of another size.
    """
    if encoding == "raw":
        return decode_raw(content, image_size=image_size)
    pixels = decode(content)
    if pixels.shape != (image_size, image_size, 3):
        raise invalid_example.InvalidExample(
            "wrong size",
            f"{pixels.shape[1]} x {pixels.shape[0]} is not {image_size} x {image_size}",
        )
    return pixels


def decode_raw(content: bytes | memoryview, *, image_size: int) -> np.ndarray:
    """Return uint8[S, S, 3] from what `encode` made with encoding="raw", without a copy.

    Raises:
      invalid_example.InvalidExample: if it is of another size.
    """
    if len(content) != 3 * image_size**2:
        raise invalid_example.InvalidExample(
            "wrong size", f"{len(content):,} bytes are not {image_size} x {image_size} pixels"
        )
    return np.frombuffer(content, np.uint8).reshape(image_size, image_size, 3)


def is_jpeg(content: bytes | memoryview) -> bool:
    """Return whether a file begins as JPEG files do."""
    return content[: len(_JPEG_BEGINS)] == _JPEG_BEGINS
