"""Groups: rows that show one picture, from identical files and from pairs whose pixels agree.

A group is a connected component, so that the order in which pairs are found decides nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from pipeline.near_duplicates import candidates, pixels

COMPARED_TOGETHER = 500
"""Pairs whose images are in memory at once: two of 16 kB each."""

Thumbnails = Callable[[np.ndarray], Iterable[np.ndarray | None]]
"""int64[M], rows in order → their gray images, uint8[SIDE, SIDE]; None: it cannot be read."""


def find(hashes: np.ndarray, contents: np.ndarray, *, thumbnails: Thumbnails) -> list[np.ndarray]:
    """Return the groups of two rows or more, int64[M] each, sorted.

    Pairs that are connected already are not compared, which changes no group.

    Args:
      hashes: perceptual_hash.HASH[N], or with further fields; may be a memory map.
      contents: of a dtype with an order, [N]: equal where image files are identical.
      thumbnails: reads images of rows.
    """
    found = _Components()
    found.join(_identical(contents))
    near = candidates.pairs(hashes)
    for start in range(0, len(near), COMPARED_TOGETHER):
        some = near[start : start + COMPARED_TOGETHER]
        ends = zip(some["first"].tolist(), some["second"].tolist(), strict=True)
        apart = [found.root(first) != found.root(second) for first, second in ends]
        found.join(confirmed(some[apart], thumbnails=thumbnails))
    return found.groups()


def identical(contents: np.ndarray) -> list[np.ndarray]:
    """Return the groups of rows whose image files are identical, as `find` does."""
    found = _Components()
    found.join(_identical(contents))
    return found.groups()


def confirmed(pairs: np.ndarray, *, thumbnails: Thumbnails) -> Iterator[tuple[int, int]]:
    """Yield the pairs of candidates.PAIR[M] whose pixels agree; all their images are in memory."""
    rows = np.unique(np.concatenate([pairs["first"], pairs["second"]]))
    details = {
        row: None if image is None else pixels.detail(image)
        for row, image in zip(rows.tolist(), thumbnails(rows) if len(rows) else (), strict=True)
    }
    for first, second, mirrored in pairs.tolist():
        one, other = details[first], details[second]
        if one is None or other is None:
            continue
        if pixels.are_one(one, other, mirrored=mirrored):
            yield first, second


def _identical(contents: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield a chain of pairs for every content that several rows have."""
    order = np.argsort(contents, kind="stable")
    is_equal = contents[order][1:] == contents[order][:-1]
    yield from zip(order[:-1][is_equal].tolist(), order[1:][is_equal].tolist(), strict=True)


class _Components:
    """Connected components (union-find); rows that no pair has are not in it."""

    def __init__(self) -> None:
        self._parents: dict[int, int] = {}

    def root(self, row: int) -> int:
        """Return the first row of a row's component."""
        while (parent := self._parents.get(row, row)) != row:
            self._parents[row] = self._parents.get(parent, parent)
            row = parent
        return row

    def join(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Add pairs."""
        for first, second in pairs:
            one, other = sorted((self.root(first), self.root(second)))
            self._parents[one] = one
            self._parents[other] = one

    def groups(self) -> list[np.ndarray]:
        """Return the components, int64[M] each, sorted."""
        members: dict[int, list[int]] = {}
        for row in sorted(self._parents):
            members.setdefault(self.root(row), []).append(row)
        return [np.array(group, np.int64) for _, group in sorted(members.items())]


def kinds(contents: Sequence[str]) -> str:
    """Return what joins the rows of a group: identical, or near."""
    return "identical" if len(set(contents)) == 1 else "near"
