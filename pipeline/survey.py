"""What the annotations hold: counted before any picture is opened.

The survey decides nothing about pictures. It is made by its own pass so that the plan can be printed, and refused, in
seconds, and so that the second pass knows how many rows each class has.
"""

import collections
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from pipeline import annotations, cleaning, index, plan

FETCHED_TOGETHER = 1_000
"""Rows that are compared with others, fetched at once."""

Fetch = Callable[[np.ndarray], Sequence[annotations.Row]]
"""index.ENTRY[N] → their rows."""

HASHED = np.dtype([*index.ENTRY.descr, ("high", "<u8"), ("low", "<u8")])
"""A row's entry, and the hash of what its picture file holds; 0 and 0 where it cannot be read."""


class Survey:
    """Counts and defects of a release, or of a part of one. Merging is associative and commutative."""

    def __init__(self) -> None:
        """Start with nothing counted."""
        self.counts: collections.Counter[tuple[str, str, int]] = collections.Counter()  # split, subset, label
        self.boxes: collections.Counter[str] = collections.Counter()
        self.without_landmarks = 0
        self.rejects: list[annotations.Reject] = []
        self.dropped: collections.Counter[tuple[str, str, int, str]] = collections.Counter()  # …, reason
        self.duplicates: dict[str, str] = {}  # source of a dropped row → the file that is kept

    def add(self, item: annotations.Row | annotations.Reject, *, clean: str = "none") -> bool:
        """Count one row or reject; return whether it is a row that stays."""
        if isinstance(item, annotations.Reject):
            self.rejects.append(item)
            return False
        if reason := _left_out(item, clean):
            self.dropped[item.split, item.subset, item.label, reason] += 1
            return False
        self.counts[item.split, item.subset, item.label] += 1
        self.boxes[item.box_from] += 1
        self.without_landmarks += not item.landmarks
        return True

    def add_repeat(self, row: annotations.Row, *, first: annotations.Row) -> None:
        """Turn a row already counted into a reject: it says again what an earlier one said."""
        self.counts[row.split, row.subset, row.label] -= 1
        detail = f"a row may be there once: this one repeats {first.source}"
        self.rejects.append(
            annotations.Reject(row.split, row.subset, row.path, row.label, "repeated row", detail, row.source)
        )

    def merge(self, other: "Survey") -> "Survey":
        """Add another survey to this one."""
        self.counts.update(other.counts)
        self.boxes.update(other.boxes)
        self.without_landmarks += other.without_landmarks
        self.rejects += other.rejects
        self.dropped.update(other.dropped)
        self.duplicates |= other.duplicates
        return self

    @property
    def num_rows(self) -> int:
        """Rows read, rejected and dropped ones included."""
        return sum(self.counts.values()) + len(self.rejects) + sum(self.dropped.values())

    def to_json(self) -> str:
        """Return everything as JSON, in an order that depends on the content only."""
        return json.dumps(
            {
                "counts": sorted([*key, count] for key, count in self.counts.items()),
                "boxes": dict(sorted(self.boxes.items())),
                "without_landmarks": self.without_landmarks,
                "rejects": sorted(map(list, self.rejects)),
                "dropped": sorted([*key, count] for key, count in self.dropped.items()),
                "duplicates": dict(sorted(self.duplicates.items())),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "Survey":
        """Return what `to_json` wrote."""
        value, survey = json.loads(text), cls()
        survey.counts.update({(split, subset, label): n for split, subset, label, n in value["counts"]})
        survey.boxes.update(value["boxes"])
        survey.without_landmarks = value["without_landmarks"]
        survey.rejects = [annotations.Reject(*fields) for fields in value["rejects"]]
        survey.duplicates = value["duplicates"]
        survey.dropped.update({(*key, reason): n for *key, reason, n in value["dropped"]})
        return survey


def find_repeats(entries: np.ndarray, *, fetch: Fetch, seed: int) -> tuple[Survey, np.ndarray]:
    """Return a survey that corrects the counts for rows said twice, and the entries that stay.

    The first row about a picture, in the table's order, keeps the plain file name; a further one with other fields is
    another face and gets "#2", "#3", …; one with the same fields is rejected.

    Args:
      entries: index.ENTRY[N], with all entries of every key among them.
      fetch: gets the rows of those that share a key; most do not.
      seed: of the keys, as faces that get a name get a key.
    """
    found, stays = Survey(), np.ones(len(entries), bool)
    for places, rows in _fetched(index.grouped(entries, ("key", "split")), entries, fetch):
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
    group: Sequence[tuple[int, annotations.Row]], *, found: Survey, stays: np.ndarray, entries: np.ndarray, seed: int
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
            entries["key"][place] = plan.key(index.face_name(row.filename, len(faces)), seed)


def _left_out(row: annotations.Row, clean: str) -> str:
    """Return why the user's flags leave a row out, or ""."""
    return row.left_out or cleaning.contradiction(row, clean)


def drop_duplicates(hashed: np.ndarray, *, fetch: Fetch) -> tuple[Survey, np.ndarray]:
    """Return a survey that drops from train every row whose picture file is there under another name, and what stays.

    One file stays: validation before train, manual before automatic, then the first in the table. Rows about further
    faces in the file that stays are no duplicates, and nothing is dropped from validation.

    Args:
      hashed: HASHED[N], with all entries of every hash among them.
      fetch: gets the rows of those that share one.
    """
    found, stays = Survey(), np.ones(len(hashed), bool)
    groups = (group for group in index.grouped(hashed, ("high", "low")) if hashed["high"][group[0]])
    for places, rows in _fetched(groups, hashed, fetch):
        best = min(rows, key=lambda row: (row.split == "train", row.subset != "manual"))
        for place, row in zip(places, rows, strict=True):
            if row.split == "train" and row.path != best.path:
                found.counts[row.split, row.subset, row.label] -= 1
                found.dropped[row.split, row.subset, row.label, "identical file"] += 1
                found.duplicates[row.source] = best.path
                stays[place] = False
    return found, hashed[stays]
