"""How many of each class: read, kept, written, and in each shard."""

from collections.abc import Mapping, Sequence
from typing import Any

import webpage.page
from pipeline.data_report import build_files
from webpage import charts, colours, markup, scales

MOST_SHARDS_DRAWN = 48

_FATES = ("read", "written", "left_out", "other_class", "dropped", "rejected", "examples")

_BEFORE, _AFTER = colours.ORANGE, colours.BLUE


def classes(made: build_files.Material) -> list[markup.Content]:
    """Show rows and examples of each class, by split, then the whole account."""
    lines: Sequence[Mapping[str, Any]] = made.account["ledger"]["classes"]
    by_split = {split: [line for line in lines if line["split"] == split] for split in made.splits}
    drawn = [_split_bars(made, split, group) for split, group in by_split.items()]
    return [
        charts.legend(
            [("rows in the annotations", _BEFORE, ""), ("examples in the data set", _AFTER, "")]
        ),
        webpage.page.grid(drawn),
        webpage.page.note(
            "The account: rows read = written + left out by balancing + of other classes + dropped + rejected. "
            "Examples count the copies that balancing makes; odd ones are mirrored."
        ),
        [_account(split, group) for split, group in by_split.items()],
    ]


def shards(made: build_files.Material) -> list[markup.Content]:
    """Show what is in each shard, by class, and how far shards differ."""
    by_split = {
        split: [
            shard
            for shard in made.account["shards"]
            if build_files.split_of(shard["name"]) == split
        ]
        for split in made.splits
    }
    drawn = [_stacks(split, group, made.class_names) for split, group in by_split.items()]
    names = [(name, colours.SERIES[label], "") for label, name in enumerate(made.class_names)]
    rows = [
        row for split, group in by_split.items() for row in _spread(split, group, class_names=made.class_names)
    ]  # fmt: skip
    return [
        webpage.page.note(
            "Each shard is a fair sample of its split: counts of a class differ by at most one between shards, apart "
            "from pictures that were found to be unusable while they were written."
        ),
        webpage.page.grid(drawn),
        charts.legend(names),
        webpage.page.more(
            "Fewest and most of each class in a shard",
            webpage.page.table(["split", "class", "shards", "fewest", "most"], rows, texts=2),
        ),
    ]


def _split_bars(
    made: build_files.Material, split: str, lines: Sequence[Mapping[str, Any]]
) -> markup.Markup:
    shown = [line for line in lines if 0 <= line["label"] < len(made.class_names)]
    longest = max((max(line["read"], line["examples"]) for line in shown), default=0) or 1
    rows = [
        (
            line["name"],
            [
                webpage.page.Bar(line["read"] / longest, f"{line['read']:,} rows", _BEFORE),
                webpage.page.Bar(
                    line["examples"] / longest, f"{line['examples']:,} examples", _AFTER
                ),
            ],
        )
        for line in shown
    ]
    return charts.figure(webpage.page.bars(rows), title=split)


def _account(split: str, lines: Sequence[Mapping[str, Any]]) -> markup.Markup:
    """Lay out what became of the rows; a fate that no row met has no column."""
    met = [key for key in _FATES if key in ("read", "examples") or any(line[key] for line in lines)]
    rows = [[line["name"], *(f"{line[key]:,}" for key in met)] for line in lines]
    total = ["all", *(f"{sum(line[key] for line in lines):,}" for key in met)]
    heads = ["class", *(key.replace("_", " ") for key in met)]
    return webpage.page.table(
        heads, [*rows, total], caption=f"{split}, in rows; the last column in examples"
    )


def _stacks(
    split: str, group: Sequence[Mapping[str, Any]], class_names: Sequence[str]
) -> markup.Markup:
    """Draw a column a shard, its classes one over the other."""
    drawn = evenly(group, most=MOST_SHARDS_DRAWN)
    top = scales.ceiling(max(shard["num_examples"] for shard in drawn))
    every = -(-len(drawn) // 8)
    frame = charts.Frame(
        x_label="shard",
        y_label="examples",
        x_range=(0, len(drawn)),
        y_range=(0, top),
        x_ticks=[
            (i + 0.5, _number(shard["name"])) for i, shard in enumerate(drawn) if i % every == 0
        ],
    )
    marks = []
    for i, shard in enumerate(drawn):
        low = 0
        for label in range(len(class_names)):
            count = shard["label_counts"].get(str(label), 0)
            marks.append(
                frame.bar(i + 0.06, i + 0.94, low, low + count, fill=colours.SERIES[label])
            )
            low += count
    title = f"{split}: {len(group):,} shard{'s' * (len(group) > 1)}" + (
        f", {len(drawn)} of them drawn" if len(drawn) < len(group) else ""
    )
    alt = f"Examples of each class in each shard of {split}"
    return charts.figure(frame.draw(marks, alt=alt), title=title)


def _spread(
    split: str, group: Sequence[Mapping[str, Any]], *, class_names: Sequence[str]
) -> list[list[str]]:
    def row(name: str, found: Sequence[int]) -> list[str]:
        return [split, name, f"{len(found):,}", f"{min(found):,}", f"{max(found):,}"]

    by_class = [
        [shard["label_counts"].get(str(label), 0) for shard in group]
        for label in range(len(class_names))
    ]
    rows = [
        row(name, found) for name, found in zip(class_names, by_class, strict=True) if any(found)
    ]
    return [*rows, row("all", [shard["num_examples"] for shard in group])]


def evenly(items: Sequence[Any], *, most: int) -> list[Any]:
    """Return at most so many items, from all over the list, in order."""
    if len(items) <= most:
        return list(items)
    return [items[i * len(items) // most] for i in range(most)]


def _number(name: str) -> str:
    return str(int(name.rsplit("-", 3)[1]))
