"""Image decoding and encoding: file bytes to uint8[H, W, 3] RGB, and face crops to stored bytes.

Owns the bounds on an image from anywhere: which decoder may see it, how much memory it may take,
and what becomes of whatever a decoder raises. Listing the exceptions of decoders was rejected: one
changed byte finds another.
"""

import contextlib
import io
import math
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import PIL.ExifTags
import PIL.Image
import simplejpeg

from affectnet_tfds import image_header, invalid_example

MAX_PIXELS = 100_000_000
"""Larger images are refused before any pixel is decoded (100 megapixels take 300 MB)."""

MAX_FILE_BYTES = 100_000_000
"""Larger image files are refused before they are read."""

MAX_MEMORY_BYTES = 400_000_000
"""Memory that an image may take while it is decoded, its file included."""

_OVERHEAD_BYTES = 20_000_000
"""Memory that decoders take whatever the size: buffers, tables, objects of metadata."""

_MAX_EXIF_BYTES = 1_000_000
"""Larger EXIF data are not looked at for an orientation."""

# What it warns of is either a reject or of no matter.
warnings.filterwarnings("ignore", module=r"PIL\.")

# Pillow only warns up to twice its own limit; MAX_PIXELS is a rule.
PIL.Image.MAX_IMAGE_PIXELS = None

JPEG_QUALITY = 95

_JPEG_BEGINS = b"\xff\xd8\xff"

_CV2_NO_MEMORY = -4
"""Code of cv2.error (cv::Error::StsNoMem)."""

_BAND_PIXELS = 1_000_000
"""Pixels that are converted to RGB at a time."""


class Header(NamedTuple):
    """Header of an image file, read without decoding pixels."""

    size: tuple[int, int]  # width, height in pixels
    is_plain_jpeg: bool  # gray, YCbCr or RGB; the others (CMYK) are left to Pillow
    format: str = "JPEG"  # one of image_header.FORMATS
    decoder_bytes: int = 0  # memory of the decoder, beside the file and the pixels


def read_header(content: bytes) -> Header:
    """Read the size of an image from its header.

    Raises:
      invalid_example.InvalidExample: if it is empty, of no format that is read, larger than
        MAX_PIXELS, or of a header that claims more than image_header allows.
    """
    if not content:
        raise invalid_example.InvalidExample("empty file", "the file has no bytes")
    check_file_bytes(len(content))
    claims = image_header.read(content)
    plain_size = _plain_jpeg_size(content) if claims.format == "JPEG" else None
    size = plain_size or claims.size
    header = Header(size, plain_size is not None, claims.format, claims.decoder_bytes)
    width, height = header.size
    if width * height > MAX_PIXELS:
        detail = f"a picture may have {MAX_PIXELS:,} pixels: this one claims {width} x {height}"
        raise invalid_example.InvalidExample("picture too large", detail)
    return header


def check_file_bytes(size: int) -> None:
    """Check the size of an image file, before it is read.

    Raises:
      invalid_example.InvalidExample: if it is larger than MAX_FILE_BYTES.
    """
    if size > MAX_FILE_BYTES:
        raise invalid_example.InvalidExample(
            "file too large", f"an image file may have {MAX_FILE_BYTES:,} bytes: got {size:,}"
        )


def check_memory(
    content: bytes, header: Header, *, scale: float = 1.0, bytes_per_pixel: int = 3
) -> None:
    """Check the memory that decoding an image takes, by what its header claims.

    Args:
      content: the file.
      header: its header.
      scale: fraction of the pixels of a side that is needed, as in `decode`.
      bytes_per_pixel: of what is made of it, the decoded image included.

    Raises:
      invalid_example.InvalidExample: if it is more than MAX_MEMORY_BYTES.
    """
    width, height = header.size
    side = min(scale + 1 / 8, 1.0) if header.is_plain_jpeg else 1.0
    pixels = round(width * height * side**2)
    # What is made of a plain JPEG is kept while it is decoded again, to another size.
    later = header.decoder_bytes * header.is_plain_jpeg + bytes_per_pixel * pixels
    needed = len(content) + max(header.decoder_bytes + 3 * pixels, later) + _OVERHEAD_BYTES
    if needed > MAX_MEMORY_BYTES:
        raise invalid_example.InvalidExample(
            "picture too large",
            f"decoding a picture may take {MAX_MEMORY_BYTES // 10**6:,} MB: this {header.format} "
            f"of {width} x {height} takes {needed // 10**6:,} MB",
        )


