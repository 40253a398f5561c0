"""Image headers: format, size and memory of an image file, read from its bytes without a decoder.

Owns the list of formats, and the limits on what a file may claim that is not its number of pixels:
metadata, segments, scans. Reading headers with Pillow was rejected as the check: by the time that
it knows the size, it has allocated a WebP's canvas, unpacked a TIFF's tags into Python objects, or
started Ghostscript.
"""

import re
import struct
from collections.abc import Callable
from typing import NamedTuple

from affectnet_tfds import invalid_example

MAX_SIDE = 65_535
"""Longest side of an image, in pixels: that of JPEG and GIF."""

MAX_METADATA_BYTES = 32_000_000
"""Bytes of a JPEG before its pixels: thumbnails, color profiles, depth maps."""

MAX_STRAY_BYTES = 1_000_000
"""Bytes of comments in a GIF, or between the segments of a JPEG, that a decoder skips singly."""

MAX_SEGMENTS = 65_536
"""Segments of a JPEG, chunks of a PNG or WebP, tags of a TIFF, blocks of a GIF."""

MAX_NUMBERS = 250_000
"""Numbers in all tags of a TIFF; each becomes an object of Python."""

MAX_SCANS = 100
"""Scans of a JPEG: a progressive one has about ten."""

MAX_SCANNED_PIXELS = 400_000_000
"""Pixels of a JPEG times its scans, each of which visits all pixels."""

MAX_RUN_LENGTH_PIXELS = 2_000_000
"""Pixels of a run-length encoded BMP, which Pillow decodes in Python; three times as many bytes."""


class Claims(NamedTuple):
    """What a file says of itself.

    Attributes:
      format: one of FORMATS.
      size: width and height in pixels.
      decoder_bytes: memory of the decoder, beside the file and the decoded uint8[H, W, 3].
    """

    format: str
    size: tuple[int, int]
    decoder_bytes: int


def read(content: bytes) -> Claims:
    """Read what an image file claims, and check it against the limits of its format.

    Raises:
      invalid_example.InvalidExample: if it is of no format of FORMATS, its header is damaged, or it
        has more metadata, scans or pixels on a side than the limits allow.
    """
    name = _format_of(content)
    try:
        claims = _READERS[name](content)
    except (struct.error, IndexError) as error:
        raise _damaged(name) from error
    width, height = claims.size
    if min(width, height) < 1:
        raise _damaged(name)
    if max(width, height) > MAX_SIDE:
        raise invalid_example.InvalidExample(
            "picture too large",
            f"a side may have {MAX_SIDE:,} pixels: this one claims {width} x {height}",
        )
    return claims


def _format_of(content: bytes) -> str:
    for matches, name in _BEGINNINGS:
        if matches(content):
            if name in FORMATS:
                return name
            raise invalid_example.InvalidExample(
                "format not supported",
                f"{name} is not read, but {', '.join(FORMATS)} are: convert it to one of these",
            )
    head = content[:12].decode("latin-1").encode("unicode_escape").decode()
    raise invalid_example.InvalidExample(
        "not a picture", f"no known picture format: begins with {head!r}"
    )


def _damaged(name: str) -> invalid_example.InvalidExample:
    return invalid_example.InvalidExample(
        "broken picture", f"it begins as a {name}, and its header is damaged"
    )


def _too_much(what: str, *, most: int) -> invalid_example.InvalidExample:
    return invalid_example.InvalidExample(
        "too much metadata", f"an image file may have {most:,} {what}: this one has more"
    )


class _Frame(NamedTuple):
    """Frame header of a JPEG (SOF)."""

    process: int  # 0: baseline, 1: extended, 2: progressive
    width: int
    height: int
    sampling: tuple[int, ...]  # of each component: 16 * horizontal + vertical


_MARKER = re.compile(rb"\xff+([^\x00\xff])", re.DOTALL)
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_SOF = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_SOS, _EOI = 0xDA, 0xD9


