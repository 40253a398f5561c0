"""TFRecord framing: length, masked CRC-32C, content, masked CRC-32C; written and read without
TensorFlow.

Owns the format (tensorflow/core/lib/io/record_writer.h). Readers get functions of a buffer and a
byte position, which serve bytes in memory and mapped files alike.
"""

import mmap
import struct
from collections.abc import Iterator

import google_crc32c

_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")

HEADER_BYTES = _LENGTH.size + _CRC.size
FOOTER_BYTES = _CRC.size
FRAME_BYTES = HEADER_BYTES + FOOTER_BYTES

Buffer = bytes | mmap.mmap


def frame(content: bytes) -> bytes:
    """Frame one record as TFRecord files do: length, its checksum, the content, its checksum."""
    length = _LENGTH.pack(len(content))
    return b"".join((length, masked_crc(length), content, masked_crc(content)))


def masked_crc(content: bytes) -> bytes:
    """Return the masked CRC-32C of TFRecord files (tensorflow/core/lib/hash/crc32c.h: Mask)."""
    crc = google_crc32c.value(content)
    return _CRC.pack((((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def content_end(buffer: Buffer, *, start: int) -> int | None:
    """Return where the content of the record at byte `start` ends; None if its header is damaged.

    The content begins HEADER_BYTES after `start`, the next record FOOTER_BYTES after the end.
    """
    header = buffer[start : start + HEADER_BYTES]
    length = header[: _LENGTH.size]
    if len(header) < HEADER_BYTES or header[_LENGTH.size :] != masked_crc(length):
        return None
    return start + HEADER_BYTES + int(_LENGTH.unpack(length)[0])


def is_intact(buffer: Buffer, content: bytes, *, end: int) -> bool:
    """Return whether the content that ends at byte `end` has the checksum that follows it."""
    return buffer[end : end + FOOTER_BYTES] == masked_crc(content)


def records(content: bytes) -> Iterator[bytes | str]:
    """Yield every record of a TFRecord file, or what is wrong with it.

    After a bad length no record can be found; after bad content the next one can.
    """
    start = 0
    while start < len(content):
        end = content_end(content, start=start)
        if end is None:
            yield (
                f"the checksum of its length does not hold (byte {start}); "
                "what follows cannot be read"
            )
            return
        if end + FOOTER_BYTES > len(content):
            yield f"the file ends within it (byte {start})"
            return
        body_start = start + HEADER_BYTES
        body = content[body_start:end]
        if is_intact(content, body, end=end):
            yield body
        else:
            yield f"the checksum of its content does not hold (byte {body_start})"
        start = end + FOOTER_BYTES
