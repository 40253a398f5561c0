"""Face dataset: examples by index, the same in workers, and damaged files refused by name."""

import errno
import multiprocessing
import os
import pathlib
import pickle
import subprocess
import sys
from concurrent import futures

import numpy as np
import pytest

from affectnet_tfds import FaceDataset, dataset_paths, tfrecord
from runtime import errors
from tests.affectnet_tfds.reader import conftest

ROOT = pathlib.Path(__file__).parents[3]


@pytest.fixture
def train(data_dir) -> FaceDataset:
    return FaceDataset(data_dir, split="train")


def shard(data_dir, index: int) -> pathlib.Path:
    version = data_dir / dataset_paths.version_folder("affectnet8")
    return version / dataset_paths.shard_name("train", index, 3)


def test_an_example_has_every_feature_as_numpy(train):
    found = train[2]
    assert list(found) == [
        "image", "label", "valence", "arousal", "landmarks", "bbox", "filename", "subset", "copy",
    ]  # fmt: skip
    assert found["image"].shape == (16, 16, 3) and found["image"].dtype == np.uint8
    assert np.abs(found["image"].astype(int) - 40).max() <= 1
    assert (found["label"], found["filename"], found["subset"], found["copy"]) == (
        2, "train/2.jpg", 0, 0,
    )  # fmt: skip
    assert found["valence"] == np.float32(0.2) and np.isnan(found["arousal"])
    assert found["valence"].dtype == found["bbox"].dtype == found["landmarks"].dtype == np.float32
    assert found["landmarks"].shape == (68, 2) and found["bbox"].tolist() == [0, 0.25, 0.5, 1]


def test_positions_are_those_in_file_order_over_all_shards(train):
    assert len(train) == 7
    assert [train[i]["filename"] for i in (6, 0, 3)] == [
        "train/6.jpg", "train/0.jpg", "train/3.jpg",
    ]  # fmt: skip
    assert train[-1]["label"] == 6 and train[np.int64(4)]["label"] == 4
    assert [example["label"] for example in train] == list(range(7))  # The protocol of sequences.
    for outside in (7, -8):
        with pytest.raises(IndexError, match=r"index must be -7\.\.6: got"):
            train[outside]
    assert repr(train) == "FaceDataset(affectnet_faces/affectnet8/1.0.0, split='train', 7 examples)"
    assert train.class_names[:2] == ("neutral", "happy") and len(train.class_names) == 8


def test_where_files_cannot_be_read_at_a_position_examples_are_the_same(data_dir, monkeypatch):
    """As on Windows."""
    wanted = [example["filename"] for example in FaceDataset(data_dir, split="train")]
    monkeypatch.delattr(os, "pread")
    train = FaceDataset(data_dir, split="train")
    with futures.ThreadPoolExecutor(4) as threads:
        assert [each["filename"] for each in threads.map(train.__getitem__, range(7))] == wanted


def test_as_supervised_is_a_pair_and_a_transform_is_given_the_pixels(data_dir):
    pairs = FaceDataset(
        data_dir, split="validation", as_supervised=True, transform=lambda pixels: pixels.mean()
    )
    assert [(round(float(mean)), label) for mean, label in pairs] == [(0, 0), (20, 1)]


def test_a_training_size_shrinks_the_images(data_dir):
    small = FaceDataset(data_dir, split="train", image_size=8)
    assert small[4]["image"].shape == (8, 8, 3)
    assert np.abs(small[4]["image"].astype(int) - 80).max() <= 1


@pytest.mark.parametrize("encoding", ["png", "raw"])
def test_lossless_builds_give_every_pixel_in_an_array_that_may_be_changed(encoding, tmp_path):
    folder = tmp_path / "v" / "1.0.0"
    conftest.write_version(folder, encoding=encoding)
    image = FaceDataset(folder, split="train")[5]["image"]
    assert (image == 100).all() and image.flags.writeable


def test_columns_are_all_features_but_the_images(data_dir, tmp_path):
    columns = FaceDataset(data_dir, split="train").columns()
    assert columns["label"].tolist() == list(range(7)) and columns["label"].dtype == np.int64
    assert columns["filename"][3] == "train/3.jpg" and columns["valence"].dtype == np.float32
    assert columns["landmarks"].shape == (7, 68, 2) and "image" not in columns
    assert "soft_label" not in columns
    conftest.write_version(tmp_path / "plus" / "1.0.0", soft=True)
    soft = FaceDataset(tmp_path / "plus" / "1.0.0", split="train").columns()["soft_label"]
    assert soft.shape == (7, 8) and (soft == 0.125).all()


def test_a_stored_example_has_the_encoded_image(train):
    stored = train.stored(-1)
    assert stored == conftest.example(6, split="train")._replace(
        landmarks=stored.landmarks, valence=stored.valence, arousal=stored.arousal
    )
    assert stored.image[:3] == b"\xff\xd8\xff"


def _labels(faces: FaceDataset) -> list[int]:
    return [faces[i]["label"] for i in (6, 5, 4, 3, 2, 1, 0)]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_other_processes_read_the_same(train, method):
    assert train[0]["label"] == 0  # Its files are open, so that a fork inherits them.
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(_labels, [train] * 4) == [[6, 5, 4, 3, 2, 1, 0]] * 4
        assert pool.apply(_labels, [train]) == [6, 5, 4, 3, 2, 1, 0]


def test_threads_read_the_same_from_one_instance(train):
    order = np.random.default_rng(0).integers(0, 7, 300).tolist()
    with futures.ThreadPoolExecutor(4) as threads:
        assert [e["label"] for e in threads.map(train.__getitem__, order)] == order


