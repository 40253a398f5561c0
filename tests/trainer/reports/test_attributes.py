"""Attributes of examples: what the records and the stored images say."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from trainer.data import examples
from trainer.reports import attributes


@pytest.fixture(scope="module")
def split(version):
    """The validation split."""
    return examples.read(version, split="validation", size_px=16, cache="none")


def with_images(split, images):
    def fetch(indices):
        return tf.gather(tf.constant(images), indices)

    count = len(images)
    return dataclasses.replace(split, labels=np.zeros(count, np.int64), fetch=fetch)


def test_brightness_is_the_mean_luma_of_every_image(split):
    images = np.zeros((600, 16, 16, 3), np.uint8)
    images[0] = 255
    images[1, ..., 0] = 100
    images[599, :8, :, 1] = 200
    found = attributes.brightness(with_images(split, images))
    # BT.601: red 0.299, green 0.587; half of the last image is green.
    assert found.shape == (600,)
    assert found[[0, 1, 2, 599]] == pytest.approx([255, 29.9, 0, 58.7])


def test_a_split_has_the_face_boxes_and_subsets_of_its_records(split):
    assert split.face_heights.tolist() == [1.0] * split.num_examples  # The fixture's boxes.
    assert set(attributes.subsets(split.subsets)) <= {"manual", "automatic"}
    found = attributes.of(split)
    assert list(found) == ["face size", "brightness", "subset"]
    assert found["face size"].text(0.45) == "45%" and found["brightness"].text(83.4) == "83"


def test_a_code_of_no_subset_has_no_name():
    assert attributes.subsets(np.array([0, 1, -1, 7])).tolist() == ["manual", "automatic", "", ""]
