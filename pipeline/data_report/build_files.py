"""Input of a data report: the files of a build, read back."""

import csv
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from affectnet_tfds import dataset_paths, labels
from pipeline.files import storage
from pipeline.shards import image_statistics
from runtime import errors


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
    settings = _json(folder / dataset_paths.JOB_CONFIG)
    release = storage.path(root or settings["input_dir"])
    sidecars = sidecars or _json(folder / "sidecars.json")
    with _existing(folder / "rejects.csv").open(encoding="utf-8", newline="") as file:
        rejects = list(csv.DictReader(file))
    return BuildFiles(
        folder=folder,
        root=release if release.is_dir() else None,
        account=_json(folder / dataset_paths.BUILD_REPORT),
        settings=settings,
        rejects=rejects,
        sidecars=sorted(sidecars, key=lambda sidecar: sidecar["name"]),
    )


def _json(path: storage.AnyPath) -> Any:
    text = _existing(path).read_text(encoding="utf-8")
    try:
        return json.loads(text)
    except ValueError as error:
        raise errors.UserError(
            f"{path} is damaged ({error}); copy it again, or build again with --overwrite"
        ) from error


def _existing(path: storage.AnyPath) -> storage.AnyPath:
    if not path.is_file():
        raise errors.UserError(
            f"{path.parent} holds no version that this job can report on: it has no {path.name}"
        )
    return path
