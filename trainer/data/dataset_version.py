"""Dataset version: finds a published version on disk, reads its metadata, fingerprints it.

Owns the refusal when there is none; reading images is `examples`'. Finding it with tfds.load was
rejected: it may start to generate a missing data set, and takes seconds before it can refuse.
"""

import dataclasses
import hashlib
import json
import pathlib
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from affectnet_tfds import dataset_paths
from affectnet_tfds.reader import version_folder
from runtime import errors, untrusted
from trainer.config import run_config

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

_DEMO = pathlib.Path("build/demo/data")
"""Where 'make demo' leaves its data set."""

DRAWN_WARNING = "*** DRAWN FACES, NOT AFFECTNET: these numbers are a smoke test only ***"
"""Printed beside the numbers of what was trained on them."""

DRAWN_NOTE = "Drawn faces, not AffectNet: smoke test only."
"""The same on pages."""

_ANY_SIZE = sys.maxsize


@dataclasses.dataclass(frozen=True, kw_only=True)
class Version:
    """A published version: its TFDS builder and what the trainer needs to know of it."""

    path: pathlib.Path
    builder: "tfds.core.DatasetBuilder"
    class_names: tuple[str, ...]
    stored_size: int
    encoding: str
    """How images are stored: jpeg, png, or raw (plain uint8)."""
    counts: dict[str, int]
    fingerprint: str

    @property
    def name(self) -> str:
        """Data set, config and version, as TFDS writes them."""
        return name_of(self.path)

    @property
    def is_drawn(self) -> bool:
        """Whether the faces are drawn by synthetic_faces."""
        return is_drawn(self.name)

    @property
    def license(self) -> str:
        """The licence of the data, as their metadata state it; "" where they state none."""
        return str(self.builder.info.redistribution_info.license).strip()

    @property
    def homepage(self) -> str:
        """The page of the data set that the version was made of; "" where none is stated."""
        return str(self.builder.info.homepage or "")

    def describe(self) -> str:
        """Return the start-up line: name, counts, fingerprint."""
        counts = ", ".join(f"{count:,} {split}" for split, count in self.counts.items())
        return f"{self.name}  {counts}  fingerprint {self.fingerprint[:12]}"


def locate(data: run_config.Data) -> pathlib.Path:
    """Return the folder of the newest version of --config_name, without importing TensorFlow.

    Raises:
      errors.UserError: if there is none, or if there are several configs and none is named.
      OSError: if a file of the version is no regular file: reading a pipe would wait for ever.
    """
    root = data_dir(data) / dataset_paths.DATASET_NAME
    configs = version_folder.configs(root)
    name = data.config_name or version_folder.default_config(root, configs=configs)
    if name in configs:
        version = version_folder.versions(root / name)[-1]
        for path in version.iterdir():
            untrusted.check(path, at_most=_ANY_SIZE)
        return version
    if not configs:
        demo = f" ({_DEMO} is that of make demo)" if _DEMO.is_dir() else ""
        raise errors.UserError(
            f"{data_dir(data)} holds no {dataset_paths.DATASET_NAME}; "
            "make it with 'make shards' or "
            f"'python -m pipeline.main --input_dir=AFFECTNET --data_dir={data_dir(data)}', or name "
            f"the folder that has it with --data_dir{demo}"
        )
    reason = f"--config_name={name} is not in {root}" if name else f"{root} holds several configs"
    raise errors.UserError(f"{reason}: choose --config_name from {', '.join(configs)}")


def open_version(path: pathlib.Path) -> Version:
    """Read the metadata of a version.

    Raises:
      errors.UserError: if they are damaged.
    """
    import tensorflow_datasets as tfds  # Inside: `locate` must not wait for it.

    try:
        builder = tfds.builder_from_directory(path)
    except Exception as error:  # Whatever TFDS raises: it documents nothing for damaged files.
        raise errors.UserError(
            f"cannot read the metadata in {path} ({error}); 'python -m pipeline.verify "
            f"--data_dir={path}' shows what is damaged; copy the version again, or build it anew"
        ) from error
    return Version(
        path=path,
        builder=builder,
        class_names=tuple(builder.info.features["label"].names),
        stored_size=builder.info.features["image"].shape[0],
        encoding=_encoding(builder.info.features["image"]),
        counts={name: split.num_examples for name, split in builder.info.splits.items()},
        fingerprint=fingerprint(path),
    )


