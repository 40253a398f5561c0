"""Shard index: rows of records, and the file that holds them."""

import io

import google_crc32c
import numpy as np
import pytest

from affectnet_tfds import example_codec, tfrecord
from affectnet_tfds.reader import shard_index

IMAGE = b"\xff\xd8\xff" + bytes(range(60))


def example(**changes):
    plain = example_codec.Example(
        image=IMAGE,
        label=3,
        valence=0.5,
        arousal=float("nan"),
        landmarks=np.zeros((68, 2), np.float32),
        bbox=(0.1, 0.0, 0.7, 1.0),
        filename="1/ä.jpg",
        subset=0,
        copy=2,
    )
    return plain._replace(**changes)


def shard(*examples):
    return b"".join(tfrecord.frame(example_codec.serialize(each)) for each in examples)


def test_rows_say_where_records_and_images_are_and_what_they_hold():
    content = shard(example(), example(filename="2/longer.jpg", label=0, image=IMAGE[:20]))
    first, second = rows = shard_index.of_shard(content)
    assert rows["label"].tolist() == [3, 0]
    assert rows["copy"].tolist() == [2, 2]
    assert rows["filename"].tolist() == ["1/ä.jpg".encode(), b"2/longer.jpg"]
    assert first["valence"] == 0.5
    assert np.isnan(first["arousal"])
    assert first["face_height"] == np.float32(0.7) - np.float32(0.1)
    assert first["subset"] == 0
    assert first["start"] == 0
    assert second["start"] == first["length"]
    assert shard_index.shard_bytes(rows) == len(content)
    for row, image in ((first, IMAGE), (second, IMAGE[:20])):
        begin = int(row["image_start"])
        assert content[begin : begin + int(row["image_length"])] == image
        assert row["image_crc32c"] == google_crc32c.value(image)
    assert "soft_label" not in rows.dtype.names


def test_soft_labels_are_kept_where_the_records_have_them():
    soft = (0.5, 0.25, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0)
    rows = shard_index.of_shard(shard(example(soft_label=soft), example(soft_label=soft)))
    assert rows["soft_label"].tolist() == [list(soft)] * 2
    with pytest.raises(ValueError, match="some records have a soft label and others have none"):
        shard_index.of_shard(shard(example(soft_label=soft), example()))


def test_attributes_are_fields_of_their_own():
    one = example(groups=(("age", "31"), ("skin", "ä")))
    rows = shard_index.of_shard(shard(one, example(groups=(("age", ""), ("skin", "dark")))))
    assert shard_index.group_names(rows) == ["age", "skin"]
    assert rows[shard_index.group_field("age")].tolist() == [b"31", b""]
    assert rows[shard_index.group_field("skin")].tolist() == ["ä".encode(), b"dark"]
    with pytest.raises(ValueError, match="some records have other attributes than others"):
        shard_index.of_shard(shard(one, example()))


def test_an_image_is_found_at_all_of_its_bytes_and_not_at_its_first_ones_alone():
    image = bytes(range(100))
    within = b"name" + image[:40] + b"other" + image + b"label"
    assert shard_index.image_offset(image, within=within) == 49
    assert shard_index.image_offset(image[:3], within=within) == 4


def test_a_row_is_the_same_before_an_example_is_stored_and_after():
    """A worker has numbers of 64 bits, and records have 32."""
    one = example(bbox=(0.1, 0.2, 0.7, 0.9), valence=0.1)
    written = shard_index.array([shard_index.record(one, shard(one), start=0)])
    assert written.tobytes() == shard_index.of_shard(shard(one)).tobytes()


@pytest.mark.parametrize("examples", [[], [example()], [example()] * 3], ids=["0", "1", "3"])
def test_the_file_gives_the_rows_back(examples):
    rows = shard_index.of_shard(shard(*examples))
    content = shard_index.encode(rows)
    back = shard_index.decode(content)
    assert back.dtype == rows.dtype and back.tobytes() == rows.tobytes()
    assert len(back) == len(examples)
    assert shard_index.encode(back) == content
    assert shard_index.shard_bytes(back) == len(shard(*examples))


def test_rows_can_be_read_with_numpy_after_two_lines_of_text():
    file = io.BytesIO(shard_index.encode(shard_index.of_shard(shard(example()))))
    assert file.readline() == b"affectnet_faces shard index 1\n"
    assert len(file.readline()) == 65
    assert np.load(file)["label"].tolist() == [3]


@pytest.mark.parametrize("place", [3, 40, 200, -1])
def test_a_flipped_bit_is_noticed_wherever_it_is(place):
    content = bytearray(shard_index.encode(shard_index.of_shard(shard(example()))))
    content[place] ^= 4
    with pytest.raises(ValueError, match=r"an index must begin with|its SHA-256 is not the one"):
        shard_index.decode(bytes(content))
    with pytest.raises(ValueError, match=r"an index must begin with|its SHA-256 is not the one"):
        shard_index.decode(bytes(content[:20]))


def test_an_array_of_other_fields_is_refused():
    with pytest.raises(ValueError, match=r"its rows must have the fields start, .*: got \('x',\)"):
        shard_index.decode(shard_index.encode(np.zeros(3, [("x", "<i4")])))


def test_a_damaged_shard_has_no_index():
    content = bytearray(shard(example(), example()))
    content[-20] ^= 1
    with pytest.raises(ValueError, match="record 1: the checksum of its content does not hold"):
        shard_index.of_shard(bytes(content))
