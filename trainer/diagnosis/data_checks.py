"""Data checks: which builds of the data set are there, and whether their shards are."""

import pathlib
from collections.abc import Iterator

from affectnet_tfds import dataset_paths
from runtime import fields, untrusted
from trainer.diagnosis.check import Check, Level, good

_MAKE = (
    "make shards AFFECTNET_DIR=/path/to/AffectNet, or python -m pipeline.main --input_dir=… "
    "--data_dir=…; --data_dir names another folder"
)


def checks(data_dir: pathlib.Path) -> Iterator[Check]:
    """Yield a check for each published version in a folder, or one that there is none."""
    root = data_dir / dataset_paths.DATASET_NAME
    versions = sorted(path.parent for path in root.glob(f"*/*/{dataset_paths.FEATURES}"))
    if not versions:
        yield Check("data", Level.DOUBTFUL, f"no affectnet_faces in {data_dir}", _MAKE)
    for version in versions:
        yield published(version)


def published(version: pathlib.Path) -> Check:
    """Check that the shards of a published version are there."""
    try:
        splits = _shard_lengths(version / dataset_paths.DATASET_INFO)
    except OSError as error:
        return _unreadable(version, reason=error.strerror or str(error))
    except (ValueError, LookupError, TypeError) as error:
        return _unreadable(version, reason=str(error))
    missing = [
        name
        for split, lengths in splits.items()
        for index in range(len(lengths))
        if not (version / (name := dataset_paths.shard_name(split, index, len(lengths)))).exists()
    ]
    counts = ", ".join(f"{sum(each):,} {split}" for split, each in splits.items())
    if missing:
        return Check(
            "data", Level.BAD, f"{version}: {len(missing)} shards are missing, {missing[0]} first",
            f"python -m pipeline.verify --data_dir={version.parents[2]}",
        )  # fmt: skip
    return good("data", f"{version}: {counts}")


def _shard_lengths(path: pathlib.Path) -> dict[str, list[int]]:
    """Return the number of examples in each shard by split, as dataset_info.json lists them."""
    found = {}
    for split in untrusted.read_json_object(path)["splits"]:
        name, lengths = split["name"], split["shardLengths"]
        if not isinstance(name, str) or not isinstance(lengths, list):
            raise ValueError("a split must have a name and a list of shardLengths")
        wrong = [each for each in lengths if not fields.is_count(str(each))]
        if wrong:
            raise ValueError(f"shardLengths must be whole numbers: got {wrong[0]!r:.60}")
        found[name] = [int(each) for each in lengths]
    return found


def _unreadable(version: pathlib.Path, *, reason: str) -> Check:
    return Check(
        "data", Level.BAD, f"{version}: cannot read {dataset_paths.DATASET_INFO} ({reason})",
        "build it again with --overwrite",
    )  # fmt: skip
