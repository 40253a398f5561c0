"""Input of a data report: the files of a build, read back."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from affectnet_tfds import dataset_paths, labels
from pipeline.files import storage
from pipeline.shards import image_statistics
from runtime import errors, untrusted

SIDECARS = "sidecars.json"
"""All shards' sidecars in the published version: --retry_rejects continues from them."""

DUPLICATE_PICTURES = "duplicate_pictures.json"
"""Small JPEGs of the first groups whose files are not identical."""

REPORT_KINDS: Mapping[str, type] = {"shards": list, "ledger": dict}
"""Keys of build_report.json that its readers need, and the kinds of their values."""

SETTING_KINDS: Mapping[str, type] = {
    "input_dir": str,
    "classes": int,
    "encoding": str,
    "image_size": int,
}
"""Those of job_config.json."""

_SHARD_KINDS = {"num_examples": int, "sha256": str, "label_counts": dict}
_SIDECAR_KINDS = {"name": str, "rejects": list}


class BuildFiles(NamedTuple):
    """Content of a build's files."""

    folder: storage.AnyPath  # of the shards
    root: storage.AnyPath | None  # of the release, where it can still be read
    account: Mapping[str, Any]  # build_report.json
    settings: Mapping[str, Any]  # job_config.json
    rejects: Sequence[Mapping[str, str]]  # rows of rejects.csv
    sidecars: Sequence[Mapping[str, Any]]
    pictures: Sequence[Sequence[Mapping[str, Any]]] = ()  # of near duplicates, by group

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
    settings = read_json(folder / dataset_paths.JOB_CONFIG, kinds=SETTING_KINDS)
    release = storage.path(root or settings["input_dir"])
    sidecars = sidecars or read_sidecars(folder)
    return BuildFiles(
        folder=folder,
        root=release if release.is_dir() else None,
        account=read_json(folder / dataset_paths.BUILD_REPORT, kinds=REPORT_KINDS),
        settings=settings,
        rejects=_rejects(folder / "rejects.csv"),
        sidecars=sorted(sidecars, key=lambda sidecar: sidecar["name"]),
        pictures=_pictures(folder / DUPLICATE_PICTURES),
    )


def read_json(path: storage.AnyPath, *, kinds: Mapping[str, type]) -> dict[str, Any]:
    """Return the object in one of a version's JSON files.

    Args:
      path: of the file, in the version's folder.
      kinds: the keys that it must have, and the kinds of their values.

    Raises:
      errors.UserError: if it is missing or damaged.
    """
    try:
        return _of_kinds(untrusted.parse_json(_content(path)), kinds)
    except ValueError as error:
        raise damaged(path, error) from error


def alternative_formats(info: Mapping[str, Any]) -> list[str]:
    """Return the formats that dataset_info.json names beside TFRecord."""
    formats = info.get(dataset_paths.ALTERNATIVE_FORMATS)
    return [*map(str, formats)] if isinstance(formats, list) else []


def read_sidecars(folder: storage.AnyPath) -> list[dict[str, Any]]:
    """Return the sidecars of all shards of a version.

    Raises:
      errors.UserError: if their file is missing or damaged.
    """
    path = folder / SIDECARS
    try:
        found = untrusted.parse_json(_content(path))
        if not isinstance(found, list):
            raise ValueError(f"a list was expected: got {type(found).__name__}")
        return [_of_kinds(sidecar, _SIDECAR_KINDS) for sidecar in found]
    except ValueError as error:
        raise damaged(path, error) from error


def _of_kinds(value: Any, kinds: Mapping[str, type]) -> dict[str, Any]:
    """Return an object whose keys have values of these kinds.

    Raises:
      ValueError: if it is none, or a key is missing or has another kind of value.
    """
    found = untrusted.json_object(value)
    if missing := [key for key in kinds if key not in found]:
        raise ValueError(f"it has no {', '.join(missing)}")
    for key, kind in kinds.items():
        if not isinstance(found[key], kind):
            raise ValueError(f"its {key} is {found[key]!r:.40}")
    return found


def _rejects(path: storage.AnyPath) -> list[dict[str, str]]:
    try:
        text = io.StringIO(_content(path).decode(), newline="")
        return list(csv.DictReader(text))
    except (ValueError, csv.Error) as error:
        raise damaged(path, error) from error


_PICTURE_KINDS = {"split": str, "filename": str, "label": int, "jpeg": str}


def _pictures(path: storage.AnyPath) -> list[list[dict[str, Any]]]:
    """Return the pictures of near duplicates; none of builds that did not look for them."""
    if not path.exists():
        return []
    try:
        found = untrusted.parse_json(_content(path))
        return [[_of_kinds(picture, _PICTURE_KINDS) for picture in group] for group in found]
    except (ValueError, TypeError) as error:
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
    entries: Sequence[Mapping[str, Any]] = read_json(path, kinds=REPORT_KINDS)["shards"]
    try:
        for entry in entries:
            dataset_paths.parse_shard_name(entry["name"])
            for key, kind in _SHARD_KINDS.items():
                if not isinstance(entry[key], kind):
                    raise ValueError(f"{key} of {entry['name']} is {entry[key]!r}")
    except (ValueError, LookupError, TypeError) as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from error
    return entries


def _content(path: storage.AnyPath) -> bytes:
    try:
        return storage.content(path)
    except FileNotFoundError:
        raise errors.UserError(
            f"{path.parent} holds no version built by this job: it has no {path.name}"
        ) from None
