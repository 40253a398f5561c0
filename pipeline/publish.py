"""Publication: adds TFDS's metadata and the reports to finished shards, and makes them a version.

A reader sees a finished version or none: the folder gets its version's name, by which TFDS finds
it, when nothing is missing from it; in an object store, the files by which TFDS finds a version are
written after all others (files/atomic.py).
"""

import base64
import csv
import io
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from affectnet_tfds import dataset_paths
from pipeline import config, ledger
from pipeline.data_report import build_files, page
from pipeline.files import atomic, checksums, storage
from pipeline.metadata import card, croissant, data_sets, tfds_info
from pipeline.metadata import version as version_lib
from pipeline.rows import annotations, row_index
from pipeline.shards import near_duplicates_in_shards, write_lease
from runtime import atomic_file, untrusted

_WORKING_FILES = (write_lease.LEASE_FILE, "building.json", "survey.json", "duplicates.json")

DEFAULT_ORDER = ("affectnet8", "affectnet7", "affectnet11")
"""Order in which published configs become the default of tfds.load; else the newest other."""


def version_folder(job: config.JobConfig) -> storage.AnyPath:
    """Return the folder in which the build is published."""
    return storage.path(job.data_dir) / dataset_paths.version_folder(job.config_name)


def staging_folder(job: config.JobConfig) -> storage.AnyPath:
    """Return the folder in which the build is made; TFDS ignores names that are no version."""
    return version_folder(job).with_name(f".building-{dataset_paths.VERSION}")


def publish(
    job: config.JobConfig,
    *,
    account: ledger.Ledger,
    sidecars: Sequence[Mapping[str, Any]],
    report: Mapping[str, Any],
    duplicates: near_duplicates_in_shards.Found,
) -> storage.AnyPath:
    """Write metadata and reports into the staging folder, then publish it as the version."""
    staging, version = staging_folder(job), version_folder(job)
    with atomic.on_disk(staging) as folder, storage.naming(folder):
        write_metadata(job, layout=report["layout"], sidecars=sidecars, folder=folder)
        write_rejects(folder / "rejects.csv", account.rejects)
        write_duplicates(folder, duplicates)
        write_json(folder / dataset_paths.BUILD_REPORT, report)
        write_sidecars(
            folder / build_files.SIDECARS, staging, names=[done["name"] for done in sidecars]
        )
        atomic.write_text(folder / dataset_paths.JOB_CONFIG, job.to_json())
    page.write(staging, sidecars=sidecars)
    checksums.write(
        staging, leave=_is_leaving, known={done["name"]: done["sha256"] for done in sidecars}
    )
    atomic.publish(staging, version, leave=_is_leaving, last=dataset_paths.METADATA)
    set_default(version.parent.parent, job.config_name)
    return version


def is_whole(job: config.JobConfig) -> bool:
    """Return whether a build is published, and nothing was left undone by an interruption."""
    return (
        is_there(job)
        and atomic.is_mended(staging_folder(job), version_folder(job))
        and not _lacks_default(version_folder(job))
    )


def mend(job: config.JobConfig) -> None:
    """Do what a publication that was interrupted has left undone; under the build's lock only."""
    version = version_folder(job)
    atomic.mend(staging_folder(job), version, last=dataset_paths.METADATA)
    if is_there(job) and _lacks_default(version):
        set_default(version.parent.parent, job.config_name)


def write_metadata(
    job: config.JobConfig, *, layout: str, sidecars: Sequence[Mapping[str, Any]], folder: Path
) -> None:
    """Write what TFDS, Croissant and the data set card say, without reading shards."""
    drawn = job.config_name.startswith(dataset_paths.SAMPLE)
    described = version_lib.Version(
        config_name=job.config_name,
        settings=job.content(),
        about=data_sets.of(layout, drawn=drawn),
        sidecars=sidecars,
    )
    for writer in (tfds_info, croissant, card):
        writer.write(folder, described)


