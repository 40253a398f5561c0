"""Conversion program: writes the records of published builds as ArrayRecord too.

The files come beside the TFRecords, as TFDS's alternative format: one version serves tfds.load,
the trainer and tfds.data_source, with the same examples in the same order and one fingerprint. A
flag of the job was rejected: data reports, repairs and the trainer read TFRecords, so that either
each of them would need a second reader, or the shards would be written twice all the same.
"""

import concurrent.futures
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from affectnet_tfds import dataset_paths, tfrecord
from pipeline import verify
from pipeline.data_report import build_files
from pipeline.files import atomic, checksums, lock, output_disk, storage
from pipeline.shards import array_record
from runtime import errors, flags, installation, machine, signals

ABOUT = """Write the examples of published builds as ArrayRecord too, for access by index.

  python -m pipeline.convert --data_dir=DIR --config_name=affectnet8

Afterwards tfds.data_source reads them, for PyTorch and Grain; TFRecords stay the default."""


SECTIONS: dict[str, type] = {"Conversion": verify.Published}


def convert(folder: storage.AnyPath) -> list[str]:
    """Write the ArrayRecord shards of a version that are not there; return all their names.

    Raises:
      errors.UserError: if a shard is damaged, or a build is writing the version.
    """
    entries = build_files.shards(folder)
    with (
        lock.held(
            folder, lock=lock.of_version(folder), way_out="convert it when that one has ended"
        ),
        output_disk.explained(
            folder,
            needed_bytes=sum(entry["file_bytes"] for entry in entries),
            is_counted=lambda name: f".{dataset_paths.ARRAY_RECORD}-" in name,
        ),
        concurrent.futures.ProcessPoolExecutor(
            machine.cpu_count(),
            mp_context=storage.processes(folder),
            initializer=signals.end_with_parent,
        ) as pool,
    ):
        names = list(pool.map(convert_shard, [folder] * len(entries), entries))
        _announce(folder, names)
    return names


def convert_shard(folder: storage.AnyPath, entry: Mapping[str, Any]) -> str:
    """Write the ArrayRecord file of a shard, unless it is there; return its name.

    Raises:
      errors.UserError: if the shard is damaged, or what was written is not read back.
    """
    records = _records(folder / entry["name"], sha256=entry["sha256"])
    name = dataset_paths.array_record_name(entry["name"])
    if (folder / name).is_file() and not array_record.defect(folder / name, records):
        return name
    array_record.write(folder / name, records)
    if found := array_record.defect(folder / name, records):
        raise errors.UserError(
            f"{folder / name} was written, and is not read back as it was: {found}; look at the "
            "disk, and give the same command again"
        )
    return name


def _records(path: storage.AnyPath, *, sha256: str) -> list[bytes]:
    with storage.naming(path):
        content = path.read_bytes()
    records = list(tfrecord.records(content))
    whole = [record for record in records if isinstance(record, bytes)]
    if len(whole) < len(records) or hashlib.sha256(content).hexdigest() != sha256:
        raise build_files.damaged(path, "its sha256 is not the one in build_report.json")
    return whole


def _announce(folder: storage.AnyPath, names: Sequence[str]) -> None:
    """Tell TFDS of the format, and add the files to the sums; again, where that was cut off."""
    path = folder / dataset_paths.DATASET_INFO
    info = build_files.read_json(path, kinds={"splits": list})
    formats = build_files.alternative_formats(info)
    if dataset_paths.ARRAY_RECORD not in formats:
        info[dataset_paths.ALTERNATIVE_FORMATS] = [*formats, dataset_paths.ARRAY_RECORD]
        atomic.write_text(path, json.dumps(info, indent=2) + "\n")
    checksums.update(folder, names=[path.name, *names])


def run(data_dir: str | None, *, config_name: str = "") -> int:
    """Convert, print what was written, and return the exit code.

    Args:
      data_dir: None: TFDS_DATA_DIR, else ~/tensorflow_datasets.
      config_name: which build; "": all.
    """
    installation.require("array_record", what="pipeline.convert")
    root = storage.path(dataset_paths.data_dir(data_dir))
    for folder in verify.versions(root, config_name):
        names = convert(folder)
        size = sum((folder / name).stat().st_size for name in names)
        print(f"converted     {folder}: {len(names)} ArrayRecord shards, {size / 1e6:,.0f} MB")
        print(f"load it       {_load_call(folder)}")
    return 0


def _load_call(folder: storage.AnyPath) -> str:
    """Return the call that reads a version: by its name, unless it lies outside of a data_dir."""
    config = folder.parent
    if config.parent.name != dataset_paths.DATASET_NAME:
        config = storage.absolute(folder).parent  # As where "." is the version's folder.
    if config.parent.name != dataset_paths.DATASET_NAME:
        return f"tfds.builder_from_directory({str(folder)!r}).as_data_source(split='train')"
    name = f"{dataset_paths.DATASET_NAME}/{config.name}"
    return f"tfds.data_source({name!r}, split='train', data_dir={str(config.parent.parent)!r})"


def main() -> int:
    """Convert as the flags say."""
    asked = verify.Published(**flags.given(SECTIONS))
    return run(asked.data_dir, config_name=asked.config_name)


if __name__ == "__main__":
    flags.define(SECTIONS)
    flags.run(main, sections=SECTIONS, about=ABOUT)