def _jpeg(content: bytes) -> Claims:
    frame, at = _to_first_scan(content)
    if frame is None:
        raise _damaged("JPEG")
    is_one_scan = frame.process < 2 and content[at + 2] == len(frame.sampling)
    coefficients = 0 if is_one_scan else _coefficient_bytes(frame)
    if not is_one_scan:
        _check_scans(content, frame, at=at)
    # Pillow decodes what has four components, in four bytes a pixel.
    pixels = frame.width * frame.height if len(frame.sampling) == 4 else 0
    return Claims("JPEG", (frame.width, frame.height), coefficients + 4 * pixels)


def _to_first_scan(content: bytes) -> tuple[_Frame | None, int]:
    """Return the frame header of a JPEG, and the position of the length of its first scan's.

    Bytes between segments are skipped, as decoders do. Plain indexing: every image comes here.
    """
    frame = None
    at = 2
    stray = 0
    for _ in range(MAX_SEGMENTS):
        marker = content[at + 1]
        if content[at] == 0xFF and 0 < marker < 0xFF:
            at += 2
        else:
            found = _MARKER.search(content, at)
            if not found:
                return None, at
            stray += found.end() - at - 2
            at = found.end()
            marker = content[at - 1]
            if stray > MAX_STRAY_BYTES:
                raise _too_much("bytes between its segments", most=MAX_STRAY_BYTES)
        if at > MAX_METADATA_BYTES:
            raise _too_much("bytes of metadata", most=MAX_METADATA_BYTES)
        if marker in _ALONE:
            continue
        if marker == _SOS:
            return frame, at
        if marker == _EOI:
            return None, at
        if marker in _SOF:
            frame = _frame(content, marker=marker, at=at)
        at += content[at] << 8 | content[at + 1]
    raise _too_much("segments", most=MAX_SEGMENTS)


def _frame(content: bytes, *, marker: int, at: int) -> _Frame:
    if marker > 0xC2:
        raise invalid_example.InvalidExample(
            "format not supported",
            "of JPEGs, the baseline, extended and progressive ones are read: this one is of "
            f"process {marker - 0xC0} (lossless, hierarchical or arithmetic)",
        )
    height, width, components = struct.unpack_from(">HHB", content, at + 3)
    return _Frame(
        marker - 0xC0, width, height, tuple(content[at + 9 : at + 8 + 3 * components : 3])
    )


def _coefficient_bytes(frame: _Frame) -> int:
    """Return the memory of all coefficients (int16), which decoders keep between scans."""
    across = max((each >> 4 for each in frame.sampling), default=1) or 1
    down = max((each & 15 for each in frame.sampling), default=1) or 1
    samples = sum((each >> 4) * (each & 15) for each in frame.sampling)
    return 2 * frame.width * frame.height * samples // (across * down)