def test_an_index_is_pickled_and_no_open_file(train):
    train[0]
    assert len(pickle.dumps(train)) < 5_000
    assert pickle.loads(pickle.dumps(train))[6]["label"] == 6


def test_a_flipped_bit_is_refused_with_file_and_record_and_the_others_are_read(data_dir):
    path = shard(data_dir, 2)
    content = bytearray(path.read_bytes())
    content[-100] ^= 1  # In the last of its four records.
    path.write_bytes(content)
    faces = FaceDataset(data_dir, split="train")
    assert faces[5]["label"] == 5
    with pytest.raises(
        errors.UserError, match=r"00002-of-00003, record 3: its checksum does not match \(byte \d+"
    ):
        faces[6]


def test_a_damaged_length_or_a_cut_file_is_refused_when_it_is_opened(data_dir):
    path = shard(data_dir, 0)
    whole = path.read_bytes()
    for damaged in (whole[:-5], b"\x01" + whole[1:], whole + b"123"):
        path.write_bytes(damaged)
        with pytest.raises(errors.UserError, match=r"00000-of-00003, record \d: its checksum"):
            FaceDataset(data_dir, split="train")


def test_a_shard_of_another_build_is_refused(data_dir):
    path = shard(data_dir, 0)
    path.write_bytes(shard(data_dir, 2).read_bytes())
    with pytest.raises(errors.UserError, match="must hold 3 records by its dataset_info.json: got"):
        FaceDataset(data_dir, split="train")
    path.write_bytes(tfrecord.frame(b"no protobuf") * 3)
    with pytest.raises(errors.UserError, match="record 0: it is no example of this data set"):
        FaceDataset(data_dir, split="train")[0]


def test_a_shard_that_is_replaced_meanwhile_is_refused(train, data_dir):
    shard(data_dir, 0).write_bytes(b"of another build")
    with pytest.raises(errors.UserError, match="was replaced while it is read: wait until"):
        train[0]


@pytest.mark.parametrize("size", [0, -5, 7, 4097, 10**9, 48.0, "48", (48, 48), True])
def test_a_size_that_is_no_number_of_pixels_is_refused(size, data_dir):
    with pytest.raises(errors.UserError) as refused:
        FaceDataset(data_dir, split="train", image_size=size)
    assert str(refused.value) == (
        "image_size must be a whole number of pixels, 8..4096, or None for the size as stored: "
        f"got {size!r}"
    )


def test_a_size_of_numpy_is_taken(data_dir):
    faces = FaceDataset(data_dir, split="train", image_size=np.int64(24))
    assert faces[0]["image"].shape == (24, 24, 3)


def test_a_transform_that_is_no_function_is_refused(data_dir):
    with pytest.raises(errors.UserError, match="transform must be a function of .*: got 3$"):
        FaceDataset(data_dir, split="train", transform=3)


def test_what_a_transform_raises_is_passed_on(data_dir):
    def absent(_):
        raise FileNotFoundError(2, "No such file or directory", "mean.npy")

    with pytest.raises(FileNotFoundError):
        FaceDataset(data_dir, split="train", transform=absent)[0]


LACKED = [
    dataset_paths.shard_name("train", 1, 3),
    dataset_paths.DATASET_INFO,
    "label.labels.txt",
]


@pytest.mark.parametrize("name", LACKED)
def test_a_version_that_lacks_a_file_is_refused(name, data_dir):
    path = shard(data_dir, 0).with_name(name)
    path.unlink()
    with pytest.raises(errors.UserError) as refused:
        FaceDataset(data_dir, split="train")
    way_out = "copy the version again from an intact copy, or build it anew"
    assert str(refused.value) == f"{path} is missing: {way_out}"
    path.mkdir()
    with pytest.raises(errors.UserError) as refused:
        FaceDataset(data_dir, split="train")
    assert str(refused.value) == f"{path} is a folder, and must be a file: {way_out}"


@pytest.mark.parametrize("name", LACKED)
def test_a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(name, data_dir):
    path = shard(data_dir, 0).with_name(name)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(errors.UserError, match=f"cannot use .*{name}: it is a named pipe"):
        FaceDataset(data_dir, split="train")


def test_a_shard_that_is_gone_and_a_disk_that_fails_meanwhile_are_told(data_dir, monkeypatch):
    faces = FaceDataset(data_dir, split="train")
    shard(data_dir, 2).unlink()
    with pytest.raises(errors.UserError, match="train.tfrecord-00002-of-00003 is missing: copy"):
        faces[6]
    assert faces[0]["label"] == 0

    def fails(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "pread", fails)
    with pytest.raises(errors.UserError, match="cannot use .*-00000-of-00003: input/output error"):
        faces[0]


def test_a_broken_image_is_named(data_dir):
    version = data_dir / dataset_paths.version_folder("affectnet8")
    conftest.write_metadata(version, encoding="raw")
    with pytest.raises(errors.UserError, match=r"record 1 \(train/1.jpg\): \d+ bytes are not 16 x"):
        FaceDataset(data_dir, split="train")[1]


def test_neither_tensorflow_nor_tfds_nor_torch_is_loaded(data_dir):
    code = (
        "import sys; from affectnet_tfds import FaceDataset\n"
        f"print(FaceDataset({str(data_dir)!r}, split='train')[0]['label'])\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "print(loaded & {'tensorflow', 'tensorflow_datasets', 'keras', 'torch', 'apache_beam'})\n"
        "print('cv2' in loaded)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("0\nset()\nTrue\n", "")
