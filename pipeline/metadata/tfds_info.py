"""TFDS's files of a version: dataset_info.json, features.json, the labels' names and LICENSE.

Owns how they are written from the sidecars: TFDS's own way reads every shard again.
"""

import json
from pathlib import Path

import tensorflow_datasets as tfds

from affectnet_tfds import dataset_paths, features
from pipeline.files import atomic
from pipeline.metadata import version


def write(folder: Path, described: version.Version) -> None:
    """Write the files into a version's folder; shards that are in a store need not be there."""
    names = [done["name"] for done in described.sidecars]
    # TFDS requires files of the splits' names.
    stand_ins = [folder / name for name in names if not (folder / name).exists()]
    for file in stand_ins:
        file.touch()
    _write_metadata(folder, described)
    for file in stand_ins:
        file.unlink()
    # write_metadata knows of no configs; TFDS reads these from here.
    info_path = folder / dataset_paths.DATASET_INFO
    info = {
        **json.loads(info_path.read_text(encoding="utf-8")),
        "configName": described.config_name,
        "configDescription": described.described(),
        "releaseNotes": features.RELEASE_NOTES,
    }
    atomic.write_text(info_path, json.dumps(info, indent=2) + "\n")


def _write_metadata(folder: Path, described: version.Version) -> None:
    settings, about = described.settings, described.about
    tfds.folder_dataset.write_metadata(
        data_dir=folder,
        features=features.features(
            image_size=settings["image_size"],
            num_classes=settings["classes"],
            soft_labels=settings["soft_labels"],
            encoding=settings["encoding"],
            groups=described.groups,
        ),
        split_infos=_splits(folder, described),
        version=dataset_paths.VERSION,
        supervised_keys=("image", "label"),
        description=about.description,
        homepage=about.homepage or None,
        citation=about.citation or None,
        license=about.license,
        check_data=False,
    )


def _splits(folder: Path, described: version.Version) -> list[tfds.core.SplitInfo]:
    template = tfds.core.ShardedFileTemplate(
        dataset_name=dataset_paths.DATASET_NAME,
        data_dir=folder,
        filetype_suffix=dataset_paths.FILE_FORMAT,
        split="train",
        template=dataset_paths.SHARD_TEMPLATE,
    )
    return [
        tfds.core.SplitInfo(
            name=split,
            shard_lengths=[done["num_examples"] for done in group],
            num_bytes=sum(done["record_bytes"] for done in group),
            filename_template=template.replace(split=split),
        )
        for split, group in described.shards().items()
    ]
