"""Fixtures: a version of two splits, written with the codec alone and TFDS's JSON files."""

import json
import pathlib

import numpy as np
import pytest

from affectnet_tfds import dataset_paths, example_codec, image_codec, labels, tfrecord

SIZE = 16
SHARDS = {"train": (3, 0, 4), "validation": (2,)}
"""Records of each shard; one is empty, as where all of its images were rejected."""


def example(number: int, *, split: str, encoding: str = "jpeg") -> example_codec.Example:
    """Return an example whose image is of one gray, 20 times its number."""
    image = np.full((SIZE, SIZE, 3), 20 * number, np.uint8)
    return example_codec.Example(
        image=image_codec.encode(image, encoding=encoding),
        label=number % 8,
        valence=number / 10,
        arousal=float("nan"),
        landmarks=np.full((68, 2), number / 10, np.float32),
        bbox=(0.0, 0.25, 0.5, 1.0),
        filename=f"{split}/{number}.jpg",
        subset=0,
        copy=0,
    )


def write_version(folder: pathlib.Path, *, encoding: str = "jpeg", soft: bool = False) -> None:
    """Write a version's folder."""
    folder.mkdir(parents=True)
    for split, counts in SHARDS.items():
        number = 0
        for shard, count in enumerate(counts):
            content = b""
            for _ in range(count):
                added = example(number, split=split, encoding=encoding)
                added = added._replace(soft_label=(0.125,) * 8) if soft else added
                content += tfrecord.frame(example_codec.serialize(added))
                number += 1
            name = dataset_paths.shard_name(split, shard, len(counts))
            (folder / name).write_bytes(content)
    write_metadata(folder, encoding=encoding)


def write_metadata(folder: pathlib.Path, *, encoding: str) -> None:
    """Write what the reader takes from TFDS's files, in TFDS's form."""
    shape = {"shape": {"dimensions": [str(SIZE), str(SIZE), "3"]}, "dtype": "uint8"}
    image = (
        {"tensor": {**shape, "encoding": "bytes"}}
        if encoding == "raw"
        else {"image": {**shape, "encodingFormat": encoding}}
    )
    features = {"featuresDict": {"features": {"image": image}}}
    splits = [
        {"name": name, "shardLengths": [str(count) for count in counts], "numBytes": "0"}
        for name, counts in SHARDS.items()
    ]
    (folder / "features.json").write_text(json.dumps(features))
    (folder / "dataset_info.json").write_text(json.dumps({"splits": splits}))
    (folder / "label.labels.txt").write_text("\n".join(labels.class_names(8)))


@pytest.fixture
def data_dir(tmp_path) -> pathlib.Path:
    """A data_dir with one config, affectnet8, of one version."""
    write_version(tmp_path / "data" / dataset_paths.version_folder("affectnet8"))
    return tmp_path / "data"