def check_split(version: Version, *, split: str) -> None:
    """Check that a split exists and is not empty.

    Raises:
      errors.UserError: listing those that are not.
    """
    if not version.counts.get(split):
        there = [name for name, count in version.counts.items() if count]
        raise errors.UserError(_no_split(version.name, split=split, there=there))


def check_split_early(path: pathlib.Path, *, split: str) -> None:
    """Check that a version's metadata name a split, without importing TensorFlow.

    Raises:
      errors.UserError: listing those that they name.
    """
    try:
        listed = untrusted.read_json_object(path / "dataset_info.json")["splits"]
        names = [each["name"] for each in listed if any(map(int, each["shardLengths"]))]
    except (OSError, ValueError, LookupError, TypeError):
        return  # `open_version` says what is wrong with them.
    if split not in names:
        raise errors.UserError(_no_split(name_of(path), split=split, there=names))


def _no_split(name: str, *, split: str, there: Iterable[str]) -> str:
    return (
        f"{name} has no examples in split {split}; it has {', '.join(there)}: use one of these, or "
        "a build that has the split (python -m pipeline.main; for data without one, "
        "--validation_frac=0.2 there makes validation of train)"
    )


def name_of(path: pathlib.Path) -> str:
    """Return data set, config and version of a version's folder, as TFDS writes them."""
    return f"{dataset_paths.DATASET_NAME}/{path.parent.name}/{path.name}"


def is_drawn(name: str) -> bool:
    """Return whether the faces of a version, by its name, are drawn by synthetic_faces."""
    return "".join(name.split("/")[1:2]).startswith(dataset_paths.SAMPLE)


def fingerprint(path: pathlib.Path) -> str:
    """Return a SHA-256 over the metadata files and the names and sizes of the shards."""
    digest = hashlib.sha256()
    for file in sorted(
        p for p in path.iterdir() if ".tfrecord" in p.name or p.name in dataset_paths.METADATA
    ):
        metadata = None
        if file.name in dataset_paths.METADATA:
            metadata = _as_built(file.read_bytes())
        size = file.stat().st_size if metadata is None else len(metadata)
        digest.update(f"{file.name} {size}\n".encode() + (metadata or b""))
    return digest.hexdigest()


def _as_built(content: bytes) -> bytes:
    """Return metadata without what pipeline.convert has added, byte for byte as the job wrote them.

    The examples are the same, so that a run continues on a version that was converted meanwhile.
    """
    if dataset_paths.ALTERNATIVE_FORMATS.encode() not in content:
        return content
    info = json.loads(content)
    info.pop(dataset_paths.ALTERNATIVE_FORMATS, None)
    return (json.dumps(info, indent=2) + "\n").encode()


def data_dir(data: run_config.Data) -> pathlib.Path:
    """Return the folder that holds the data sets: --data_dir, else the default of TFDS.

    Raises:
      errors.UserError: if it is in an object store: shards are mapped into memory and read in
        random order.
    """
    chosen = dataset_paths.data_dir(data.data_dir)
    if "://" in chosen:
        url = f"{chosen.rstrip('/')}/{dataset_paths.DATASET_NAME}"
        raise errors.UserError(
            f"--data_dir must be on a disk for training, and {chosen} is not; copy it once, "
            f'python -c "from pyarrow import fs; '
            f"fs.copy_files('{url}', 'data/{dataset_paths.DATASET_NAME}')\", "
            "and say --data_dir=data"
        )
    return pathlib.Path(chosen).expanduser()


def _encoding(image: "tfds.features.FeatureConnector") -> str:
    """Return how a feature stores images; without an encoding it is JPEG, the default of TFDS."""
    import tensorflow_datasets as tfds  # Inside, as above.

    if not isinstance(image, tfds.features.Image):
        return "raw"
    return image.encoding_format or "jpeg"
