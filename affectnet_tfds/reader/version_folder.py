"""Version folder: finds a published version on a disk and reads its metadata, without TFDS.

Owns where versions are (as TFDS finds them) and what is read of TFDS's JSON files. Reading them
with tfds.builder_from_directory was rejected: it imports TensorFlow for seconds.
"""

import contextlib
import dataclasses
import errno
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from affectnet_tfds import dataset_paths
from runtime import errors, untrusted

_LABELS = "label.labels.txt"

_LACKING = {
    errno.ENOENT: "is missing",
    errno.ENOTDIR: "is missing",
    errno.EISDIR: "is a folder, and must be a file",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Metadata:
    """What a version says of its examples.

    Attributes:
      path: the version's folder.
      class_names: in the order of the labels 0..C-1.
      image_size: side of the stored images, in pixels.
      encoding: how they are stored: jpeg, png or raw (`image_codec.ENCODINGS`).
      splits: name of each split to the number of examples in each of its shards.
    """

    path: pathlib.Path
    class_names: tuple[str, ...]
    image_size: int
    encoding: str
    splits: Mapping[str, tuple[int, ...]]

    @property
    def name(self) -> str:
        """Data set, config and version, as TFDS writes them."""
        return f"{dataset_paths.DATASET_NAME}/{self.path.parent.name}/{self.path.name}"

    def shards(self, split: str) -> list[pathlib.Path]:
        """Return the files of a split, in order.

        Raises:
          errors.UserError: listing the splits, if it is none of them.
        """
        if split not in self.splits:
            raise errors.UserError(
                f"{self.name} has no split {split!r:.60}: it has {', '.join(self.splits)}"
            )
        count = len(self.splits[split])
        names = (dataset_paths.shard_name(split, index, count) for index in range(count))
        return [self.path / name for name in names]


def find(data_dir: str | None, *, config_name: str | None = None) -> pathlib.Path:
    """Return the folder of the newest version of a config.

    Args:
      data_dir: the folder that holds data sets, as for tfds.load; or a version's own folder.
      config_name: the config; None: the default one, or the only one.

    Raises:
      errors.UserError: if there is none, or there are several configs and none is named, or it is
        no folder of this machine.
      OSError: if the disk does not let it be read.
    """
    chosen = dataset_paths.data_dir(data_dir)
    if "://" in chosen:
        raise errors.UserError(
            f"data_dir must be a folder on a disk, since only those are read: got {chosen}; copy "
            f"{dataset_paths.DATASET_NAME} from there to a disk, and name that folder"
        )
    given = pathlib.Path(chosen).expanduser()
    if (given / dataset_paths.FEATURES).is_file():
        return given
    root = given / dataset_paths.DATASET_NAME
    known = configs(root)
    name = config_name or default_config(root, configs=known)
    if name in known:
        return versions(root / name)[-1]
    if not known:
        raise _no_version(given)
    for folder in filter(_is_without_features, root.glob("*/*") if name else ()):
        if folder.parent.name == name:
            raise _without_features(folder)
    reason = f"config_name={name} is not in {root}" if name else f"{root} holds several configs"
    raise errors.UserError(f"{reason}: choose config_name from {', '.join(known)}")


def _no_version(given: pathlib.Path) -> errors.UserError:
    """Return the sentence about a folder that has no version: it is inside of one, or lacks it."""
    rule = (
        f"data_dir must hold {dataset_paths.DATASET_NAME}, or be the folder of a version of it "
        f"(with {dataset_paths.FEATURES})"
    )
    place = given.absolute()
    around = [each for each in (place, *place.parents) if each.name == dataset_paths.DATASET_NAME]
    root = around[0] if around else given / dataset_paths.DATASET_NAME
    if _is_without_features(given):
        return _without_features(given)
    if configs(root):
        return errors.UserError(
            f"{rule}: {given} is a part of {dataset_paths.DATASET_NAME}; say data_dir={root.parent}"
        )
    for folder in filter(_is_without_features, root.glob("*/*")):
        return _without_features(folder)
    return errors.UserError(
        f"{rule}: {given} is neither; 'python -m pipeline.main --data_dir={given}' builds one"
    )


def _without_features(folder: pathlib.Path) -> errors.UserError:
    return errors.UserError(
        f"the folder of a version must have {dataset_paths.FEATURES}: {folder} has none; copy the "
        "version again from an intact copy, or build it anew"
    )


def _is_without_features(folder: pathlib.Path) -> bool:
    """Return whether a folder has files of a version, but not the one by which it is known."""
    if (folder / dataset_paths.FEATURES).is_file():
        return False
    is_version = bool(dataset_paths.version_number(folder.absolute().name))
    return is_version and (
        (folder / dataset_paths.DATASET_INFO).is_file()
        or any(dataset_paths.is_shard_name(path.name) for path in folder.glob("*"))
    )


def configs(root: pathlib.Path) -> list[str]:
    """Return the names of the configs that have a version, of a data set's folder."""
    return sorted(path.name for path in root.glob("*") if versions(path))


def versions(config_dir: pathlib.Path) -> list[pathlib.Path]:
    """Return the version folders of a config, oldest first; unfinished builds are none."""
    folders = [path.parent for path in config_dir.glob(f"*/{dataset_paths.FEATURES}")]
    numbered = [path for path in folders if dataset_paths.version_number(path.name)]
    return sorted(numbered, key=lambda path: dataset_paths.version_number(path.name))


def default_config(root: pathlib.Path, *, configs: list[str]) -> str | None:
    """Return the config that is meant where none is named: the default, else the only one."""
    published = root / dataset_paths.DEFAULT_CONFIG
    if published.exists():
        with contextlib.suppress(ValueError):  # A damaged one names none.
            default: str | None = untrusted.read_json_object(published).get("default_config_name")
            if default in configs:
                return default
    return configs[0] if len(configs) == 1 else None


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Raise what the system says of a version's file as a UserError: it is missing, or unreadable.

    An OSError that names no file, and none of the disk, is none of these, and passes.
    """
    try:
        yield
    except OSError as error:
        if error.filename and error.errno in _LACKING:
            raise errors.UserError(
                f"{error.filename} {_LACKING[error.errno]}: copy the version again from an intact "
                "copy, or build it anew"
            ) from error
        refusal = errors.of_system(error)
        if refusal is None:
            raise
        raise refusal from error


def read(path: pathlib.Path) -> Metadata:
    """Read the metadata of a version.

    Raises:
      errors.UserError: if they are damaged, or those of another data set.
      OSError: if the disk does not let them be read.
    """
    try:
        features = untrusted.read_json_object(path / dataset_paths.FEATURES)
        info = untrusted.read_json_object(path / dataset_paths.DATASET_INFO)
        names = untrusted.read_text(path / _LABELS, at_most=untrusted.SETTINGS_BYTES)
        size_px, encoding = _image(features["featuresDict"]["features"]["image"])
        return Metadata(
            path=path,
            class_names=tuple(name for name in names.splitlines() if name),
            image_size=size_px,
            encoding=encoding,
            splits={
                str(split["name"]): tuple(map(int, split["shardLengths"]))
                for split in info["splits"]
            },
        )
    except (ValueError, LookupError, TypeError) as error:
        raise errors.UserError(
            f"cannot read the metadata in {path} ({type(error).__name__}: {error}); copy the "
            "version again, or build it anew"
        ) from None


def _image(feature: dict[str, Any]) -> tuple[int, str]:
    """Return side and encoding of the stored images; without an encoding it is JPEG, as in TFDS."""
    if "image" in feature:
        described = feature["image"]
        encoding = str(described.get("encodingFormat") or "jpeg")
    else:
        described, encoding = feature["tensor"], "raw"
    return int(described["shape"]["dimensions"][0]), encoding
