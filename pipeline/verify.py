"""Verification of published versions: reads every file and record again and compares with the sums
and the build report.

Reads the files itself, so that it works on a copy on any machine, names every bad record, and
continues after it. TFDS's reader was rejected: it stops at the first, and TFDS verifies nothing on
its own.
"""

import concurrent.futures
import dataclasses
import hashlib
import importlib.util
import itertools
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
from affectnet_tfds.reader import shard_index
from pipeline.data_report import build_files
from pipeline.files import checksums, storage
from pipeline.shards import array_record
from runtime import errors, fields, flags, installation, machine, signals, untrusted

ABOUT = """Verify published builds: compare every file with SHA256SUMS, and read every record again.

  python -m pipeline.verify                        all builds in the default data_dir
  python -m pipeline.verify --data_dir=VERSION     one version, by its own folder"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Published(fields.Checked):
    """Flags of the programs on published versions: which ones; see `versions`."""

    data_dir: str | None = fields.field(
        None,
        "a data_dir, or the folder of one version",
        default_text=dataset_paths.DATA_DIR_TEXT,
        path="folder",
    )
    config_name: str = fields.field("", "build (TFDS config)", default_text="all in data_dir")


SECTIONS: dict[str, type] = {"Verification": Published}


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
    sums = checksums.read(folder)
    problems = _against_sums(folder, sums) if sums else []
    bad = {problem.file for problem in problems}
    if bad & {dataset_paths.BUILD_REPORT, dataset_paths.JOB_CONFIG}:
        # What the shards are compared with is damaged itself; their sums are of use without it.
        return problems + (_shards_against_sums(folder, sums) if sums else [])
    entries = build_files.shards(folder)
    settings = build_files.read_json(
        folder / dataset_paths.JOB_CONFIG, kinds=build_files.SETTING_KINDS
    )
    with concurrent.futures.ProcessPoolExecutor(
        machine.cpu_count(),
        mp_context=storage.processes(folder),
        initializer=signals.end_with_parent,
    ) as pool:
        results = pool.map(
            verify_shard, [folder] * len(entries), entries, [settings] * len(entries)
        )
        found = itertools.chain.from_iterable(results)
        problems += [each for each in found if each.file not in bad or not _is_index(each.file)]
    problems += _strays(folder, entries)
    if dataset_paths.DATASET_INFO in bad:
        return problems
    info = build_files.read_json(folder / dataset_paths.DATASET_INFO, kinds={"splits": list})
    problems += _lengths(folder, entries, info)
    return problems + [p for p in _array_records(folder, entries, info) if p.file not in bad]


def first_changed(folder: storage.AnyPath) -> Problem | None:
    """Return the problem of the first file that is not as its sum says, or None; shards as well."""
    sums = checksums.read(folder)
    problems = _against_sums(folder, sums) + _shards_against_sums(folder, sums) if sums else []
    return problems[0] if problems else None


def unchecked(folder: storage.AnyPath) -> list[str]:
    """Return the files of a version that cannot be compared: it has no sums."""
    if checksums.read(folder):
        return []
    names = sorted(entry.name for entry in storage.entries(folder))
    return [name for name in names if not dataset_paths.is_shard_name(name)]


def _against_sums(folder: storage.AnyPath, sums: checksums.Sums) -> list[Problem]:
    """Compare the list of sums with itself, and all files but the shards with it."""
    damaged = "is damaged: its first line is not the sum of the others"
    problems = [] if sums.is_intact else [Problem(checksums.FILE, -1, damaged)]
    others = [name for name in sums.by_name if not dataset_paths.is_shard_name(name)]
    return problems + _unequal(folder, others, sums)


def _shards_against_sums(folder: storage.AnyPath, sums: checksums.Sums) -> list[Problem]:
    return _unequal(
        folder, [name for name in sums.by_name if dataset_paths.is_shard_name(name)], sums
    )


def _unequal(folder: storage.AnyPath, names: Sequence[str], sums: checksums.Sums) -> list[Problem]:
    problems = []
    for name in sorted(names):
        if "/" in name or not (folder / name).is_file():
            # A damaged list may have a damaged name.
            where = name if sums.is_intact else checksums.FILE
            problems.append(Problem(where, -1, f"the file {name} is missing"))
        elif checksums.of_file(folder / name) != sums.by_name[name]:
            what = f"its sha256 is not the one in {checksums.FILE}"
            problems.append(Problem(name, -1, what))
    return problems


def verify_shard(
    folder: storage.AnyPath, entry: Mapping[str, Any], settings: Mapping[str, Any]
) -> list[Problem]:
    """Return all defects of a shard, its records and its counts."""
    path, name = folder / entry["name"], entry["name"]
    if not path.is_file():
        return [Problem(name, -1, "the file is missing")]
    with storage.naming(path):
        content = path.read_bytes()
    problems, counts = [], dict.fromkeys(entry["label_counts"], 0)
    records = list(tfrecord.records(content))
    for index, item in enumerate(records):
        found = item if isinstance(item, str) else verify_record(item, settings, counts)
        if found:
            problems.append(Problem(name, index, found))
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        problems.append(Problem(name, -1, "its sha256 is not the one in build_report.json"))
    if not problems and counts != entry["label_counts"]:
        problems.append(Problem(name, -1, f"its labels are {counts}, not {entry['label_counts']}"))
    beside = folder / dataset_paths.index_name(name)
    if not problems and beside.is_file() and (found := _index_defect(beside, content)):
        problems.append(Problem(beside.name, -1, found))
    other = folder / dataset_paths.array_record_name(name)
    if not problems and _can_read_array_records() and other.is_file():
        whole = [record for record in records if isinstance(record, bytes)]
        if found := array_record.defect(other, whole):
            problems.append(Problem(other.name, -1, found))
    return problems


def _can_read_array_records() -> bool:
    return importlib.util.find_spec("array_record") is not None


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


def _is_index(name: str) -> bool:
    return name.endswith(dataset_paths.INDEX_SUFFIX)


def _index_defect(index: storage.AnyPath, shard: bytes) -> str:
    """Return what is wrong with the index of an intact shard, or ""."""
    try:
        found = shard_index.decode(storage.content(index))
    except ValueError as error:
        return f"it cannot be read: {error}"
    wanted = shard_index.of_shard(shard)
    # As bytes: where there is no valence, it is NaN, which is unequal to itself.
    is_equal = found.dtype == wanted.dtype and found.tobytes() == wanted.tobytes()
    return "" if is_equal else "it is not the index of its shard"


def _strays(folder: storage.AnyPath, entries: Sequence[Mapping[str, Any]]) -> list[Problem]:
    known = {entry["name"] for entry in entries}
    names = sorted(path.name for path in folder.glob(f"*.{dataset_paths.FILE_FORMAT}*"))
    return [
        Problem(name, -1, "build_report.json does not know this file")
        for name in names
        if name not in known
    ]


def _array_records(
    folder: storage.AnyPath, entries: Sequence[Mapping[str, Any]], info: Mapping[str, Any]
) -> list[Problem]:
    """Return which ArrayRecord shards are there and should not be, or the reverse."""
    found = {path.name for path in folder.glob(f"*.{dataset_paths.ARRAY_RECORD}-*")}
    wanted: set[str] = set()
    if dataset_paths.ARRAY_RECORD in build_files.alternative_formats(info):
        wanted = {dataset_paths.array_record_name(entry["name"]) for entry in entries}
    stray = "a conversion was not finished; the same pipeline.convert command finishes it"
    return [
        *(Problem(name, -1, "the file is missing") for name in sorted(wanted - found)),
        *(Problem(name, -1, stray) for name in sorted(found - wanted)),
    ]


def _lengths(
    folder: storage.AnyPath, entries: Sequence[Mapping[str, Any]], info: Mapping[str, Any]
) -> list[Problem]:
    """Compare TFDS's metadata, by which TFDS counts records, with the report."""
    path = folder / dataset_paths.DATASET_INFO
    wanted: dict[str, list[int]] = {}
    for entry in entries:
        wanted.setdefault(dataset_paths.parse_shard_name(entry["name"]).split, []).append(
            entry["num_examples"]
        )
    try:
        found = {
            split["name"]: [int(length) for length in split["shardLengths"]]
            for split in info["splits"]
        }
    except (ValueError, LookupError, TypeError) as error:
        raise build_files.damaged(path, f"{type(error).__name__}: {error}") from error
    if found == wanted:
        return []
    return [Problem(path.name, -1, f"its shard lengths are {found}, not {wanted}")]


