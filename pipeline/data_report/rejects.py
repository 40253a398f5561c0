"""Problems of the input: rejected and dropped rows by reason, and identical files."""

import collections
from collections.abc import Mapping, Sequence

import webpage.page
from affectnet_tfds import labels
from pipeline.data_report import build_files
from webpage import markup

EXAMPLES = 5
"""Number of rows named for each reason."""

GROUPS = 20
"""Number of groups of identical files named for each kind."""

_MOST_CHARACTERS = 300

_KINDS = {
    "across_splits": (
        "In train and in another split",
        "A model would be evaluated on images it was trained on. "
        "--drop_duplicates removes them from train.",
    ),
    "across_subsets": (
        "In the manual and in the automatic subset",
        "One image with two annotations.",
    ),
    "within_split": (
        "More than once in a split",
        "The same file under several names, perhaps with several labels.",
    ),
}


def rejects(built: build_files.BuildFiles) -> list[markup.Content]:
    """Show the numbers of rejected and dropped rows by reason, with the first few of each."""
    by_reason: dict[str, list[Mapping[str, str]]] = collections.defaultdict(list)
    for row in built.rejects:
        by_reason[row["reason"]].append(row)
    worst = sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0]))
    if not worst:
        none = markup.element("p", "No row was rejected: every row could be used.")
        return [none, _dropped(built)]
    return [
        [_reason(reason, rows) for reason, rows in worst],
        webpage.page.note("rejects.csv has all of them."),
        _dropped(built),
    ]


def identical(built: build_files.BuildFiles) -> list[markup.Content]:
    """Show groups of files with the same content, by kind."""
    groups: Mapping[str, Sequence[Sequence[str]]] = built.account["identical_files"]
    shown = [kind(*_KINDS[kind_of], groups[kind_of]) for kind_of in _KINDS if groups[kind_of]]
    return [
        shown or markup.element("p", "No two images of the data set are the same file."),
        webpage.page.note(
            "Images are compared by the content of their files while shards are written; rows left "
            "out by balancing are not opened for it. build_report.json names all groups."
        ),
    ]


def _reason(reason: str, rows: Sequence[Mapping[str, str]]) -> markup.Markup:
    by_class = collections.Counter((row["split"], _class_name(row["expression"])) for row in rows)
    where = ", ".join(
        f"{split} {name} {count:,}" for (split, name), count in sorted(by_class.items())
    )
    listed = [
        markup.element(
            "li",
            markup.name_of_file(_cut(row["file"])),
            " ",
            webpage.page.note(f"{row['row']}: {_cut(row['detail'])}"),
        )
        for row in rows[:EXAMPLES]
    ]
    return _first_of(rows, listed, title=reason, meaning=where)


def _dropped(built: build_files.BuildFiles) -> markup.Content:
    rows = [
        [d["split"], _class_name(str(d["label"])), d["reason"], f"{d['rows']:,}"]
        for d in built.account["dropped"]
    ]
    if not rows:
        return None
    caption = "Rows that the flags of this build leave out"
    return webpage.page.table(["split", "class", "reason", "rows"], rows, texts=3, caption=caption)


def kind(title: str, meaning: str, groups: Sequence[Sequence[str]]) -> markup.Markup:
    """Show groups of files under a heading."""
    listed = [
        markup.element(
            "li", [[markup.name_of_file(_cut(name)), markup.element("br")] for name in group]
        )
        for group in groups[:GROUPS]
    ]
    return _first_of(groups, listed, title=title, meaning=meaning)


def _first_of(
    items: Sequence[object], listed: Sequence[markup.Markup], *, title: str, meaning: str
) -> markup.Markup:
    """Show the number of items and the first of them."""
    rest = len(items) - len(listed)
    return markup.element(
        "div",
        markup.element("h3", f"{title}: {len(items):,}"),
        webpage.page.note(meaning),
        markup.element("ul", listed),
        webpage.page.note(f"… and {rest:,} more") if rest else None,
        class_="reason",
    )


def _class_name(label: str) -> str:
    if int(label) < 0:
        return "bad label"
    return labels.EXPRESSIONS[int(label)]


def _cut(text: str) -> str:
    if len(text) <= _MOST_CHARACTERS:
        return text
    return f"{text[:_MOST_CHARACTERS]}…"
