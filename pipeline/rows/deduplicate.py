"""Repeated rows and identical image files: found by key and by content hash, settled within one
bucket."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from pipeline.rows import annotations, row_index, stable_hash, survey

FETCHED_TOGETHER = 1_000
"""Rows that are compared with others, fetched at once."""


Fetch = Callable[[np.ndarray], Sequence[annotations.Row]]
"""index.ENTRY[N] → their rows."""


HASHED = np.dtype([*row_index.ENTRY.descr, ("high", "<u8"), ("low", "<u8")])
"""A row's entry, and the hash of what its picture file holds; 0 and 0 where it cannot be read."""


def find_repeats(
    entries: np.ndarray, *, fetch: Fetch, seed: int
) -> tuple[survey.Survey, np.ndarray]:
    """Return a survey that corrects the counts for rows said twice, and the entries that stay.

    The first row about a picture, in the table's order, keeps the plain file name; a further one
    with other fields is another face and gets "#2", "#3", …; one with the same fields is rejected.

    Args:
      entries: index.ENTRY[N], with all entries of every key among them.
      fetch: gets the rows of those that share a key; most do not.
      seed: of the keys, as faces that get a name get a key.
    """
    found, stays = survey.Survey(), np.ones(len(entries), bool)
    for places, rows in _fetched(row_index.grouped(entries, ("key", "split")), entries, fetch):
        by_name: dict[str, list[tuple[int, annotations.Row]]] = {}  # Two names may have one key.
        for place, row in zip(places.tolist(), rows, strict=True):
            by_name.setdefault(row.filename, []).append((place, row))
        for group in by_name.values():
            _sort_out(group, found=found, stays=stays, entries=entries, seed=seed)
    return found, entries[stays]


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
            yield from ((one, list(itertools.islice(rows, len(one)))) for one in waiting)
            waiting = []


def _sort_out(
    group: Sequence[tuple[int, annotations.Row]],
    *,
    found: survey.Survey,
    stays: np.ndarray,
    entries: np.ndarray,
    seed: int,
) -> None:
    """Tell the rows of one picture apart: repeats from further faces."""
    faces: dict[str, annotations.Row] = {}
    for place, row in group:
        said = repr(row._replace(source=""))
        if said in faces:
            found.add_repeat(row, first=faces[said])
            stays[place] = False
            continue
        faces[said] = row
        if len(faces) > 1:
            entries["face"][place] = len(faces)
            entries["key"][place] = stable_hash.key(
                row_index.face_name(row.filename, len(faces)), seed
            )


def drop_duplicates(hashed: np.ndarray, *, fetch: Fetch) -> tuple[survey.Survey, np.ndarray]:
    """Return a survey that drops from train every row whose picture file is there under another
    name, and what stays.

    One file stays: validation before train, manual before automatic, then the first in the table.
    Rows about further faces in the file that stays are no duplicates, and nothing is dropped from
    validation.

    Args:
      hashed: HASHED[N], with all entries of every hash among them.
      fetch: gets the rows of those that share one.
    """
    found, stays = survey.Survey(), np.ones(len(hashed), bool)
    groups = (
        group for group in row_index.grouped(hashed, ("high", "low")) if hashed["high"][group[0]]
    )
    for places, rows in _fetched(groups, hashed, fetch):
        best = min(rows, key=lambda row: (row.split == "train", row.subset != "manual"))
        for place, row in zip(places, rows, strict=True):
            if row.split == "train" and row.path != best.path:
                found.counts[row.split, row.subset, row.label] -= 1
                found.dropped[row.split, row.subset, row.label, "identical file"] += 1
                found.duplicates[row.source] = best.path
                stays[place] = False
    return found, hashed[stays]
