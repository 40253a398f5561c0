"""Deduplication: finds repeated rows by key, and identical image files by content hash.

Both work on one bucket of the index, which holds all entries of every key (or hash) in it.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np

from pipeline.rows import annotations, row_index, stable_hash, survey

FETCHED_TOGETHER = 1_000
"""Rows fetched at once, to be compared with each other."""

SECOND_OPINION = "second row about a face"

IDENTICAL = "identical file"

Fetch = Callable[[np.ndarray], Sequence[annotations.Row]]
"""row_index.ENTRY[N] → their rows."""

HASHED = np.dtype([*row_index.ENTRY.descr, ("high", "<u8"), ("low", "<u8")])
"""A row's entry, and the content hash of its image file; 0 and 0 where it cannot be read."""


def find_repeats(
    entries: np.ndarray, *, fetch: Fetch, seed: int, drop: bool = False
) -> tuple[survey.Survey, np.ndarray]:
    """Return a survey that corrects the counts for repeated rows, and the entries that stay.

    The first row about an image, in the table's order, keeps the plain file name; a further one
    with other fields is another face and gets "#2", "#3", …; one with the same fields is rejected,
    and so are those beyond row_index.MOST_FACES.
    A further one with the same box is a second opinion on the same face, which is counted.

    Args:
      entries: row_index.ENTRY[N], with all entries of every key among them.
      fetch: gets the rows of those that share a key; most do not.
      seed: of the keys, as faces that get a name get a key.
      drop: whether second opinions are dropped: the first row about a face stays.
    """
    corrections = survey.Survey()
    stays = np.ones(len(entries), bool)
    groups = row_index.grouped(entries, ("key", "split"))
    for positions, rows in _fetched(groups, entries, fetch):
        by_name: dict[str, list[tuple[int, annotations.Row]]] = {}  # Two names may have one key.
        for position, row in zip(positions.tolist(), rows, strict=True):
            by_name.setdefault(row.filename, []).append((position, row))
        for group in by_name.values():
            _reject_or_name(
                group,
                corrections=corrections,
                stays=stays,
                entries=entries,
                seed=seed,
                drop=drop,
            )
    return corrections, entries[stays]


def _fetched(
    groups: Iterable[np.ndarray], entries: np.ndarray, fetch: Fetch
) -> Iterator[tuple[np.ndarray, Sequence[annotations.Row]]]:
    """Yield every group with its rows, fetching those of many groups at once."""
    waiting: list[np.ndarray] = []
    for group in itertools.chain(groups, [None]):
        if group is not None:
            waiting.append(group)
        if waiting and (group is None or sum(map(len, waiting)) >= FETCHED_TOGETHER):
            rows = iter(fetch(entries[np.concatenate(waiting)]))
            for positions in waiting:
                yield positions, list(itertools.islice(rows, len(positions)))
            waiting = []


def _reject_or_name(
    group: Sequence[tuple[int, annotations.Row]],
    *,
    corrections: survey.Survey,
    stays: np.ndarray,
    entries: np.ndarray,
    seed: int,
    drop: bool,
) -> None:
    """Settle the rows of one image after its first.

    Repeated rows are rejected; other rows about a face are counted, or dropped if asked to; what
    stays gets the keys of further faces' names.
    """
    known: dict[str, annotations.Row] = {}
    by_box: dict[annotations.Box | None, annotations.Row] = {}
    faces = 0
    for position, row in group:
        fields = repr(row._replace(source=""))
        if fields in known:
            corrections.add_repeat(row, first=known[fields])
            stays[position] = False
            continue
        known[fields] = row
        first = by_box.setdefault(row.box, row)
        if drop and first is not row:
            corrections.drop(row, reason=SECOND_OPINION, first=first)
            stays[position] = False
            continue
        if faces == row_index.MOST_FACES:
            corrections.reject(
                row, "too many faces", f"an image may have {row_index.MOST_FACES:,} faces"
            )
            stays[position] = False
            continue
        corrections.second_opinions += first is not row
        faces += 1
        if faces > 1:
            name = row_index.face_name(row.filename, faces)
            entries["face"][position] = faces
            entries["key"][position] = stable_hash.key(name, seed)


class Placed(Protocol):
    """What decides which of several copies stays."""

    @property
    def split(self) -> str:
        """Return train or validation."""

    @property
    def subset(self) -> str:
        """Return manual or automatic."""


def precedence(row: Placed) -> tuple[bool, bool]:
    """Return what is least for the copy that stays: validation before train, manual first."""
    return row.split == "train", row.subset != "manual"


def drop_duplicates(hashed: np.ndarray, *, fetch: Fetch) -> tuple[survey.Survey, np.ndarray]:
    """Return a survey that drops repeated image files from train, and the entries that stay.

    One file of several with the same content stays: validation before train, manual before
    automatic, then the first in the table. Rows about further faces in the file that stays are no
    duplicates, and nothing is dropped from validation.

    Args:
      hashed: HASHED[N], with all entries of every hash among them.
      fetch: gets the rows of those that share one.
    """
    corrections = survey.Survey()
    stays = np.ones(len(hashed), bool)
    groups = row_index.grouped(hashed, ("high", "low"))
    readable = (group for group in groups if hashed["high"][group[0]])
    for positions, rows in _fetched(readable, hashed, fetch):
        best = min(rows, key=precedence)
        for position, row in zip(positions, rows, strict=True):
            if row.split == "train" and (row.path, row.split) != (best.path, best.split):
                corrections.drop(row, reason=IDENTICAL, first=best)
                stays[position] = False
    return corrections, hashed[stays]


def drop_near_duplicates(
    groups: Iterable[np.ndarray], hashed: np.ndarray, *, fetch: Fetch
) -> tuple[survey.Survey, list[int]]:
    """Return a survey that drops the further pictures of every group from train, and their places.

    Which one stays is decided as `drop_duplicates` does. A row whose very file is the one that
    stays is dropped as identical, any other as a near duplicate.

    Args:
      groups: int64[M] each, places in `hashed`, in the order of the release.
      hashed: HASHED[N], or with further fields.
      fetch: gets the rows of a group.
    """
    corrections = survey.Survey()
    dropped: list[int] = []
    for group in groups:
        entries = hashed[group]
        rows = fetch(converted_entries(entries))
        kept = min(range(len(rows)), key=lambda place: precedence(rows[place]))
        best = rows[kept]
        for place, entry, row in zip(group.tolist(), entries, rows, strict=True):
            if row.split == "train" and (row.path, row.split) != (best.path, best.split):
                is_same = all(entry[half] == entries[kept][half] for half in ("high", "low"))
                reason = IDENTICAL if is_same else survey.NEAR_DUPLICATE
                corrections.drop(row, reason=reason, first=best)
                dropped.append(place)
    return corrections, dropped


def converted_entries(entries: np.ndarray) -> np.ndarray:
    """Return row_index.ENTRY[N] of entries with further fields."""
    return row_index.converted(entries, row_index.ENTRY)
