"""Fixtures of the metadata's tests: versions that are described without being built."""

from typing import Any

from pipeline import config
from pipeline.metadata import data_sets, version


def described(about: data_sets.DataSet, **settings: Any) -> version.Version:
    """Return a version of 30 training and 4 validation images."""
    sizes = {"train": {"0": 20, "3": 10}, "validation": {"0": 2, "3": 2}}
    return version.Version(
        config_name="mine",
        settings=config.JobConfig(input_dir="x", **settings).content(),
        about=about,
        sidecars=[
            {
                "name": f"affectnet_faces-{split}.tfrecord-00000-of-00001",
                "num_examples": sum(counts.values()),
                "record_bytes": 1_000,
                "file_bytes": 1_016,
                "sha256": "0" * 64,
                "label_counts": counts,
            }
            for split, counts in sizes.items()
        ],
    )
