"""Verification of published versions: reads every record again and compares with the build report.

Reads the files itself, so that it works on a copy on any machine, names every bad record, and
continues after it. TFDS's reader was rejected: it stops at the first, and TFDS verifies nothing on
its own.
"""

import concurrent.futures
import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from affectnet_tfds import (
    dataset_paths,
    example_codec,
    image_codec,
    invalid_example,
    labels,
    tfrecord,
)
from pipeline.data_report import build_files
from pipeline.files import storage
from runtime import cpu_count, errors, fields, flags

ABOUT = """Verify published builds: read every record again and compare it with build_report.json.

  python -m pipeline.verify                        all builds in the default data_dir
  python -m pipeline.verify --data_dir=VERSION     one version, by its own folder"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verification(fields.Checked):
    """Flags of the program."""

    data_dir: str | None = fields.field(
        None,
        "a data_dir, or the folder of one version",
        default_text=dataset_paths.DATA_DIR_TEXT,
        path="folder",
    )
    config_name: str = fields.field(
        "", "build (TFDS config) to verify", default_text="all in data_dir"
    )


SECTIONS: dict[str, type] = {"Verification": Verification}


class Problem(NamedTuple):
    """A defect and its place."""

    file: str
    record: int  # from 0; -1: the file as a whole
    what: str

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.file}{f', record {self.record}' if self.record >= 0 else ''}: {self.what}"


def verify(folder: storage.AnyPath) -> list[Problem]:
    """Return all defects of a published version.

    Raises:
      errors.UserError: if the folder contains no version that this job built.
    """
    report, settings = (
        build_files.read_json(folder / dataset_paths.BUILD_REPORT, keys=build_files.REPORT_KEYS),
        build_files.read_json(folder / dataset_paths.JOB_CONFIG),
    )
    entries: Sequence[Mapping[str, Any]] = report["shards"]
    with concurrent.futures.ProcessPoolExecutor(
        cpu_count.count(), mp_context=storage.processes(folder)
    ) as pool:
        results = pool.map(
            verify_shard, [folder] * len(entries), entries, [settings] * len(entries)
        )
        problems = [problem for found in results for problem in found]
    return problems + _strays(folder, entries) + _against_metadata(folder, entries)


def verify_shard(
    folder: storage.AnyPath, entry: Mapping[str, Any], settings: Mapping[str, Any]
) -> list[Problem]:
    """Return all defects of a shard, its records and its counts."""
    path, name = folder / entry["name"], entry["name"]
    if not path.is_file():
        return [Problem(name, -1, "the file is missing")]
    content = path.read_bytes()
    problems, counts = [], dict.fromkeys(entry["label_counts"], 0)
    for index, item in enumerate(tfrecord.records(content)):
        found = item if isinstance(item, str) else verify_record(item, settings, counts)
        if found:
            problems.append(Problem(name, index, found))
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        problems.append(Problem(name, -1, "its sha256 is not the one in build_report.json"))
    if not problems and counts != entry["label_counts"]:
        problems.append(Problem(name, -1, f"its labels are {counts}, not {entry['label_counts']}"))
    return problems


def verify_record(content: bytes, settings: Mapping[str, Any], counts: dict[str, int]) -> str:
    """Return the defect of a record, or ""; count its label."""
    try:
        example = example_codec.parse(content)
    except ValueError as error:
        return str(error)
    if not 0 <= example.label < settings["classes"]:
        return (
            f"label must be 0..{settings['classes'] - 1}: got {example.label} ({example.filename})"
        )
    counts[str(example.label)] = counts.get(str(example.label), 0) + 1
    if not 0 <= example.subset < len(labels.SUBSETS):
        highest = len(labels.SUBSETS) - 1
        return f"subset must be 0..{highest}: got {example.subset} ({example.filename})"
    try:
        image_codec.decode_crop(
            example.image, encoding=settings["encoding"], image_size=settings["image_size"]
        )
    except invalid_example.InvalidExample as error:
        return f"its image cannot be used: {error.reason}, {error} ({example.filename})"
    return ""


def _strays(folder: storage.AnyPath, entries: Sequence[Mapping[str, Any]]) -> list[Problem]:
    known = {entry["name"] for entry in entries}
    names = sorted(path.name for path in folder.glob(f"*.{dataset_paths.FILE_FORMAT}*"))
    return [
        Problem(name, -1, "build_report.json does not know this file")
        for name in names
        if name not in known
    ]


def _against_metadata(
    folder: storage.AnyPath, entries: Sequence[Mapping[str, Any]]
) -> list[Problem]:
    """Compare TFDS's metadata, by which TFDS counts records, with the report."""
    info = build_files.read_json(folder / dataset_paths.DATASET_INFO, keys=["splits"])
    wanted: dict[str, list[int]] = {}
    for entry in entries:
        wanted.setdefault(dataset_paths.parse_shard_name(entry["name"]).split, []).append(
            entry["num_examples"]
        )
    found = {
        split["name"]: [int(length) for length in split["shardLengths"]] for split in info["splits"]
    }
    if found == wanted:
        return []
    return [Problem("dataset_info.json", -1, f"its shard lengths are {found}, not {wanted}")]


def versions(data_dir: storage.AnyPath, config_name: str) -> list[storage.AnyPath]:
    """Return the folders of published versions.

    Raises:
      errors.UserError: if there is none.
    """
    if (data_dir / dataset_paths.BUILD_REPORT).is_file():
        return [data_dir]
    found: list[storage.AnyPath] = [
        path
        for path in data_dir.glob(f"{dataset_paths.config_folder(config_name or '*')}/*")
        if dataset_paths.version_number(path.name)
    ]
    found.sort(key=str)
    if not found:
        named = f" called {config_name}" if config_name else ""
        raise errors.UserError(
            f"{data_dir} holds no {dataset_paths.DATASET_NAME} build{named}; make one with "
            "python -m pipeline.main, or name the folder that contains it with --data_dir"
        )
    return found


def run(data_dir: str | None, *, config_name: str = "") -> int:
    """Verify, print all defects, and return the exit code.

    Args:
      data_dir: None: TFDS_DATA_DIR, else ~/tensorflow_datasets.
    """
    given = dataset_paths.data_dir(data_dir)
    bad = [_report(folder) for folder in versions(storage.path(given), config_name)]
    return errors.FAILED if any(bad) else 0


def _report(folder: storage.AnyPath) -> bool:
    """Verify one version and print the result; return whether it has defects."""
    problems = verify(folder)
    for problem in problems:
        print(problem)
    entries = build_files.read_json(folder / dataset_paths.BUILD_REPORT)["shards"]
    examples = sum(entry["num_examples"] for entry in entries)
    verdict = (
        f"{len(problems)} problems"
        if problems
        else "all checksums, counts, labels and images are correct"
    )
    label = "damaged" if problems else "verified"
    print(f"{label:<14}{folder}: {len(entries)} shards, {examples:,} examples: {verdict}")
    return bool(problems)


def main() -> int:
    """Verify as the flags say."""
    asked = Verification(**flags.given(SECTIONS))
    return run(asked.data_dir, config_name=asked.config_name)


if __name__ == "__main__":
    flags.define(SECTIONS)
    flags.run(main, sections=SECTIONS, about=ABOUT)
