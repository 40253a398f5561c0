"""Identical picture files: inside a split, across splits, across subsets.

Found by the content hash that is taken while the shards are written, so only pictures that are in
the output count; rows that balancing left out were never opened.
"""

import collections
from collections.abc import Iterable, Mapping, Set
from typing import Any, NamedTuple

import numpy as np


class File(NamedTuple):
    """A picture file of the output."""

    split: str
    subset: str
    name: str


Group = tuple[File, ...]


class Leaks(NamedTuple):
    """Groups of identical files, sorted. A group that spans splits and subsets stands in both of
    the last two."""

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
    """The hashes of all picture files of the output, 16 bytes each: names are looked up for the few
    that repeat."""

    def __init__(self) -> None:
        """Start with none."""
        self._packed: list[bytes] = []

    def add(self, sidecar: Mapping[str, Any]) -> None:
        """Add the files of a shard."""
        self._packed.append(
            bytes.fromhex("".join(content for content, _ in sidecar["contents"].values()))
        )

    def repeated(self) -> frozenset[str]:
        """Return the hashes that are there more than once."""
        ordered = np.sort(np.frombuffer(b"".join(self._packed), _HASH))
        again = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        return frozenset(bytes(one).hex() for one in again)


_HASH = np.dtype([("first", "<u8"), ("second", "<u8")])


def find(repeated: Set[str], sidecars: Iterable[Mapping[str, Any]]) -> Leaks:
    """Group the files of all shards whose content is there more than once.

    Further faces of one file ("#2") are the same file.
    """
    by_content: dict[str, set[File]] = collections.defaultdict(set)
    for done in sidecars if repeated else ():
        split = done["name"].split("-")[1].split(".")[0]
        for name, (content, subset) in done["contents"].items():
            if content in repeated:
                by_content[content].add(File(split, subset, name.split("#")[0]))
    groups = sorted(tuple(sorted(group)) for group in by_content.values() if len(group) > 1)
    across_splits = tuple(group for group in groups if len({file.split for file in group}) > 1)
    across_subsets = tuple(group for group in groups if len({file.subset for file in group}) > 1)
    within = tuple(
        group for group in groups if group not in across_splits and group not in across_subsets
    )
    return Leaks(within, across_splits, across_subsets)
