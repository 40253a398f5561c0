"""TFRecord index: what it reads of a record besides the image."""

import math

import numpy as np
import tensorflow as tf

from affectnet_tfds import example_codec
from trainer.data import tfrecord_index


def example(**fields):
    return example_codec.Example(
        **{
            "image": b"jpeg",
            "label": 1,
            "valence": 0.25,
            "arousal": -0.5,
            "landmarks": np.zeros((68, 2), np.float32),
            "bbox": (0.125, 0.0, 0.75, 0.5),
            "filename": "a.jpg",
            "subset": 1,
            "copy": 0,
            **fields,
        }
    )


def read(tmp_path, *contents):
    path = tmp_path / "shard"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for content in contents:
            writer.write(content)
    return tfrecord_index.read([path])


def test_height_of_the_face_box_and_subset_are_read(tmp_path):
    records = [example(), example(bbox=(0, 0, 1, 1), subset=0)]
    found = read(tmp_path, *map(example_codec.serialize, records))
    assert found.face_heights.tolist() == [0.625, 1.0] and found.subsets.tolist() == [1, 0]


def test_a_record_without_a_box_is_read_all_the_same(tmp_path):
    found = read(tmp_path, example_codec.serialize(example(bbox=())))
    assert math.isnan(found.face_heights[0]) and found.subsets.tolist() == [1]
    assert found.labels.tolist() == [1] and found.image_bytes(0).tobytes() == b"jpeg"
