"""Input of a data report: the files of a build, read back."""

import csv
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from affectnet_tfds import dataset_paths, labels
from pipeline.files import storage
from pipeline.shards import image_statistics
from runtime import errors

REPORT_KEYS = ("shards", "ledger")
"""Keys of build_report.json that its readers need."""

SETTING_KEYS = ("input_dir", "classes", "encoding", "image_size")
"""Keys of job_config.json that its readers need."""

_SHARD_KINDS = {"num_examples": int, "sha256": str, "label_counts": dict}


class BuildFiles(NamedTuple):
    """Content of a build's files."""

    folder: storage.AnyPath  # of the shards
    root: storage.AnyPath | None  # of the release, where it can still be read
    account: Mapping[str, Any]  # build_report.json
    settings: Mapping[str, Any]  # job_config.json
    rejects: Sequence[Mapping[str, str]]  # rows of rejects.csv
    sidecars: Sequence[Mapping[str, Any]]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Return the names of the build's classes, by label."""
        return labels.class_names(self.settings["classes"])

    @property
    def splits(self) -> tuple[str, ...]:
        """Return the splits that have shards, train first."""
        splits = {
            dataset_paths.parse_shard_name(shard["name"]).split for shard in self.account["shards"]
        }
        return tuple(sorted(splits, key=lambda split: (split != "train", split)))

    @property
    def observed(self) -> list[Mapping[str, Any]]:
        """Return the image statistics of every shard that has them."""
        return [sidecar["observed"] for sidecar in self.sidecars if "observed" in sidecar]

    def total(self) -> image_statistics.Total:
        """Return the image statistics of all shards together."""
        return image_statistics.total(self.observed)


def load(
    folder: storage.AnyPath,
    *,
    root: str | None = None,
    sidecars: Sequence[Mapping[str, Any]] | None = None,
) -> BuildFiles:
    """Read a build's files.

    Args:
      folder: of a published version, or of one about to be published.
      root: of the release; None: the folder that the build read.
      sidecars: the content of sidecars.json, from callers that have it in memory: for a million
        images it takes a gigabyte.

    Raises:
      errors.UserError: if a file is missing or damaged.
    """
    settings = read_json(folder / dataset_paths.JOB_CONFIG, keys=SETTING_KEYS)
    release = storage.path(root or settings["input_dir"])
    sidecars = sidecars or read_json(folder / "sidecars.json")
    with _existing(folder / "rejects.csv").open(encoding="utf-8", newline="") as file:
        rejects = list(csv.DictReader(file))
    return BuildFiles(
        folder=folder,
        root=release if release.is_dir() else None,
        account=read_json(folder / dataset_paths.BUILD_REPORT, keys=REPORT_KEYS),
        settings=settings,
        rejects=rejects,
        sidecars=sorted(sidecars, key=lambda sidecar: sidecar["name"]),
    )


def read_json(path: storage.AnyPath, *, keys: Sequence[str] = ()) -> Any:
    """Return the content of one of a version's JSON files.

    Args:
      path: of the file, in the version's folder.
      keys: what it must have, if it is an object.

    Raises:
      errors.UserError: if it is missing or damaged.
    """
    try:
        with storage.naming(path):
            text = _existing(path).read_bytes().decode()
        content = json.loads(text)
        missing = [key for key in keys if not isinstance(content, dict) or key not in content]
        if missing:
            raise ValueError(f"it has no {', '.join(missing)}")
        return content
    except ValueError as error:
        raise damaged(path, error) from error


def damaged(path: storage.AnyPath, why: object) -> errors.UserError:
    """Return the sentence about a damaged file of a version."""
    return errors.UserError(
        f"{path} is damaged ({why}); copy it again, or build again with --overwrite"
    )


def shards(folder: storage.AnyPath) -> Sequence[Mapping[str, Any]]:
    """Return what build_report.json says of each shard: name, num_examples, sha256, label_counts.

    Raises:
      errors.UserError: if the file is missing or damaged.
    """
    path = folder / dataset_paths.BUILD_REPORT
    entries: Sequence[Mapping[str, Any]] = read_json(path, keys=REPORT_KEYS)["shards"]
    try:
        for entry in entries:
            dataset_paths.parse_shard_name(entry["name"])
            for key, kind in _SHARD_KINDS.items():
                if not isinstance(entry[key], kind):
                    raise ValueError(f"{key} of {entry['name']} is {entry[key]!r}")
    except (ValueError, LookupError, TypeError) as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from error
    return entries


def _existing(path: storage.AnyPath) -> storage.AnyPath:
    if not path.is_file():
        raise errors.UserError(
            f"{path.parent} holds no version built by this job: it has no {path.name}"
        )
    return path