def _check_scans(content: bytes, frame: _Frame, *, at: int) -> None:
    scans = content.count(b"\xff\xda", at - 2)
    most = min(MAX_SCANS, max(12, MAX_SCANNED_PIXELS // max(1, frame.width * frame.height)))
    if scans > most:
        raise invalid_example.InvalidExample(
            "too many scans",
            f"a JPEG of {frame.width} x {frame.height} may have {most} scans: this one has {scans}",
        )


def _png(content: bytes) -> Claims:
    width, height = struct.unpack_from(">4x4sII", content, 8)[1:]
    if content[12:16] != b"IHDR":
        raise _damaged("PNG")
    _check_chunks(content, at=8, layout=">I4s", around=12, end=b"IEND")
    return Claims("PNG", (width, height), 4 * width * height)


def _check_chunks(content: bytes, *, at: int, layout: str, around: int, end: bytes = b"") -> None:
    """Check the number of chunks: a length, a name, and `around` bytes more than the length."""
    unpack = struct.Struct(layout).unpack_from
    for _ in range(MAX_SEGMENTS):
        if at + 8 > len(content):
            return
        first, second = unpack(content, at)
        length, name = (first, second) if isinstance(first, int) else (second, first)
        if name == end:
            return
        at += length + around
    raise _too_much("chunks", most=MAX_SEGMENTS)


def _gif(content: bytes) -> Claims:
    width, height, flags = struct.unpack_from("<HHB", content, 6)
    at = 13 + _palette_bytes(flags)
    begin = at
    for _ in range(MAX_SEGMENTS):
        kind = content[at]
        if kind == 0x2C:  # The first frame, which may leave the screen and then extends it.
            left, top, across, down = struct.unpack_from("<HHHH", content, at + 1)
            size = (max(width, left + across), max(height, top + down))
            return Claims("GIF", size, 4 * size[0] * size[1])
        at += 1
        if kind == 0x21:
            at = _after_blocks(content, at + 1)
        if at - begin > MAX_STRAY_BYTES:
            raise _too_much("bytes of comments", most=MAX_STRAY_BYTES)
    raise _too_much("blocks", most=MAX_SEGMENTS)


def _palette_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(content: bytes, at: int) -> int:
    """Return the position after blocks that each begin with their length, and end with one of 0."""
    while content[at]:
        at += content[at] + 1
    return at + 1


def _bmp(content: bytes) -> Claims:
    (header_bytes,) = struct.unpack_from("<I", content, 14)
    if header_bytes == 12:
        width, height = struct.unpack_from("<HH", content, 18)
        compression = 0
    else:
        width, height, compression = struct.unpack_from("<ii4xI", content, 18)
    height = abs(height)
    if compression in (1, 2) and max(width * height, len(content) // 3) > MAX_RUN_LENGTH_PIXELS:
        raise invalid_example.InvalidExample(
            "picture too large",
            f"a run-length encoded BMP may have {MAX_RUN_LENGTH_PIXELS:,} pixels, and three times "
            f"as many bytes: this one has {len(content):,} bytes for {width} x {height}",
        )
    return Claims("BMP", (width, height), 4 * width * height)


def _webp(content: bytes) -> Claims:
    kind = content[12:16]
    if kind == b"VP8X":
        low = struct.unpack_from("<HBHB", content, 24)
        size = (low[0] + (low[1] << 16) + 1, low[2] + (low[3] << 16) + 1)
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        size = ((bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1)
    elif kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        size = (width & 0x3FFF, height & 0x3FFF)
    else:
        raise _damaged("WEBP")
    _check_chunks(content, at=12, layout="<4sI", around=8)
    return Claims("WEBP", size, 18 * size[0] * size[1])


_BYTES_AND_TEXT = (1, 2, 7)
"""Types of TIFF tags whose values stay bytes; those of other types become objects of Python."""

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _ORIENTATION, _SAMPLES = 256, 257, 258, 259, 274, 277
_TILE_WIDTH, _TILE_HEIGHT = 322, 323
_COMPRESSIONS = (1, 2, 3, 4, 5, 7, 8, 32773, 32946)
"""Of TIFFs: none, CCITT, LZW, JPEG, deflate, PackBits."""


def _tiff(content: bytes) -> Claims:
    tags = _tiff_tags(content)
    width, height = tags.get(_WIDTH, 0), tags.get(_HEIGHT, 0)
    if tags.get(_COMPRESSION, 1) not in _COMPRESSIONS:
        raise invalid_example.InvalidExample(
            "format not supported",
            "of TIFFs, uncompressed ones, CCITT, LZW, JPEG, deflate and PackBits are read: this "
            f"one's compression is {tags[_COMPRESSION]}",
        )
    tile = tags.get(_TILE_WIDTH, 0) * tags.get(_TILE_HEIGHT, 0)
    raw_bytes = 0
    if tags.get(_COMPRESSION, 1) != 1:
        # libtiff decodes a strip or tile at once, which may be the whole image.
        raw_bytes = max(width * height, tile) * tags.get(_SAMPLES, 1) * tags.get(_BITS, 1) // 8
    is_turned = tags.get(_ORIENTATION, 1) != 1  # By Pillow, into a second image.
    size = (height, width) if tags.get(_ORIENTATION) in (5, 6, 7, 8) else (width, height)
    return Claims("TIFF", size, (8 if is_turned else 4) * width * height + raw_bytes)


def _tiff_tags(content: bytes) -> dict[int, int]:
    """Return the first number of each tag of the first image; 0 where it is no short or long."""
    order = "<" if content[:1] == b"I" else ">"
    is_big = 43 in content[2:4]
    (at,) = struct.unpack_from(order + ("Q" if is_big else "I"), content, 8 if is_big else 4)
    (count,) = struct.unpack_from(order + ("Q" if is_big else "H"), content, at)
    entry = struct.Struct(order + ("HHQQ" if is_big else "HHII"))
    if count > MAX_SEGMENTS:
        raise _too_much("tags", most=MAX_SEGMENTS)
    tags: dict[int, int] = {}
    numbers = 0
    for position in range(count):
        place = at + (8 if is_big else 2) + position * entry.size
        if place + entry.size > len(content):
            break  # As Pillow does: the tags before are used.
        tag, kind, length, _ = entry.unpack_from(content, place)
        numbers += 0 if kind in _BYTES_AND_TEXT else length
        tags[tag] = _first_number(content, place, entry=entry, order=order)
    if numbers > MAX_NUMBERS:
        raise _too_much("numbers in its tags", most=MAX_NUMBERS)
    return tags


def _first_number(content: bytes, place: int, *, entry: struct.Struct, order: str) -> int:
    _, kind, length, offset = entry.unpack_from(content, place)
    letter = {3: "H", 4: "I", 16: "Q"}.get(kind)
    if letter is None or not length:
        return 0
    inside = entry.size - 4 if entry.size == 12 else entry.size - 8
    is_inside = struct.calcsize(letter) * length <= entry.size - inside
    at = place + inside if is_inside else offset
    if at + struct.calcsize(letter) > len(content):
        return 0
    number: int = struct.unpack_from(order + letter, content, at)[0]
    return number


_READERS: dict[str, Callable[[bytes], Claims]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "BMP": _bmp,
    "TIFF": _tiff,
    "WEBP": _webp,
    "GIF": _gif,
}

FORMATS = tuple(_READERS)
"""Formats that are read, by Pillow's names; no decoder of another one is ever called."""

_BEGINNINGS = [
    (re.compile(pattern, re.DOTALL).match, name)
    for pattern, name in (
        (rb"\xff\xd8\xff", "JPEG"),
        (rb"\x89PNG\r\n\x1a\n", "PNG"),
        (rb"BM", "BMP"),
        (rb"II[*+]\0|MM\0[*+]|MM\*\0|II\0\*", "TIFF"),
        (rb"RIFF....WEBP", "WEBP"),
        (rb"GIF8[79]a", "GIF"),
        (rb"....ftyp(avif|avis)", "AVIF"),
        (rb"....ftyp(hei[cxms]|hev[cx]|mif1|msf1)", "HEIC"),
        (rb"....ftyp|\x1aE\xdf\xa3|RIFF....AVI ", "video"),
        (rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", "JPEG 2000"),
        (rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (rb"%!PS|\xc5\xd0\xd3\xc6", "EPS"),
        (rb"%PDF", "PDF"),
        (rb"8BPS", "PSD"),
        (rb"DDS ", "DDS"),
        (rb"\0\0[\x01\x02]\0", "ICO"),
        (rb"icns", "ICNS"),
        (rb"P[1-7fF]\s", "PNM"),
        (rb"\s*<(\?xml|svg)", "SVG"),
    )
]
"""How files of each format begin; those that are not in FORMATS are refused by their name."""
