"""Class counts: rows read, kept and written of each class, and examples of each in each shard."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import webpage.page
from affectnet_tfds import dataset_paths
from pipeline.data_report import build_files
from webpage import charts, colours, markup, scales

MOST_SHARDS_DRAWN = 48

_OUTCOMES = ("read", "written", "left_out", "other_class", "dropped", "rejected", "examples")

_BEFORE, _AFTER = colours.ORANGE, colours.BLUE


def classes(built: build_files.BuildFiles) -> list[markup.Content]:
    """Show rows and examples of each class, by split, then the full ledger."""
    lines: Sequence[Mapping[str, Any]] = built.account["ledger"]["classes"]
    by_split = {split: [line for line in lines if line["split"] == split] for split in built.splits}
    drawn = [_split_bars(built, split, group) for split, group in by_split.items()]
    return [
        charts.legend(
            [("rows in the annotations", _BEFORE, ""), ("examples in the data set", _AFTER, "")]
        ),
        webpage.page.grid(drawn),
        webpage.page.note(
            "Ledger: rows read = written + left out by balancing + of other classes + dropped + "
            "rejected. Examples include the copies made by balancing; odd copies are mirrored."
        ),
        [_ledger(split, group) for split, group in by_split.items()],
    ]


def shards(built: build_files.BuildFiles) -> list[markup.Content]:
    """Show the examples of each class in each shard, and how far shards differ."""
    by_split = {
        split: [
            shard
            for shard in built.account["shards"]
            if dataset_paths.parse_shard_name(shard["name"]).split == split
        ]
        for split in built.splits
    }
    drawn = [_stacks(split, group, built.class_names) for split, group in by_split.items()]
    names = [(name, colours.SERIES[label], "") for label, name in enumerate(built.class_names)]
    rows = [
        row
        for split, group in by_split.items()
        for row in _spread(split, group, class_names=built.class_names)
    ]
    return [
        webpage.page.note(
            "Each shard is a fair sample of its split: counts of a class differ by at most one "
            "between shards, apart from images that proved unusable while shards were written."
        ),
        webpage.page.grid(drawn),
        charts.legend(names),
        webpage.page.more(
            "Fewest and most of each class in a shard",
            webpage.page.table(["split", "class", "shards", "fewest", "most"], rows, texts=2),
        ),
    ]


def _split_bars(
    built: build_files.BuildFiles, split: str, lines: Sequence[Mapping[str, Any]]
) -> markup.Markup:
    shown = [line for line in lines if 0 <= line["label"] < len(built.class_names)]
    counts = [line[key] for line in shown for key in ("read", "examples")]
    is_log = scales.needs_log(counts)
    length: Callable[[float], float] = scales.log_length if is_log else float
    longest = max(map(length, counts), default=0) or 1
    rows = [
        (
            line["name"],
            [
                _bar(line["read"], "row", fraction=length(line["read"]) / longest),
                _bar(line["examples"], "example", fraction=length(line["examples"]) / longest),
            ],
        )
        for line in shown
    ]
    title = f"{split} (lengths on a logarithmic scale)" if is_log else split
    return charts.figure(webpage.page.bars(rows), title=title)


def _bar(count: int, what: str, *, fraction: float) -> webpage.page.Bar:
    colour = _BEFORE if what == "row" else _AFTER
    return webpage.page.Bar(fraction, f"{count:,} {what}{'s' * (count != 1)}", colour)


def _ledger(split: str, lines: Sequence[Mapping[str, Any]]) -> markup.Markup:
    """Return the ledger of a split; outcomes without a row have no column."""
    used = [
        key for key in _OUTCOMES if key in ("read", "examples") or any(line[key] for line in lines)
    ]
    rows = [[line["name"], *(f"{line[key]:,}" for key in used)] for line in lines]
    total = ["all", *(f"{sum(line[key] for line in lines):,}" for key in used)]
    heads = ["class", *(key.replace("_", " ") for key in used)]
    return webpage.page.table(
        heads, [*rows, total], caption=f"{split}, in rows; the last column in examples"
    )


def _stacks(
    split: str, group: Sequence[Mapping[str, Any]], class_names: Sequence[str]
) -> markup.Markup:
    """Draw a column a shard, its classes one on top of the other."""
    drawn = evenly(group, most=MOST_SHARDS_DRAWN)
    labels = range(len(class_names))
    title = f"{split}: {len(group):,} shard{'s' * (len(group) > 1)}"
    if len(drawn) < len(group):
        title += f", {len(drawn)} of them drawn"
    return charts.stacked_columns(
        [_number(shard["name"]) for shard in drawn],
        [[shard["label_counts"].get(str(label), 0) for label in labels] for shard in drawn],
        fills=[colours.SERIES[label] for label in labels],
        x_label="shard",
        y_label="examples",
        alt=f"Examples of each class in each shard of {split}",
        title=title,
    )


def _spread(
    split: str, group: Sequence[Mapping[str, Any]], *, class_names: Sequence[str]
) -> list[list[str]]:
    def row(name: str, counts: Sequence[int]) -> list[str]:
        return [split, name, f"{len(counts):,}", f"{min(counts):,}", f"{max(counts):,}"]

    by_class = [
        [shard["label_counts"].get(str(label), 0) for shard in group]
        for label in range(len(class_names))
    ]
    rows = [
        row(name, counts) for name, counts in zip(class_names, by_class, strict=True) if any(counts)
    ]
    return [*rows, row("all", [shard["num_examples"] for shard in group])]


def evenly(items: Sequence[Any], *, most: int) -> list[Any]:
    """Return at most so many items, evenly spaced over the list, in order."""
    if len(items) <= most:
        return list(items)
    return [items[i * len(items) // most] for i in range(most)]


def _number(name: str) -> str:
    return str(int(name.rsplit("-", 3)[1]))
