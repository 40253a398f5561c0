"""Linear baseline: pixels, classifier, and the program on a data set of a few drawn bars."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from affectnet_tfds import features
from runtime import errors
from trainer import baseline
from trainer.config import run_config
from trainer.data import dataset_version, examples
from trainer.evaluation import linear_baseline

SIDE = 16
NAMES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger")


def bar(label, *, seed):
    """An image whose class is the position of a bright bar, which is linearly separable."""
    image = np.random.default_rng(seed).integers(0, 60, (SIDE, SIDE, 3), dtype=np.uint8)
    image[:, 2 * label : 2 * label + 2] = 220
    return image


def example(label, *, seed):
    return {
        "image": bar(label, seed=seed),
        "label": label,
        "valence": np.nan,
        "arousal": np.nan,
        "landmarks": np.full((68, 2), np.nan, np.float32),
        "bbox": tfds.features.BBox(ymin=0.0, xmin=0.0, ymax=1.0, xmax=1.0),
        "filename": f"{seed}.jpg",
        "subset": "manual",
        "copy": 0,
    }


def publish(data_dir, *, config_name="bars", train=NAMES * 4, validation=NAMES):
    folder = data_dir / "affectnet_faces" / config_name / "1.0.0"
    folder.mkdir(parents=True)
    record = features.features(image_size=SIDE, num_classes=7)
    for split, names in {"train": train, "validation": validation}.items():
        with tf.io.TFRecordWriter(
            str(folder / f"affectnet_faces-{split}.tfrecord-00000-of-00001")
        ) as writer:
            for row, name in enumerate(names):
                drawn = example(NAMES.index(name), seed=row + (1000 if split == "train" else 0))
                writer.write(record.serialize_example(record.encode_example(drawn)))
    tfds.folder_dataset.write_metadata(data_dir=folder, features=record, check_data=False)
    return data_dir


@pytest.fixture(scope="module")
def bars_dir(tmp_path_factory):
    return publish(tmp_path_factory.mktemp("bars"))


def run(*flags):
    command = [sys.executable, "-m", "trainer.baseline", *flags]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def open_version(data_dir):
    return baseline.find(baseline.Baseline(data_dir=str(data_dir)))


def test_a_linear_classifier_finds_bars_by_their_position(bars_dir):
    found = linear_baseline.measure(open_version(bars_dir), image_size=8)
    assert found.accuracy == 1.0
    assert found.class_names == NAMES
    assert [scores.support for scores in found.per_class] == [1] * 7


def test_measuring_again_gives_the_same_numbers(bars_dir):
    version = open_version(bars_dir)
    assert linear_baseline.measure(version, image_size=4) == linear_baseline.measure(
        version, image_size=4
    )


def test_image_size_changes_the_accuracy(bars_dir):
    # In one pixel all bars look alike.
    found = linear_baseline.measure(open_version(bars_dir), image_size=1)
    assert found.accuracy < 0.6


def test_gray_is_the_luma_of_the_images_row_by_row():
    colours = np.array([[[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [100, 100, 100]]]], np.uint8)
    stored = np.repeat(colours, 3, axis=0)
    split = examples.Split(
        name="train",
        size_px=2,
        labels=np.zeros(3, np.int64),
        valence=np.zeros(3, np.float32),
        arousal=np.zeros(3, np.float32),
        read_filenames=lambda: np.array(["a", "b", "c"]),
        copies=np.zeros(3, np.int64),
        positions=np.arange(3),
        fetch=lambda numbers: tf.constant(stored[numbers]),
        fetch_exact=lambda numbers: tf.constant(stored[numbers]),
    )
    pixels = linear_baseline.gray(split)
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels, [[76.245, 149.685, 29.07, 100.0]] * 3, rtol=1e-6)


def test_a_class_that_was_not_in_training_gets_probability_zero():
    pixels = np.array([[0.0, 1.0], [1.0, 0.0], [0.1, 1.0], [1.0, 0.2]], np.float32)
    classifier = linear_baseline.fit(
        pixels.copy(), labels=np.array([0, 2, 0, 2]), class_names=NAMES[:3]
    )
    probabilities = linear_baseline.predict(classifier, pixels=pixels, num_classes=3)
    np.testing.assert_array_equal(probabilities[:, 1], 0)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), [0, 2, 0, 2])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_a_train_split_of_one_class_is_refused(tmp_path):
    publish(tmp_path, train=["happy"] * 3)
    with pytest.raises(errors.UserError) as no:
        linear_baseline.measure(open_version(tmp_path), image_size=4)
    assert str(no.value) == (
        "a classifier needs two classes: split train has 3 x happy alone; name a build with more "
        "(--config_name)"
    )


def test_an_image_size_of_nothing_is_refused():
    with pytest.raises(errors.UserError) as no:
        baseline.Baseline(image_size=0)
    assert str(no.value) == "--image_size must be at least 1: got 0"


def test_the_config_asked_for_is_the_one_that_is_read(tmp_path):
    publish(tmp_path, config_name="bars")
    publish(tmp_path, config_name="fewer", train=("happy", "sad"))
    version = baseline.find(baseline.Baseline(data_dir=str(tmp_path), config_name="fewer"))
    assert version.counts == {"train": 2, "validation": 7}


def test_the_program_prints_the_table_and_one_line_and_writes_the_json(bars_dir, tmp_path):
    output = tmp_path / "new" / "baseline.json"
    done = run(
        f"--data_dir={bars_dir}", "--config_name=bars", "--image_size=8", f"--output={output}"
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "class              precision  recall     F1  support"
    assert lines[-1] == "linear classifier on 8 x 8 gray pixels: validation accuracy 1.000"
    fields = json.loads(output.read_text())
    version = dataset_version.open_version(
        dataset_version.locate(run_config.Data(data_dir=str(bars_dir)))
    )
    assert fields["protocol"] == {
        "model": "logistic regression, C=0.001, at most 200 steps of L-BFGS",
        "input": "8 x 8 gray pixels",
        "data": f"affectnet_faces/bars/1.0.0, fingerprint {version.fingerprint}",
        "split": "validation",
        "trained on": "train, 28 examples",
        "selection": "nothing on this data; C on FER2013's validation split",
    }
    assert (fields["accuracy"], fields["num_examples"]) == (1.0, 7)


def test_a_data_dir_without_the_data_set_says_what_to_run_and_exits_with_2(tmp_path):
    done = run(f"--data_dir={tmp_path}")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        f"error: {tmp_path} holds no affectnet_faces; make it with 'make shards'"
    )
    assert done.stderr.count("\n") == 1
