"""Image files that are hostile: bombs that claim or unpack to much, and mutants of good files.

The bombs are small files; each says in its name what it claims.
"""

import io
import random
import struct
import zlib
from collections.abc import Callable

import numpy as np
import PIL.Image

SOS = b"\xff\xda"


def seeds() -> dict[str, bytes]:
    """Return good files of every format that is read, in the variants that take other ways."""
    generator = np.random.default_rng(0)
    small = PIL.Image.fromarray(generator.integers(0, 255, (61, 47, 3), np.uint8))
    image = small.resize((94, 122))
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    gray = generator.integers(0, 65535, (60, 40)).astype(np.uint16)
    unit = generator.random((60, 40)).astype(np.float32)
    palette = image.convert("P")
    frames = {"save_all": True, "append_images": [image.rotate(9)]}
    return {
        "jpeg": _saved(image, "JPEG", exif=exif),
        "jpeg_gray": _saved(image.convert("L"), "JPEG"),
        "jpeg_progressive": _saved(image, "JPEG", progressive=True),
        "jpeg_cmyk": _saved(image.convert("CMYK"), "JPEG"),
        "jpeg_icc": _saved(image, "JPEG", icc_profile=bytes(3000)),
        "png": _saved(image, "PNG", exif=exif),
        "png_palette": _saved(palette, "PNG", transparency=3),
        "png_alpha": _saved(image.convert("RGBA"), "PNG"),
        "png_gray_16": _saved(PIL.Image.fromarray(gray), "PNG"),
        "png_animated": _saved(image, "PNG", **frames),
        "gif": _saved(palette, "GIF", save_all=True, append_images=[palette.rotate(10)]),
        "webp": _saved(image, "WEBP", exif=exif),
        "webp_lossless": _saved(image.convert("RGBA"), "WEBP", lossless=True),
        "webp_animated": _saved(image, "WEBP", **frames),
        "tiff": _saved(image, "TIFF", exif=exif),
        "tiff_lzw": _saved(image, "TIFF", compression="tiff_lzw"),
        "tiff_deflate": _saved(image, "TIFF", compression="tiff_adobe_deflate"),
        "tiff_jpeg": _saved(image, "TIFF", compression="jpeg"),
        "tiff_ccitt": _saved(image.convert("1"), "TIFF", compression="group4"),
        "tiff_float": _saved(PIL.Image.fromarray(unit), "TIFF"),
        "tiff_gray_16": _saved(PIL.Image.fromarray(gray), "TIFF", compression="packbits"),
        "bmp": _saved(image, "BMP"),
        "bmp_palette": _saved(palette, "BMP"),
        "bmp_run_length": run_length_bmp(20, 20, pixels=b"\x14\x05\x00\x00" * 20 + b"\0\1"),
    }


