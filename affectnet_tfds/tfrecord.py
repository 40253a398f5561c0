"""TFRecord framing: length, masked CRC-32C, content, masked CRC-32C; written and read without
TensorFlow."""

import struct
from collections.abc import Iterator

import google_crc32c


def frame(content: bytes) -> bytes:
    """Frame one record as TFRecord files do: length, its checksum, the content, its checksum."""
    length = struct.pack("<Q", len(content))
    return b"".join((length, masked_crc(length), content, masked_crc(content)))


def masked_crc(content: bytes) -> bytes:
    """Return the masked CRC-32C of TFRecord files (tensorflow/core/lib/hash/crc32c.h: Mask)."""
    crc = google_crc32c.value(content)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


_LENGTH, _CRC = 8, 4


def records(content: bytes) -> Iterator[bytes | str]:
    """Yield every record of a TFRecord file, or what is wrong with it.

    After a bad length nothing can be found again; after bad content the next record can.
    """
    at = 0
    while at < len(content):
        head = content[at : at + _LENGTH]
        if len(head) < _LENGTH or content[at + _LENGTH : at + _LENGTH + _CRC] != masked_crc(head):
            yield f"the checksum of its length does not hold (byte {at}); what follows cannot be read"
            return
        start = at + _LENGTH + _CRC
        stop = start + struct.unpack("<Q", head)[0]
        if stop + _CRC > len(content):
            yield f"the file ends within it (byte {at})"
            return
        body = content[start:stop]
        good = content[stop : stop + _CRC] == masked_crc(body)
        yield body if good else f"the checksum of its content does not hold (byte {start})"
        at = stop + _CRC
