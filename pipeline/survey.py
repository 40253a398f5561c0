"""What the annotations hold: counted before any picture is opened.

The survey decides nothing about pictures. It is made by its own pass so that the plan can be printed, and refused, in
seconds, and so that the second pass knows how many rows each class has.
"""

import collections
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pipeline import annotations, cleaning

BUCKETS = 64


class Mention(NamedTuple):
    """A row reduced to what tells whether another row is about the same picture."""

    split: str
    filename: str
    source: str
    digest: bytes  # of all its fields
    subset: str
    label: int
    path: str


class Survey:
    """Counts and defects of a release, or of a part of one. Merging is associative and commutative."""

    def __init__(self) -> None:
        """Start with nothing counted."""
        self.counts: collections.Counter[tuple[str, str, int]] = collections.Counter()  # split, subset, label
        self.boxes: collections.Counter[str] = collections.Counter()
        self.without_landmarks = 0
        self.rejects: list[annotations.Reject] = []
        self.renamed: dict[str, str] = {}  # source → file name of a further face in the same picture
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

    def add_repeat(self, mention: Mention, *, first: Mention) -> None:
        """Turn a row already counted into a reject: it says again what an earlier one said."""
        self.counts[mention.split, mention.subset, mention.label] -= 1
        detail = f"a row may be there once: this one repeats {first.source}"
        self.rejects.append(
            annotations.Reject(
                mention.split,
                mention.subset,
                mention.path,
                mention.label,
                "repeated row",
                detail,
                mention.source,
            )
        )

    def merge(self, other: "Survey") -> "Survey":
        """Add another survey to this one."""
        self.counts.update(other.counts)
        self.boxes.update(other.boxes)
        self.without_landmarks += other.without_landmarks
        self.rejects += other.rejects
        self.renamed |= other.renamed
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
                "renamed": dict(sorted(self.renamed.items())),
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
        survey.renamed, survey.duplicates = value["renamed"], value["duplicates"]
        survey.dropped.update({(*key, reason): n for *key, reason, n in value["dropped"]})
        return survey


def mention(row: annotations.Row) -> tuple[int, Mention]:
    """Return (bucket, mention); rows about the same picture share a bucket."""
    bucket = int.from_bytes(hashlib.blake2b(row.filename.encode(), digest_size=2).digest(), "big") % BUCKETS
    digest = hashlib.blake2b(repr(row._replace(source="")).encode(), digest_size=16).digest()
    return bucket, Mention(row.split, row.filename, row.source, digest, row.subset, row.label, row.path)


def find_repeats(mentions: Iterable[Mention]) -> Survey:
    """Return a survey that corrects the counts for rows said twice and names further faces in a picture.

    The first row about a picture, in the table's order, keeps the plain file name; a further one with other fields is
    another face and gets "#2", "#3", …; one with the same fields is rejected.
    """
    survey = Survey()
    groups: dict[tuple[str, str], list[Mention]] = collections.defaultdict(list)
    for one in mentions:
        groups[one.split, one.filename].append(one)
    for group in groups.values():
        if len(group) > 1:
            _sort_out(group, survey)
    return survey


def _sort_out(group: Sequence[Mention], survey: Survey) -> None:
    faces: dict[bytes, Mention] = {}
    for one in sorted(group, key=lambda m: (len(m.source), m.source)):
        if one.digest in faces:
            survey.add_repeat(one, first=faces[one.digest])
        else:
            faces[one.digest] = one
            if len(faces) > 1:
                survey.renamed[one.source] = f"{one.filename}#{len(faces)}"


def _left_out(row: annotations.Row, clean: str) -> str:
    """Return why the user's flags leave a row out, or ""."""
    return row.left_out or cleaning.contradiction(row, clean)


def usable(
    rows: Iterable[annotations.Row | annotations.Reject], survey: Survey, *, clean: str = "none"
) -> Iterator[annotations.Row]:
    """Yield the rows that the survey let through, with the names it gave them."""
    gone = {reject.source for reject in survey.rejects} | set(survey.duplicates)
    for row in rows:
        if isinstance(row, annotations.Row) and row.source not in gone and not _left_out(row, clean):
            yield row._replace(filename=survey.renamed.get(row.source, row.filename))


class Content(NamedTuple):
    """A usable row with what its picture file holds."""

    hash: str
    split: str
    subset: str
    label: int
    path: str
    source: str


def drop_duplicates(contents: Iterable[Content]) -> Survey:
    """Return a survey that drops from train every row whose picture file is there under another name.

    One file stays: validation before train, manual before automatic, then the first in the table. Rows about further
    faces in the file that stays are no duplicates, and nothing is dropped from validation.
    """
    survey = Survey()
    groups: dict[str, list[Content]] = collections.defaultdict(list)
    for one in contents:
        groups[one.hash].append(one)
    for group in groups.values():
        best = min(group, key=lambda c: (c.split == "train", c.subset != "manual", len(c.source), c.source))
        for one in group:
            if one.split == "train" and one.path != best.path:
                survey.counts[one.split, one.subset, one.label] -= 1
                survey.dropped[one.split, one.subset, one.label, "identical file"] += 1
                survey.duplicates[one.source] = best.path
    return survey