def write_rejects(path: Path, rejects: Iterable[annotations.Reject]) -> None:
    """Write the rejects as CSV: one row each, with file, row and reason (untrusted.cell)."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["split", "subset", "file", "expression", "reason", "detail", "row"])
    writer.writerows([*map(untrusted.cell, reject)] for reject in rejects)
    atomic.write_text(path, text.getvalue())


def write_duplicates(folder: Path, found: near_duplicates_in_shards.Found) -> None:
    """Write all groups of duplicates as CSV, and pictures of the first near ones."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(
        ["group", "kind", "labels_disagree", "split", "subset", "filename", "expression", "kept"]
    )
    for number, group in enumerate(found.groups, 1):
        about = (
            number,
            near_duplicates_in_shards.kind_of(group),
            int(near_duplicates_in_shards.labels_disagree(group)),
        )
        kept = near_duplicates_in_shards.kept(group)
        for member in group:
            is_kept = int(member.split != "train" or member.file == kept)
            row = (*about, member.split, member.subset, member.name, member.label, is_kept)
            writer.writerow([*map(untrusted.cell, row)])
    atomic.write_text(folder / dataset_paths.DUPLICATES, text.getvalue())
    pictures = [
        [
            {
                "split": picture.member.split,
                "filename": picture.member.name,
                "label": picture.member.label,
                "jpeg": base64.b64encode(picture.jpeg).decode(),
            }
            for picture in group
        ]
        for group in found.pictures
    ]
    atomic.write_text(folder / build_files.DUPLICATE_PICTURES, json.dumps(pictures) + "\n")


def write_sidecars(path: Path, staging: storage.AnyPath, *, names: Sequence[str]) -> None:
    """Write all shards' sidecars as one list, one at a time: a million images make a gigabyte."""
    texts = storage.ahead(
        lambda name: storage.content(staging / f"{name}.json").decode(),
        names,
        threads=storage.read_threads(staging),
    )
    with atomic.writing(path) as file:
        for before, text in zip(itertools.chain("[", itertools.repeat(", ")), texts, strict=False):
            file.write((before + text).encode())
        file.write(b"]")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a value as readable JSON."""
    atomic.write_text(path, json.dumps(value, indent=2) + "\n")


def _is_leaving(name: str) -> bool:
    """Return whether a file is not published: sidecars, progress files, files of killed workers."""
    sidecar = name.startswith(dataset_paths.DATASET_NAME) and name.endswith((".json", ".progress"))
    return (
        sidecar
        or name.startswith(atomic_file.TEMPORARY_PREFIX)
        or name in _WORKING_FILES
        or row_index.is_working_file(name)
    )


def is_there(job: config.JobConfig) -> bool:
    """Return whether the build's version is published."""
    return atomic.is_published(version_folder(job), last=dataset_paths.METADATA)


def reopen(job: config.JobConfig) -> int:
    """Link the published shards without rejects into the staging folder; return how many have some.

    Their indexes as well. Shards are linked, not copied: they are replaced and never written into.

    Raises:
      errors.UserError: if the version's list of sidecars is missing or damaged.
    """
    version, staging = version_folder(job), staging_folder(job)
    sidecars = build_files.read_sidecars(version)
    for done in sidecars:
        if not done["rejects"] and not (staging / done["name"]).exists():
            for name in (dataset_paths.index_name(done["name"]), done["name"]):
                # Builds of earlier releases have no index; an interrupted call may have linked it.
                if (version / name).is_file() and not (staging / name).exists():
                    atomic.copy(version / name, staging / name)
            atomic.write_text(staging / f"{done['name']}.json", json.dumps(done))
    return sum(bool(done["rejects"]) for done in sidecars)


def set_default(dataset_folder: storage.AnyPath, built: str) -> None:
    """Write the default config to .config/metadata.json.

    Again where another build was published meanwhile, whose own look may have come before ours.
    """
    path = dataset_folder / dataset_paths.DEFAULT_CONFIG
    path.parent.mkdir(exist_ok=True)
    written = ""
    while written != (default := _default(dataset_folder, built)):
        atomic.write_text(path, dataset_paths.default_config_text(default))
        written = default


def _published(dataset_folder: storage.AnyPath) -> set[str]:
    """Return the names of the published configs."""
    found = dataset_folder.glob(f"*/{dataset_paths.VERSION}/{dataset_paths.FEATURES}")
    return {path.parent.parent.name for path in found}


def _default(dataset_folder: storage.AnyPath, built: str) -> str:
    names = _published(dataset_folder)
    return next((name for name in DEFAULT_ORDER if name in names), built)


def _lacks_default(version: storage.AnyPath) -> bool:
    """Return whether the default config was not written, as it is after a version's publication."""
    folder = version.parent.parent
    path = folder / dataset_paths.DEFAULT_CONFIG
    if not path.is_file():
        return True
    known = {dataset_paths.default_config_text(name) for name in _published(folder)}
    if path.read_bytes().decode(errors="replace") not in known:
        return True
    return path.stat().st_mtime < (version / dataset_paths.FEATURES).stat().st_mtime


def shard_report(sidecars: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the facts of every shard that pipeline.verify checks."""
    keys = ("name", "num_examples", "file_bytes", "sha256", "label_counts")
    return [{key: done[key] for key in keys} for done in sorted(sidecars, key=lambda d: d["name"])]
