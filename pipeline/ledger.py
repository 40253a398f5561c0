"""Ledger of every row: read = written + left out + of other classes + dropped + rejected.

Made from the survey, the plan and the shards' sidecars, and checked; a build whose ledger does not
close is not published. Rows are counted, not examples: a row that balancing repeats is written
once.
"""

import collections
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from affectnet_tfds import dataset_paths, labels
from pipeline.rows import annotations, survey
from pipeline.shards import plan


class Line(NamedTuple):
    """Counts of the rows of one class in one split, by what became of them."""

    split: str
    label: int  # -1: rows whose label is bad
    read: int
    written: int
    left_out: int  # by balancing
    other_class: int  # not among the config's classes
    dropped: int  # by --clean, --exclude and --drop_duplicates
    rejected: int
    examples: int  # written, copies included

    @property
    def name(self) -> str:
        return labels.EXPRESSIONS[self.label] if self.label >= 0 else "bad label"

    @property
    def closes(self) -> bool:
        return (
            self.read
            == self.written + self.left_out + self.other_class + self.dropped + self.rejected
        )


class Ledger(NamedTuple):
    """Ledger of a build."""

    lines: tuple[Line, ...]
    rejects: tuple[annotations.Reject, ...]  # one a row, in the order of the annotations

    @property
    def num_rows(self) -> int:
        return sum(line.read for line in self.lines)

    @property
    def num_examples(self) -> int:
        return sum(line.examples for line in self.lines)

    def reasons(self) -> list[tuple[str, int]]:
        """Return (reason, rows), the most frequent first."""
        counted = collections.Counter(reject.reason for reject in self.rejects)
        return sorted(counted.items(), key=lambda item: (-item[1], item[0]))

    def to_json(self) -> dict[str, Any]:
        """Return the ledger for build_report.json."""
        return {
            "classes": [{"name": line.name, **line._asdict()} for line in self.lines],
            "rejected": dict(self.reasons()),
            "rejected_by_class": [
                {"split": split, "label": label, "reason": reason, "rows": rows}
                for (split, label, reason), rows in sorted(
                    collections.Counter((r.split, r.label, r.reason) for r in self.rejects).items()
                )
            ],
        }


def make(
    surveyed: survey.Survey,
    plans: Mapping[str, plan.SplitPlan],
    sidecars: Sequence[Mapping[str, Any]],
) -> Ledger:
    """Make the ledger.

    Raises:
      AssertionError: if it does not close, which is a defect of the job and not of the data.
    """
    late = unique(annotations.Reject(*fields) for done in sidecars for fields in done["rejects"])
    early_counts = collections.Counter((r.split, r.label) for r in surveyed.rejects)
    late_counts = collections.Counter((r.split, r.label) for r in late)
    usable: collections.Counter[tuple[str, int]] = collections.Counter()
    for (split, _, label), count in surveyed.counts.items():
        usable[split, label] += count
    dropped: collections.Counter[tuple[str, int]] = collections.Counter()
    for (split, _, label, _), count in surveyed.dropped.items():
        dropped[split, label] += count
    written = _by_class(sidecars, "rows")
    examples = _by_class(sidecars, "label_counts")
    lines = []
    for split, label in sorted(set(usable) | set(early_counts) | set(dropped)):
        cell, split_plan = (split, label), plans.get(split)
        in_classes = split_plan is not None and label in split_plan.counts
        kept = split_plan.kept(label) if split_plan else 0
        lines.append(
            Line(
                split=split,
                label=label,
                read=usable[cell] + early_counts[cell] + dropped[cell],
                written=written[cell],
                left_out=usable[cell] - kept if in_classes else 0,
                other_class=0 if in_classes else usable[cell],
                dropped=dropped[cell],
                rejected=early_counts[cell] + late_counts[cell],
                examples=examples[cell],
            )
        )
    account = Ledger(tuple(lines), tuple(in_order([*surveyed.rejects, *late])))
    open_lines = [line for line in lines if not line.closes]
    if open_lines:
        raise AssertionError(f"the ledger does not close: {open_lines}")
    return account


def classes_counted_twice(
    plans: Mapping[str, plan.SplitPlan], sidecars: Sequence[Mapping[str, Any]]
) -> list[tuple[str, int]]:
    """Return (split, label) of rows both written and rejected: the input changed between copies."""
    late = unique(annotations.Reject(*fields) for done in sidecars for fields in done["rejects"])
    counts = collections.Counter((reject.split, reject.label) for reject in late)
    counts.update(_by_class(sidecars, "rows"))
    return sorted(cell for cell, rows in counts.items() if rows > plans[cell[0]].kept(cell[1]))


def unique(rejects: Iterable[annotations.Reject]) -> list[annotations.Reject]:
    """Return one reject per row: a bad image is rejected once for each of its copies."""
    return list({reject.source: reject for reject in rejects}.values())


def _by_class(
    sidecars: Sequence[Mapping[str, Any]], key: str
) -> collections.Counter[tuple[str, int]]:
    counts: collections.Counter[tuple[str, int]] = collections.Counter()
    for done in sidecars:
        split = dataset_paths.parse_shard_name(done["name"]).split
        for label, count in done[key].items():
            counts[split, int(label)] += count
    return counts


def in_order(rejects: Iterable[annotations.Reject]) -> list[annotations.Reject]:
    """Return rejects in the order of the annotations ("row 9" before "row 10")."""
    return sorted(rejects, key=lambda reject: (reject.split, len(reject.source), reject.source))
