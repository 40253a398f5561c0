"""The bytes that are written are those that TensorFlow and TFDS read."""

import numpy as np
import pytest

from affectnet_tfds import example_codec, image_codec, tfrecord

EXAMPLE = example_codec.Example(
    image=image_codec.encode(np.full((32, 32, 3), (10, 200, 90), np.uint8)),
    label=6,
    valence=float("nan"),
    arousal=-0.25,
    landmarks=np.linspace(-0.5, 1.5, 136, dtype=np.float32).reshape(68, 2),
    bbox=(0.125, 0.0, 1.0, 0.5),
    filename="Manually_Annotated_Images/1/ä.jpg",
    subset=1,
    copy=3,
)


def test_equal_examples_have_equal_bytes_and_the_bytes_are_pinned_to_the_order_of_names():
    content = example_codec.serialize(EXAMPLE)
    assert content == example_codec.serialize(EXAMPLE._replace(landmarks=EXAMPLE.landmarks.copy()))
    names = [
        b"arousal",
        b"bbox",
        b"copy",
        b"filename",
        b"image",
        b"label",
        b"landmarks",
        b"subset",
        b"valence",
    ]
    assert [content.index(b"\n" + bytes([len(name)]) + name) for name in names] == sorted(
        content.index(b"\n" + bytes([len(name)]) + name) for name in names
    )


def test_the_checksum_is_that_of_tfrecord_files():
    # From TensorFlow's own writer: the frame of the record b"abc".
    frame = bytes.fromhex("0300000000000000") + tfrecord.masked_crc(
        bytes.fromhex("0300000000000000")
    )
    assert tfrecord.frame(b"abc") == frame + b"abc" + tfrecord.masked_crc(b"abc")
    # RFC 3720, B.4: the CRC-32C of 32 zero bytes is 0x8a9136aa.
    masked = (((0x8A9136AA >> 15) | (0x8A9136AA << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    assert tfrecord.masked_crc(bytes(32)) == masked.to_bytes(4, "little")


@pytest.mark.slow
def test_tensorflow_and_tfds_read_back_what_was_written(tmp_path):
    import tensorflow as tf  # Seconds to import: only the slow tests pay for it.

    from affectnet_tfds import features

    path = tmp_path / "one.tfrecord"
    path.write_bytes(tfrecord.frame(example_codec.serialize(EXAMPLE)))
    (content,) = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    assert tf.train.Example.FromString(content).features.feature["label"].int64_list.value == [6]
    described = features.features(image_size=32, num_classes=8)
    read = described.deserialize_example_np(content)
    assert (
        read["image"].shape == (32, 32, 3)
        and np.abs(read["image"][0, 0].astype(int) - (10, 200, 90)).max() < 8
    )
    assert (read["label"], read["subset"], read["copy"]) == (6, 1, 3)
    assert np.isnan(read["valence"]) and read["arousal"] == np.float32(-0.25)
    assert (read["landmarks"] == EXAMPLE.landmarks).all()
    assert read["bbox"].tolist() == [0.125, 0.0, 1.0, 0.5]
    assert read["filename"].decode() == EXAMPLE.filename