def _plain_jpeg_size(content: bytes) -> tuple[int, int] | None:
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(content)
    except ValueError:
        return None
    return (width, height) if colours in ("Gray", "YCbCr", "RGB") else None


def decode(content: bytes, header: Header | None = None, *, scale: float = 1.0) -> np.ndarray:
    """Decode an image of image_header.FORMATS to uint8[H, W, 3] RGB, rows and columns as stored.

    A TIFF is turned as its orientation tag says, which is part of the format.

    Args:
      content: the file.
      header: its header, if it was read before.
      scale: fraction of the pixels of a side that is needed. A JPEG is then decoded by the inverse
        DCT of the next larger eighth, which costs less and averages better than decoding all of it
        and shrinking.

    Raises:
      invalid_example.InvalidExample: if it is empty, of no format that is read, too large, or
        broken.
      MemoryError: if the machine has less memory free than an image may take.
    """
    header = header or read_header(content)
    check_memory(content, header, scale=scale)
    if not header.is_plain_jpeg:
        with _rejecting(header.format):
            return _decode_other(content, header)
    width, height = (math.ceil(side * min(scale, 1.0)) for side in header.size)
    try:
        pixels: np.ndarray = simplejpeg.decode_jpeg(content, min_width=width, min_height=height)
    except Exception:  # Faults that simplejpeg does not tolerate, and OpenCV perhaps does.
        check_memory(content, header)
        return decode_leniently(content)
    return pixels


def orientation(content: bytes, header: Header) -> int:
    """Return the EXIF orientation that is still to be applied to a decoded image, 1..8.

    1 (as stored) where there is none, or its metadata are damaged; and for a TIFF, which `decode`
    turns.
    """
    if header.format == "TIFF":
        return 1
    try:
        with PIL.Image.open(io.BytesIO(content), formats=[header.format]) as opened:
            if len(opened.info.get("exif", b"")) > _MAX_EXIF_BYTES:
                return 1
            noted = int(opened.getexif().get(PIL.ExifTags.Base.Orientation, 1))
    except Exception:  # Whatever Pillow raises for metadata that are damaged.
        return 1
    return noted if 1 <= noted <= 8 else 1


@contextlib.contextmanager
def _rejecting(format_name: str) -> Iterator[None]:
    """Turn whatever a decoder raises into the reject of its image."""
    try:
        yield
    except invalid_example.InvalidExample:
        raise
    except Exception as error:
        is_of_memory = isinstance(error, MemoryError) or getattr(error, "code", 0) == _CV2_NO_MEMORY
        if is_of_memory and not _has_memory():
            raise MemoryError(f"no memory for a {format_name}") from error
        said = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, PIL.UnidentifiedImageError):  # Its own text is an address in memory.
            said = "its header is damaged"
        raise invalid_example.InvalidExample(
            "broken picture", f"{format_name} data: {said}"
        ) from error


def _has_memory() -> bool:
    """Return whether an image's memory is there, so that a decoder has asked for more than that."""
    try:
        np.empty(MAX_MEMORY_BYTES, np.uint8)
    except MemoryError:
        return False
    return True


def decode_leniently(content: bytes | memoryview) -> np.ndarray:
    """Decode a JPEG or PNG, passing over faults such as bytes between a JPEG's segments.

    Raises:
      invalid_example.InvalidExample: if it is broken.
    """
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    with _rejecting("JPEG"):
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    if pixels is None:
        raise invalid_example.InvalidExample(
            "broken picture", "the JPEG data end early or are damaged"
        )
    return pixels


