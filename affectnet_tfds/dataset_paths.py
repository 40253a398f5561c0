"""Names and folders of the published data set, as TFDS finds them: shard names and their inverse,
version folder, default data_dir.

Owns every name that the job writes and that a reader looks for. TFDS's own ShardedFileTemplate was
rejected: Beam workers name shards too, and importing TFDS would load TensorFlow into each of them.
"""

import json
import os
import re
from typing import NamedTuple

DATASET_NAME = "affectnet_faces"
VERSION = "1.0.0"

SHARD_TEMPLATE = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
"""TFDS's own template of shard names; `shard_name` fills it in."""
FILE_FORMAT = "tfrecord"

ARRAY_RECORD = "array_record"
"""TFDS's name of the format in which a version may have its shards too, for random access."""

INDEX_SUFFIX = ".index"
"""Ends the name of a shard's index (reader/shard_index.py)."""

ALTERNATIVE_FORMATS = "alternativeFileFormats"
"""Key of DATASET_INFO: the formats that a version has beside FILE_FORMAT, as TFDS reads it."""

FEATURES = "features.json"
DATASET_INFO = "dataset_info.json"
METADATA = (DATASET_INFO, FEATURES)
"""The files by which TFDS knows a version; it looks for the second."""

JOB_CONFIG = "job_config.json"
"""The job's settings, in the version's folder."""

BUILD_REPORT = "build_report.json"
"""Account of every row and list of the shards, in the version's folder."""

DUPLICATES = "duplicates.csv"
"""Groups of images that show one picture, a row each, in the version's folder."""

DEFAULT_CONFIG = ".config/metadata.json"
"""Names the config that tfds.load without one means; in the data set's folder."""

DATA_DIR_VARIABLE = "TFDS_DATA_DIR"
DEFAULT_DATA_DIR = "~/tensorflow_datasets"
DATA_DIR_TEXT = f"{DATA_DIR_VARIABLE}, else {DEFAULT_DATA_DIR}"
"""The default of `data_dir` in words, for --help."""

SAMPLE = "sample"
"""How the config names of drawn faces begin, and no others; the job sees to it."""


class ShardName(NamedTuple):
    """The parts of a shard's file name."""

    split: str
    shard_index: int
    num_shards: int


_SHARD_NAME = re.compile(rf"{DATASET_NAME}-([^-.]+)\.{FILE_FORMAT}-(\d+)-of-(\d+)")


def shard_name(split: str, shard_index: int, num_shards: int) -> str:
    """Return the file name of a shard, such as affectnet_faces-train.tfrecord-00000-of-00016."""
    return f"{DATASET_NAME}-{split}.{FILE_FORMAT}-{shard_index:05d}-of-{num_shards:05d}"


def array_record_name(name: str) -> str:
    """Return the name of a shard's ArrayRecord file, given a name made by `shard_name`."""
    return name.replace(f".{FILE_FORMAT}-", f".{ARRAY_RECORD}-")


def index_name(name: str) -> str:
    """Return the name of a shard's index (reader/shard_index.py), given the name of the shard.

    It does not fit TFDS's template of shard names, so that TFDS takes it for no shard.
    """
    return f"{name.replace(f'.{FILE_FORMAT}-', '-')}{INDEX_SUFFIX}"


def is_shard_name(name: str) -> bool:
    """Return whether a file name is one made by `shard_name`."""
    return _SHARD_NAME.fullmatch(name) is not None


def parse_shard_name(name: str) -> ShardName:
    """Return the parts of a file name made by `shard_name`.

    Raises:
      ValueError: if it is no name of a shard.
    """
    match = _SHARD_NAME.fullmatch(name)
    if match is None:
        wanted = shard_name("SPLIT", 0, 1)
        raise ValueError(f"a shard must be named as {wanted}: got {name!r}")
    return ShardName(match[1], int(match[2]), int(match[3]))


def config_folder(config_name: str) -> str:
    """Return the folder of a config's versions, relative to data_dir."""
    return f"{DATASET_NAME}/{config_name}"


def version_folder(config_name: str, version: str = VERSION) -> str:
    """Return the folder of a version, relative to data_dir."""
    return f"{config_folder(config_name)}/{version}"


def version_number(name: str) -> tuple[int, ...]:
    """Return a version folder's name as numbers that can be compared; () if it is no x.y.z."""
    parts = name.split(".")
    is_version = len(parts) == 3 and all(part.isdigit() for part in parts)
    return tuple(map(int, parts)) if is_version else ()


def data_dir(given: str | None) -> str:
    """Return where data sets are kept, as TFDS chooses it: as given, else TFDS_DATA_DIR, else
    ~/tensorflow_datasets."""
    return given or os.environ.get(DATA_DIR_VARIABLE) or DEFAULT_DATA_DIR


def default_config_text(config_name: str) -> str:
    """Return the content of DEFAULT_CONFIG where a config is the default."""
    return json.dumps({"default_config_name": config_name})
