import pytest

from affectnet_tfds import tfrecord

# Length 3, its masked CRC-32C, "abc", its masked CRC-32C, as TensorFlow 2.21 writes them.
ABC = bytes.fromhex("0300000000000000b099490e6162636e57f121")


def test_a_record_is_framed_as_tensorflow_frames_it():
    assert tfrecord.frame(b"abc") == ABC
    assert len(ABC) == 3 + tfrecord.FRAME_BYTES


def test_records_come_back_in_order():
    assert list(tfrecord.records(ABC + tfrecord.frame(b"") + ABC)) == [b"abc", b"", b"abc"]


@pytest.mark.parametrize(
    ("byte", "found"),
    [
        (0, ["the checksum of its length does not hold (byte 0); what follows cannot be read"]),
        (8, ["the checksum of its length does not hold (byte 0); what follows cannot be read"]),
        (12, ["the checksum of its content does not hold (byte 12)", b"abc"]),
        (15, ["the checksum of its content does not hold (byte 12)", b"abc"]),
    ],
)
def test_a_flipped_byte_is_found_and_what_can_be_read_after_it_is_read(byte, found):
    damaged = bytearray(ABC + ABC)
    damaged[byte] ^= 1
    assert list(tfrecord.records(bytes(damaged))) == found


@pytest.mark.parametrize("left", [1, 11])
def test_a_cut_header_is_found(left):
    assert list(tfrecord.records((ABC + ABC)[: len(ABC) + left])) == [
        b"abc",
        f"the checksum of its length does not hold (byte {len(ABC)}); what follows cannot be read",
    ]


def test_a_cut_content_is_found():
    assert list(tfrecord.records(ABC[:-1])) == ["the file ends within it (byte 0)"]