def _decode_other(content: bytes, header: Header) -> np.ndarray:
    """Decode with Pillow: palettes, alpha, CMYK and 16 bits; transparent parts become black."""
    with PIL.Image.open(io.BytesIO(content), formats=[header.format]) as image:
        if image.size != header.size:
            width, height = image.size
            raise ValueError(f"its parts claim different sizes, one of them {width} x {height}")
        image.load()
        if image.mode.startswith(("I", "F")):
            return _scaled_deep(image)
        width, height = image.size
        pixels = np.empty((height, width, 3), np.uint8)
        for top, band in _bands(image):
            pixels[top : top + band.height] = np.asarray(_on_black(band))
        return pixels


def _bands(image: PIL.Image.Image) -> Iterator[tuple[int, PIL.Image.Image]]:
    """Yield the image in bands and their first rows, since conversions copy their image."""
    rows = max(1, _BAND_PIXELS // image.width)
    if rows >= image.height:
        yield 0, image
        return
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _on_black(image: PIL.Image.Image) -> PIL.Image.Image:
    if image.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        black = PIL.Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = PIL.Image.alpha_composite(black, image.convert("RGBA"))
    return image if image.mode == "RGB" else image.convert("RGB")


def _scaled_deep(image: PIL.Image.Image) -> np.ndarray:
    """Scale gray samples of more than 8 bits to uint8[H, W, 3], by the range that the file gives.

    Raises:
      invalid_example.InvalidExample: if it gives none, or a sample is no number or not in it.
    """
    low, high = _deep_range(image)
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top, band in _bands(image):
        samples = np.asarray(band, dtype=np.float32)
        if not (samples.min() >= low and samples.max() <= high):  # NaN too.
            raise invalid_example.InvalidExample(
                "unknown range of samples",
                f"samples must be {low:g}..{high:g} in this {image.format} ({image.mode}): got "
                f"{samples.min():g}..{samples.max():g}; convert it to 8 or 16 bits",
            )
        gray = np.round((samples - low) * (255.0 / (high - low)))
        pixels[top : top + band.height] = gray.clip(0, 255).astype(np.uint8)[:, :, None]
    return 255 - pixels if _tag(image, _PHOTOMETRIC) == 0 else pixels


_PHOTOMETRIC, _BITS, _SAMPLE_FORMAT = 262, 258, 339
_RANGES = ((340, 341), (280, 281))
"""Tags of TIFFs: SMinSampleValue and SMaxSampleValue, MinSampleValue and MaxSampleValue."""


def _deep_range(image: PIL.Image.Image) -> tuple[float, float]:
    """Return the samples that mean black and white.

    A TIFF may say it; else it is the range of unsigned integers of up to 16 bits, as in all PNGs,
    and 0..1 for floats. Integers of 32 bits and signed ones have none that writers agree on.
    """
    for low_tag, high_tag in _RANGES:
        low, high = _tag(image, low_tag), _tag(image, high_tag)
        if low is not None and high is not None and low < high:
            return low, high
    if image.mode == "F":
        return 0.0, 1.0
    bits = _tag(image, _BITS) or 16
    if bits > 16 or _tag(image, _SAMPLE_FORMAT) == 2:
        raise invalid_example.InvalidExample(
            "unknown range of samples",
            f"integers of {bits:g} bits, or with a sign, have no range that is white by agreement: "
            "convert the image to 8 or 16 bits, or note SMinSampleValue and SMaxSampleValue",
        )
    return 0.0, 2.0**bits - 1


def _tag(image: PIL.Image.Image, number: int) -> float | None:
    """Return the first value of a TIFF's tag; None without one, and for other formats."""
    value = getattr(image, "tag_v2", {}).get(number)
    if isinstance(value, tuple):
        value = value[0] if value else None
    return None if value is None else float(value)


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
