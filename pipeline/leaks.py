"""Identical picture files: inside a split, across splits, across subsets.

Found by the content hash that is taken while the shards are written, so only pictures that are in the output count;
rows that balancing left out were never opened.
"""

import collections
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple


class Leaks(NamedTuple):
    """Groups of identical files. Each group lists (split, file name), sorted."""

    within_split: tuple[tuple[tuple[str, str], ...], ...]
    across_splits: tuple[tuple[tuple[str, str], ...], ...]

    def to_json(self) -> dict[str, Any]:
        """Return the groups for build_report.json."""
        return {
            name: [[f"{split}: {file}" for split, file in group] for group in groups]
            for name, groups in self._asdict().items()
        }


def find(sidecars: Sequence[Mapping[str, Any]]) -> Leaks:
    """Group the files of all shards by content."""
    by_content: dict[str, set[tuple[str, str]]] = collections.defaultdict(set)
    for split, file, content in _contents(sidecars):
        by_content[content].add((split, file.split("#")[0]))
    groups = sorted(tuple(sorted(group)) for group in by_content.values() if len(group) > 1)
    across = tuple(group for group in groups if len({split for split, _ in group}) > 1)
    return Leaks(tuple(group for group in groups if group not in across), across)


def _contents(sidecars: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    for done in sidecars:
        split = done["name"].split("-")[1].split(".")[0]
        for file, content in done["contents"].items():
            yield split, file, content
