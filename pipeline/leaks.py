"""Identical picture files: inside a split, across splits, across subsets.

Found by the content hash that is taken while the shards are written, so only pictures that are in the output count;
rows that balancing left out were never opened.
"""

import collections
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple


class File(NamedTuple):
    """A picture file of the output."""

    split: str
    subset: str
    name: str


Group = tuple[File, ...]


class Leaks(NamedTuple):
    """Groups of identical files, sorted. A group that spans splits and subsets stands in both of the last two."""

    within_split: tuple[Group, ...]  # all in one split and one subset
    across_splits: tuple[Group, ...]
    across_subsets: tuple[Group, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the groups for build_report.json."""
        return {
            kind: [[f"{file.split}: {file.name}" for file in group] for group in groups]
            for kind, groups in self._asdict().items()
        }


def find(sidecars: Sequence[Mapping[str, Any]]) -> Leaks:
    """Group the files of all shards by content. Further faces of one file ("#2") are the same file."""
    by_content: dict[str, set[File]] = collections.defaultdict(set)
    for content, file in _contents(sidecars):
        by_content[content].add(file)
    groups = sorted(tuple(sorted(group)) for group in by_content.values() if len(group) > 1)
    across_splits = tuple(group for group in groups if len({file.split for file in group}) > 1)
    across_subsets = tuple(group for group in groups if len({file.subset for file in group}) > 1)
    within = tuple(group for group in groups if group not in across_splits and group not in across_subsets)
    return Leaks(within, across_splits, across_subsets)


def _contents(sidecars: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, File]]:
    for done in sidecars:
        split = done["name"].split("-")[1].split(".")[0]
        for name, (content, subset) in done["contents"].items():
            yield content, File(split, subset, name.split("#")[0])
