"""Row lists: leaves out the rows that --exclude names, and gives others the labels of --relabel.

Owns what a list does to the index of a release. It works on the entries of a bucket once repeated
rows are settled, since only then further faces in a file have names of their own; entries are found
by the keys of the listed names, so that rows that no list names are not read. A row keeps its
valence, arousal and soft label.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from affectnet_tfds.reader import label_list
from pipeline.rows import deduplicate, row_index, stable_hash, survey
from runtime import errors

_RELABEL_COLUMNS = ("filename", "given", "suggested")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RowLists:
    """The lists of a build, if any."""

    exclude: label_list.LabelList | None = None
    relabel: label_list.LabelList | None = None

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return bool(self.exclude or self.relabel)

    def by_flag(self) -> dict[str, label_list.LabelList]:
        """Return the lists that there are."""
        given = {"exclude": self.exclude, "relabel": self.relabel}
        return {flag: listed for flag, listed in given.items() if listed}


def read(*, exclude: str, relabel: str) -> RowLists:
    """Read the lists that the flags name; "" is none.

    Raises:
      errors.UserError: if one is no list of its kind, or both name the same image.
      OSError: if the disk does not let one be read.
    """
    lists = RowLists(
        exclude=label_list.read(exclude) if exclude else None,
        relabel=label_list.read(relabel, needs=_RELABEL_COLUMNS) if relabel else None,
    )
    for number, entry in lists.relabel.numbered() if lists.relabel else ():
        if min(entry.given, entry.suggested) < 0:
            raise errors.UserError(
                f"cannot read {relabel} as a list of labels: row {number:,} must have both the "
                "given and the suggested label"
            )
    for listed in lists.by_flag().values():
        _check_splits(listed)
    _check_apart(lists)
    return lists


def check_found(lists: RowLists, *, surveyed: survey.Survey) -> None:
    """Refuse a list of which no line names a row of the release: it is of other data.

    Raises:
      errors.UserError: if so.
    """
    outcomes = {
        "exclude": (lists.exclude, (survey.EXCLUDED,)),
        "relabel": (lists.relabel, (survey.RELABELLED,)),
    }
    for flag, (listed, kinds) in outcomes.items():
        if listed and not any(surveyed.listed[kind] for kind in kinds):
            other = surveyed.listed[survey.OTHER_LABEL] if flag == "relabel" else 0
            found = f"{other:,} have other labels than it gives" if other else "none is there"
            raise errors.UserError(
                f"--{flag}={listed.path} must name rows of this release by the file names of its "
                f"records: of {len(listed.entries):,} rows, the first "
                f"{listed.entries[0].filename:.80}, {found}; give the list that was made of this "
                "data"
            )


def count_lines_without_row(lists: RowLists, *, surveyed: survey.Survey) -> None:
    """Add to a survey's `listed` how many lines of each list name no usable row, where any do.

    A line about all splits names a row if one of them has it.
    """
    for flag, listed in lists.by_flag().items():
        if absent := len(listed.entries) - surveyed.lines[flag]:
            surveyed.listed[survey.WITHOUT_ROW.format(flag=flag)] = absent


def apply(
    lists: RowLists, entries: np.ndarray, *, fetch: deduplicate.Fetch, seed: int
) -> tuple[survey.Survey, np.ndarray]:
    """Return a survey that corrects the counts for the lists, and the entries that stay.

    A row whose label is not the `given` one of the list of --relabel is left as it is, and counted.

    Args:
      lists: of the build.
      entries: row_index.ENTRY[N], without repeated rows.
      fetch: gets the rows of some.
      seed: of the keys.
    """
    corrections = survey.Survey()
    stays = np.ones(len(entries), bool)
    entries = entries.copy()
    keys = np.unique(np.array(_keys(lists, seed=seed), np.uint64))
    positions = np.flatnonzero(np.isin(entries["key"], keys))
    excluded, relabelled = _by_split(lists.exclude), _by_split(lists.relabel)
    rows = fetch(entries[positions]) if len(positions) else []
    named: dict[str, set[label_list.Entry]] = {flag: set() for flag in lists.by_flag()}
    for position, row in zip(positions.tolist(), rows, strict=True):
        if entry := excluded[row.split].get(row.filename):
            named["exclude"].add(entry)
            corrections.exclude(row)
            stays[position] = False
        elif entry := relabelled[row.split].get(row.filename):
            named["relabel"].add(entry)
            if entry.given != row.label:
                corrections.listed[survey.OTHER_LABEL] += 1
            else:
                corrections.relabel(row, label=entry.suggested)
                entries["label"][position] = entry.suggested
    # Rows of one name are in one bucket, so that a line about all splits is counted once.
    corrections.lines.update({flag: len(lines) for flag, lines in named.items() if lines})
    return corrections, entries[stays]


def _keys(lists: RowLists, *, seed: int) -> list[int]:
    listed = lists.by_flag().values()
    return [stable_hash.key(entry.filename, seed) for each in listed for entry in each.entries]


def _by_split(
    listed: label_list.LabelList | None,
) -> Mapping[str, Mapping[str, label_list.Entry]]:
    return {split: listed.of_split(split) if listed else {} for split in row_index.SPLITS}


def _check_splits(listed: label_list.LabelList) -> None:
    """Refuse a list with a misspelt split, whose lines would be about nothing."""
    for number, entry in listed.numbered():
        if entry.split not in (label_list.ALL_SPLITS, *row_index.SPLITS):
            raise errors.UserError(
                f"cannot read {listed.path} as a list of labels: row {number:,}: split must be one "
                f"of {', '.join(row_index.SPLITS)}, or empty for all: got {entry.split!r:.60}"
            )


def _check_apart(lists: RowLists) -> None:
    """Refuse lists that both name an image: one leaves out what the other gives a label."""
    excluded = _by_split(lists.exclude)
    for split, entries in _by_split(lists.relabel).items():
        for name in entries:
            if name in excluded[split]:
                raise errors.UserError(
                    f"--exclude and --relabel both name {name:.80} of {split}: remove it from one "
                    "of the two lists"
                )