def _saved(image: PIL.Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def mutant(content: bytes, generator: random.Random) -> bytes:
    """Return a file with a few bytes changed, cut off, inserted or removed."""
    return generator.choice(_MUTATIONS)(bytearray(content), generator)


def _changed(content: bytearray, generator: random.Random) -> bytes:
    for _ in range(generator.randint(1, 20)):
        content[generator.randrange(len(content))] = generator.randrange(256)
    return bytes(content)


def _changed_header(content: bytearray, generator: random.Random) -> bytes:
    for _ in range(generator.randint(1, 6)):
        value = generator.choice((0, 1, 127, 128, 255, generator.randrange(256)))
        content[generator.randrange(min(len(content), 200))] = value
    return bytes(content)


def _number_in_header(content: bytearray, generator: random.Random) -> bytes:
    value = generator.choice((0, 1, 2**31 - 1, 2**32 - 1, 2**31, 65535, 100_000, 20_000))
    at = generator.randrange(min(len(content), 300) - 4)
    content[at : at + 4] = struct.pack(generator.choice("<>") + "I", value)
    return bytes(content)


def _cut_off(content: bytearray, generator: random.Random) -> bytes:
    return bytes(content[: generator.randrange(1, len(content))])


def _inserted(content: bytearray, generator: random.Random) -> bytes:
    at = generator.randrange(len(content))
    return bytes(content[:at] + generator.randbytes(generator.randint(1, 40)) + content[at:])


def _removed(content: bytearray, generator: random.Random) -> bytes:
    at = generator.randrange(len(content))
    del content[at : at + generator.randint(1, 40)]
    return bytes(content)


def _repeated(content: bytearray, generator: random.Random) -> bytes:
    at = generator.randrange(len(content))
    part = content[at : at + generator.randint(1, 200)]
    return bytes(content[:at] + part * generator.randint(1, 300) + content[at:])


_MUTATIONS = (
    _changed,
    _changed_header,
    _number_in_header,
    _cut_off,
    _inserted,
    _removed,
    _repeated,
)


def bombs() -> dict[str, Callable[[], bytes]]:
    """Return functions that make a hostile file each, by what it claims or unpacks to."""
    jpeg = _saved(PIL.Image.new("RGB", (32, 32)), "JPEG")
    return {
        "PNG of 65500 x 1": lambda: png(65500, 1),
        "PNG of 1 x 99,999,999": lambda: png(1, 2_000_000, claim=(1, 99_999_999)),
        "PNG of 9999 x 9999": lambda: png(9999, 9999),
        "PNG of 9999 x 9999, 16 bits, alpha": lambda: png(
            64, 64, depth=16, colour=6, claim=(9999, 9999)
        ),
        "PNG of 7000 x 7000, alpha": lambda: png(7000, 7000, colour=6),
        "PNG of 6900 x 6900, 16 bits": lambda: png(6900, 6900, depth=16, colour=0),
        "PNG of 60000 x 60000, 1 bit": lambda: png(64, 64, depth=1, colour=0, claim=(60000, 60000)),
        "PNG of 256 MB of color profile": lambda: png(
            64, 64, extra=_chunk(b"iCCP", _packed(1 << 28))
        ),
        "PNG of 256 MB of text": lambda: png(64, 64, extra=_chunk(b"zTXt", _packed(1 << 28))),
        "PNG of 70,000 chunks": lambda: png(64, 64, extra=_chunk(b"teSt", b"") * 70_000),
        "GIF of 65535 x 65535": lambda: gif(65535, 65535),
        "GIF of 10 x 10, frame at 60000": lambda: gif(10, 10, left=60000),
        "GIF of 5900 x 5900": lambda: _saved(PIL.Image.new("P", (5900, 5900)), "GIF"),
        "GIF of 5 MB of comments": lambda: gif(
            10, 10, extra=b"\x21\xfe" + (b"\xff" + bytes(255)) * 20_000 + b"\0"
        ),
        "WebP of 9999 x 9999": lambda: webp(9999, 9999),
        "WebP of 4300 x 4300": lambda: webp(4300, 4300),
        "WebP of 4200 x 4200, alpha": lambda: _saved(
            PIL.Image.new("RGBA", (4200, 4200)), "WEBP", lossless=True, method=0
        ),
        "JPEG of 16383 x 6000": lambda: _saved(
            PIL.Image.new("RGB", (16383, 6000)), "JPEG", quality=10
        ),
        "JPEG of 7100 x 7100": lambda: _saved(
            PIL.Image.new("RGB", (7100, 7100)), "JPEG", quality=10
        ),
        "JPEG of 65500 x 1": lambda: _saved(PIL.Image.new("RGB", (65500, 1)), "JPEG"),
        "JPEG of 9999 x 9999, progressive": lambda: progressive(9999, scans=0),
        "JPEG of 5800 x 5800, progressive": lambda: progressive(5800, scans=0),
        "JPEG of 9000 x 9000, 1,000 scans": lambda: progressive(64, scans=1000, claim=9000),
        "JPEG of 64 x 64, 100,000 scans": lambda: progressive(64, scans=100_000),
        "JPEG of 5800 x 5800, 12 scans": lambda: progressive(5800, scans=2),
        "JPEG of 5000 x 5000, CMYK": lambda: _saved(PIL.Image.new("CMYK", (5000, 5000)), "JPEG"),
        "JPEG of 60,000 comments": lambda: jpeg[:2] + b"\xff\xfe\0\2" * 60_000 + jpeg[2:],
        "JPEG of 2 MB between segments": lambda: jpeg[:20] + bytes(2_000_000) + jpeg[20:],
        "JPEG of 40 MB of fill bytes": lambda: jpeg[:2] + b"\xff" * 40_000_000 + jpeg[2:],
        "JPEG of an endless orientation": lambda: oriented(jpeg, 11, float("inf")),
        "JPEG of an orientation that is no number": lambda: oriented(jpeg, 11, float("nan")),
        "TIFF of 9999 x 9999, deflate": lambda: tiff(9999, 9999, packed=True),
        "TIFF of 5000 x 5000, deflate": lambda: tiff(5000, 5000, packed=True),
        "TIFF of 9999 x 9999 without pixels": lambda: tiff(9999, 9999),
        "TIFF of 2^31 numbers": lambda: tiff(10, 10, extra=(700, 3, 2**31 - 1, 8)),
        "TIFF of 5,000,000 numbers": lambda: (
            tiff(10, 10, extra=(700, 3, 5_000_000, 8)) + bytes(10**7)
        ),
        "TIFF of tiles of 30000 x 30000": lambda: tiff(10, 10, packed=True, tile=30000),
        "BMP of 9999 x 9999 without pixels": lambda: bmp(9999, 9999),
        "BMP of -7000 x -7000": lambda: bmp(7000, -7000) + bytes(7000 * 7000 * 3),
        "BMP of runs that skip 255 rows of 50,000,000": lambda: run_length_bmp(
            50_000_000, 1, pixels=b"\0\2\0\xff"
        ),
        "BMP of runs, 1400 x 1400": lambda: run_length_bmp(1400, 1400, pixels=b"\0\0" * 1400),
        "BMP of runs of one pixel": lambda: run_length_bmp(1400, 1400, pixels=b"\1\7" * 2_900_000),
        "ICO of a PNG of 50000 x 50000": lambda: ico(png(64, 64, claim=(50000, 50000))),
        "EPS, which Ghostscript would run": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%EOF\n",
        "PPM in text": lambda: b"P3\n9999 9999\n255\n" + b"0 " * 50,
        "DDS": lambda: b"DDS " + bytes(200),
        "AVIF": lambda: b"\0\0\0\x1cftypavif" + bytes(200),
        "empty": lambda: b"",
        "HTML": lambda: b"<html><script>alert(1)</script></html>",
    }


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _packed(size: int) -> bytes:
    return b"x\0\0" + _zeros(size)


def _zeros(size: int) -> bytes:
    """Return `size` zeros, deflated, without making them."""
    packer = zlib.compressobj(1)
    block = bytes(1 << 20)
    parts = [packer.compress(block) for _ in range(size >> 20)]
    return b"".join([*parts, packer.compress(bytes(size & ((1 << 20) - 1))), packer.flush()])


def png(
    width: int,
    height: int,
    *,
    depth: int = 8,
    colour: int = 2,
    extra: bytes = b"",
    claim: tuple[int, int] | None = None,
) -> bytes:
    """Return a black PNG that claims another size, if one is given."""
    samples = {0: 1, 2: 3, 6: 4}[colour]
    line = 1 + (width * samples * depth + 7) // 8
    head = struct.pack(">IIBBBBB", *(claim or (width, height)), depth, colour, 0, 0, 0)
    pixels = _chunk(b"IDAT", _zeros(line * height))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + extra + pixels + _chunk(b"IEND", b"")


def webp(width: int, height: int) -> bytes:
    """Return a lossless WebP that claims a size that it has not."""
    content = _saved(PIL.Image.new("RGB", (8, 8)), "WEBP", lossless=True)
    size = struct.pack("<I", (width - 1) | (height - 1) << 14)
    return content[:21] + size + content[25:]


def gif(width: int, height: int, *, left: int = 0, extra: bytes = b"") -> bytes:
    """Return a GIF whose only frame has no pixels."""
    screen = struct.pack("<HHBBB", width, height, 0, 0, 0)
    frame = struct.pack("<HHHHB", left, left, width, height, 0)
    return b"GIF89a" + screen + extra + b"," + frame + b"\x02\x02D\x01\0;"


def progressive(side: int, *, scans: int, claim: int = 0) -> bytes:
    """Return a black progressive JPEG whose last scan is repeated, and that may claim more."""
    content = _saved(PIL.Image.new("RGB", (side, side)), "JPEG", quality=5, progressive=True)
    last = content[content.rfind(SOS) : -2]
    if claim:
        at = content.index(b"\xff\xc2") + 5
        content = content[:at] + struct.pack(">HH", claim, claim) + content[at + 4 :]
    return content[:-2] + last * scans + content[-2:]


def oriented(jpeg: bytes, kind: int, value: float) -> bytes:
    """Return a JPEG whose EXIF orientation is a float."""
    ifd = struct.pack("<HHHIf", 1, 0x0112, kind, 1, value)
    app1 = b"Exif\0\0II*\0\x08\0\0\0" + ifd
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(app1) + 2) + app1 + jpeg[2:]


