"""Survey: counts of rows by split, subset and label, rejects and duplicates of a release.

Owns what is known before any image is opened. It is made by a pass of its own so that the plan can
be printed, and refused, in seconds, and so that the second pass knows how many rows each class has.
"""

import collections
import json

from pipeline.rows import annotations, label_cleaning

EXCLUDED = "excluded by a list"
RELABELLED = "relabelled by a list"
OTHER_LABEL = "with another label than the list gives"
"""What becomes of a row that a list names."""

WITHOUT_ROW = "lines of --{flag} that name no row"

NEAR_DUPLICATE = "near duplicate"
"""Reason of a row that is dropped because its picture is kept in another file."""


class Survey:
    """Counts and defects of a release or a part; merging is associative and commutative.

    Attributes:
      counts: usable rows by split, subset and label.
      boxes: usable rows by `Row.box_from`.
      without_landmarks: usable rows without landmarks.
      rejects: rows that cannot be used.
      dropped: good rows that the user's flags leave out, by split, subset, label and reason.
      duplicates: source of a dropped row → the image file that is kept.
      near_duplicates: the same, of rows whose picture is kept in another file.
      second_opinions: usable rows about a face (an image and a box) that an earlier row is about.
      listed: rows that the lists of --exclude and --relabel name, by what became of them.
      lines: lines of these lists that name a row, by the list's flag.
    """

    def __init__(self) -> None:
        """Start with nothing counted."""
        self.counts = collections.Counter[tuple[str, str, int]]()
        self.boxes = collections.Counter[str]()
        self.without_landmarks = 0
        self.rejects: list[annotations.Reject] = []
        self.dropped = collections.Counter[tuple[str, str, int, str]]()
        self.duplicates: dict[str, str] = {}
        self.near_duplicates: dict[str, str] = {}
        self.second_opinions = 0
        self.listed = collections.Counter[str]()
        self.lines = collections.Counter[str]()

    def add(self, item: annotations.Row | annotations.Reject, *, clean: str = "none") -> bool:
        """Count one row or reject; return whether it is a usable row."""
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
        """Turn a row already counted into a reject: its fields are those of an earlier row."""
        self.reject(
            row, "repeated row", f"a row may be there once: this one repeats {first.source}"
        )

    def reject(self, row: annotations.Row, reason: str, detail: str) -> None:
        """Turn a row already counted into a reject."""
        self.counts[row.split, row.subset, row.label] -= 1
        self.rejects.append(
            annotations.Reject(
                row.split, row.subset, row.path, row.label, reason, detail, row.source
            )
        )

    def exclude(self, row: annotations.Row) -> None:
        """Turn a row already counted into one that --exclude leaves out."""
        self.counts[row.split, row.subset, row.label] -= 1
        self.dropped[row.split, row.subset, row.label, EXCLUDED] += 1
        self.listed[EXCLUDED] += 1

    def relabel(self, row: annotations.Row, *, label: int) -> None:
        """Count a row already counted as one of another label, which --relabel gives it."""
        self.counts[row.split, row.subset, row.label] -= 1
        self.counts[row.split, row.subset, label] += 1
        self.listed[RELABELLED] += 1

    def drop(self, row: annotations.Row, *, reason: str, first: annotations.Row) -> None:
        """Turn a row already counted into a dropped one, in favour of another."""
        self.counts[row.split, row.subset, row.label] -= 1
        self.dropped[row.split, row.subset, row.label, reason] += 1
        kept = self.near_duplicates if reason == NEAR_DUPLICATE else self.duplicates
        kept[row.source] = first.path

    def merge(self, other: "Survey") -> "Survey":
        """Add another survey to this one."""
        self.counts.update(other.counts)
        self.boxes.update(other.boxes)
        self.without_landmarks += other.without_landmarks
        self.rejects += other.rejects
        self.dropped.update(other.dropped)
        self.duplicates |= other.duplicates
        self.near_duplicates |= other.near_duplicates
        self.second_opinions += other.second_opinions
        self.listed.update(other.listed)
        self.lines.update(other.lines)
        return self

    def in_order(self) -> "Survey":
        """Return the same survey in an order that depends on the content only."""
        ordered = Survey()
        for name in ("counts", "boxes", "dropped", "listed", "lines"):
            getattr(ordered, name).update(dict(sorted(getattr(self, name).items())))
        ordered.without_landmarks = self.without_landmarks
        ordered.rejects = sorted(self.rejects)
        ordered.duplicates = dict(sorted(self.duplicates.items()))
        ordered.near_duplicates = dict(sorted(self.near_duplicates.items()))
        ordered.second_opinions = self.second_opinions
        return ordered

    @property
    def num_rows(self) -> int:
        """Return the number of rows read, rejected and dropped ones included."""
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
                "near_duplicates": dict(sorted(self.near_duplicates.items())),
                "second_opinions": self.second_opinions,
                "listed": dict(sorted(self.listed.items())),
                "lines": dict(sorted(self.lines.items())),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "Survey":
        """Return what `to_json` wrote."""
        value = json.loads(text)
        survey = cls()
        survey.counts.update(
            {(split, subset, label): n for split, subset, label, n in value["counts"]}
        )
        survey.boxes.update(value["boxes"])
        survey.without_landmarks = value["without_landmarks"]
        survey.rejects = [annotations.Reject(*fields) for fields in value["rejects"]]
        survey.duplicates = value["duplicates"]
        survey.near_duplicates = value["near_duplicates"]
        survey.second_opinions = value["second_opinions"]
        survey.listed.update(value["listed"])
        survey.lines.update(value.get("lines", {}))  # A build may have begun before there were any.
        survey.dropped.update({(*key, reason): n for *key, reason, n in value["dropped"]})
        return survey


def _left_out(row: annotations.Row, clean: str) -> str:
    """Return why the user's flags leave a row out, or ""."""
    return row.left_out or label_cleaning.contradiction(row, clean)
