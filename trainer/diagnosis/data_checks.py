"""Data checks: which builds of the data set are there, and whether their shards are."""

import json
import pathlib
from collections.abc import Iterator

from affectnet_tfds import dataset_paths
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
        text = (version / dataset_paths.DATASET_INFO).read_text(encoding="utf-8")
        splits = {split["name"]: split["shardLengths"] for split in json.loads(text)["splits"]}
    except (OSError, ValueError, KeyError) as error:
        return Check(
            "data", Level.BAD, f"{version}: cannot read {dataset_paths.DATASET_INFO} ({error})",
            "build it again with --overwrite",
        )  # fmt: skip
    missing = [
        name
        for split, lengths in splits.items()
        for index in range(len(lengths))
        if not (version / (name := dataset_paths.shard_name(split, index, len(lengths)))).exists()
    ]
    counts = ", ".join(f"{sum(map(int, each)):,} {split}" for split, each in splits.items())
    if missing:
        return Check(
            "data", Level.BAD, f"{version}: {len(missing)} shards are missing, {missing[0]} first",
            f"python -m pipeline.verify --data_dir={version.parents[2]}",
        )  # fmt: skip
    return good("data", f"{version}: {counts}")