def versions(data_dir: storage.AnyPath, config_name: str) -> list[storage.AnyPath]:
    """Return the folders of published versions.

    Raises:
      errors.UserError: if there is none.
    """
    if (data_dir / dataset_paths.BUILD_REPORT).exists():
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
    given = storage.path(dataset_paths.data_dir(data_dir))
    folders = versions(given, config_name)
    bad = [_report(folder) for folder in folders]
    if folders != [given] and (problem := _of_default(given)):
        print(untrusted.printable(str(problem)))
        bad.append(True)
    return errors.FAILED if any(bad) else 0


def _report(folder: storage.AnyPath) -> bool:
    """Verify one version and print the result; return whether it has defects."""
    problems = verify(folder)
    for problem in problems:
        print(untrusted.printable(str(problem)))
    if left := unchecked(folder):
        print(
            f"not checked   {', '.join(left)}: a build of an earlier release, without "
            f"{checksums.FILE}"
        )
    if not _can_read_array_records() and list(folder.glob(f"*.{dataset_paths.ARRAY_RECORD}-*")):
        way_out = installation.way_to_install("array_record")
        print(f"not checked   records of ArrayRecord shards, only their sums: {way_out}")
    if problems:
        print(f"damaged       {folder}: {len(problems)} problems")
    else:
        entries = build_files.shards(folder)
        examples = sum(entry["num_examples"] for entry in entries)
        print(
            f"verified      {folder}: {len(entries)} shards, {examples:,} examples: all checksums, "
            "counts, labels and images are correct"
        )
    return bool(problems)


def _of_default(data_dir: storage.AnyPath) -> Problem | None:
    """Return what is wrong with the file that names the default config, which may be missing."""
    path = data_dir / dataset_paths.DATASET_NAME / dataset_paths.DEFAULT_CONFIG
    if not path.is_file():
        return None
    names = {folder.parent.name for folder in versions(data_dir, "")}
    text = path.read_bytes().decode(errors="replace")
    if text in map(dataset_paths.default_config_text, names):
        return None
    what = "it names none of the published configs; the same pipeline.main command mends it"
    return Problem(str(path), -1, what)


def main() -> int:
    """Verify as the flags say."""
    asked = Published(**flags.given(SECTIONS))
    return run(asked.data_dir, config_name=asked.config_name)


if __name__ == "__main__":
    flags.define(SECTIONS)
    flags.run(main, sections=SECTIONS, about=ABOUT)