def tiff(
    width: int,
    height: int,
    *,
    packed: bool = False,
    tile: int = 0,
    extra: tuple[int, int, int, int] | None = None,
) -> bytes:
    """Return a gray TIFF: deflated, or without its pixels."""
    pixels = _zeros(max(width * height, tile * tile)) if packed else b"x" * 100
    place = (
        [(322, 4, 1, tile), (323, 4, 1, tile), (324, 4, 1, 0), (325, 4, 1, len(pixels))]
        if tile
        else [(273, 4, 1, 0), (278, 4, 1, height), (279, 4, 1, len(pixels))]
    )
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 8 if packed else 1),
        (262, 3, 1, 1),
        (277, 3, 1, 1),
        *place,
        *([extra] if extra else []),
    ]
    at = 8 + 2 + 12 * len(entries) + 4
    body = b"".join(
        struct.pack("<HHII", tag, kind, count, at if tag in (273, 324) else value)
        for tag, kind, count, value in sorted(entries)
    )
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + bytes(4) + pixels


def bmp(width: int, height: int, *, bits: int = 24, compression: int = 0) -> bytes:
    """Return the header of a BMP."""
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54 + (1024 if bits == 8 else 0)) + info


def run_length_bmp(width: int, height: int, *, pixels: bytes) -> bytes:
    """Return a BMP of run-length encoded pixels."""
    return bmp(width, height, bits=8, compression=1) + bytes(1024) + pixels


def ico(inner: bytes) -> bytes:
    """Return an ICO of 64 x 64 whose only image is a PNG."""
    entry = struct.pack("<BBBBHHII", 64, 64, 0, 0, 1, 32, len(inner), 22)
    return struct.pack("<HHH", 0, 1, 1) + entry + inner
