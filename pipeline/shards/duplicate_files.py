"""Identical image files: finds groups inside a split, across splits and across subsets.

They are found by the content hashes taken while shards are written, so only images in the output
count; rows that balancing left out were never opened.
"""

import collections
from collections.abc import Iterable, Mapping, Set
from typing import Any, NamedTuple

import numpy as np

from affectnet_tfds import dataset_paths


class File(NamedTuple):
    """An image file of the output."""

    split: str
    subset: str
    name: str


Group = tuple[File, ...]


class Leaks(NamedTuple):
    """Groups of identical files, sorted.

    A group that spans both splits and subsets is in both of the last two.
    """

    within_split: tuple[Group, ...]  # all in one split and one subset
    across_splits: tuple[Group, ...]
    across_subsets: tuple[Group, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the groups for build_report.json."""
        return {
            kind: [[f"{file.split}: {file.name}" for file in group] for group in groups]
            for kind, groups in self._asdict().items()
        }


class Hashes:
    """Content hashes of all image files of the output, 16 bytes each, without their names."""

    def __init__(self) -> None:
        """Start with no hash."""
        self._packed: list[bytes] = []

    def add(self, sidecar: Mapping[str, Any]) -> None:
        """Add the files of a shard."""
        hashes = "".join(content_hash for content_hash, _ in sidecar["contents"].values())
        self._packed.append(bytes.fromhex(hashes))

    def repeated(self) -> frozenset[str]:
        """Return the hashes that occur more than once, in hex."""
        ordered = np.sort(np.frombuffer(b"".join(self._packed), _HASH))
        repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        return frozenset(bytes(content_hash).hex() for content_hash in repeated)


_HASH = np.dtype([("first", "<u8"), ("second", "<u8")])


def find(repeated: Set[str], sidecars: Iterable[Mapping[str, Any]]) -> Leaks:
    """Return the groups of files with repeated hashes, which `Hashes.repeated` gave.

    Further faces in one file ("#2") are the same file.
    """
    by_content: dict[str, set[File]] = collections.defaultdict(set)
    for sidecar in sidecars if repeated else ():
        split = dataset_paths.parse_shard_name(sidecar["name"]).split
        for name, (content_hash, subset) in sidecar["contents"].items():
            if content_hash in repeated:
                by_content[content_hash].add(File(split, subset, name.split("#")[0]))
    return spanning(tuple(sorted(group)) for group in by_content.values() if len(group) > 1)


def spanning(found: Iterable[Group]) -> Leaks:
    """Return groups by what they span."""
    groups = sorted(found)
    across_splits = tuple(group for group in groups if len({file.split for file in group}) > 1)
    across_subsets = tuple(group for group in groups if len({file.subset for file in group}) > 1)
    within = tuple(
        group for group in groups if group not in across_splits and group not in across_subsets
    )
    return Leaks(within, across_splits, across_subsets)
