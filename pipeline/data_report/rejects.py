"""What is wrong with the input: rejected and dropped rows by reason with examples, and identical
files."""

import collections
from collections.abc import Mapping, Sequence

import webpage.page
from affectnet_tfds import labels
from pipeline.data_report import build_files
from webpage import markup

EXAMPLES = 5
"""So many rows are named of each reason."""

GROUPS = 20
"""So many groups of identical files are named of each kind."""

_MOST_CHARACTERS = 300

_KINDS = {
    "across_splits": (
        "In train and in another split",
        "A model is judged on pictures it was trained on. --drop_duplicates removes them from train.",
    ),
    "across_subsets": (
        "In the manual and in the automatic subset",
        "One picture with two annotations.",
    ),
    "within_split": (
        "More than once in a split",
        "The same file under several names, perhaps with several labels.",
    ),
}


def rejects(made: build_files.Material) -> list[markup.Content]:
    """Show how many rows were rejected or dropped for which reason, with the first few of each."""
    by_reason: dict[str, list[Mapping[str, str]]] = collections.defaultdict(list)
    for row in made.rejects:
        by_reason[row["reason"]].append(row)
    worst = sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0]))
    return [
        [_reason(reason, rows) for reason, rows in worst]
        or markup.element("p", "No row was rejected: every picture could be used."),
        webpage.page.note("rejects.csv has them all.") if worst else None,
        _dropped(made),
    ]


def identical(made: build_files.Material) -> list[markup.Content]:
    """Show files with the same content, by what that means."""
    groups: Mapping[str, Sequence[Sequence[str]]] = made.account["identical_files"]
    shown = [_kind(*_KINDS[kind], groups[kind]) for kind in _KINDS if groups[kind]]
    return [
        shown or markup.element("p", "No two pictures of the data set are the same file."),
        webpage.page.note(
            "Pictures are compared by the content of their files while they are written; rows that balancing left out "
            "were not opened for it. build_report.json names all."
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


def _dropped(made: build_files.Material) -> markup.Content:
    rows = [
        [d["split"], _class_name(str(d["label"])), d["reason"], f"{d['rows']:,}"]
        for d in made.account["dropped"]
    ]
    if not rows:
        return None
    caption = "Rows that the flags of this build leave out"
    return webpage.page.table(["split", "class", "reason", "rows"], rows, texts=3, caption=caption)


def _kind(title: str, meaning: str, groups: Sequence[Sequence[str]]) -> markup.Markup:
    listed = [
        markup.element(
            "li", [[markup.name_of_file(_cut(name)), markup.element("br")] for name in group]
        )
        for group in groups[:GROUPS]
    ]
    return _first_of(groups, listed, title=title, meaning=meaning)


def _first_of(
    found: Sequence[object], listed: Sequence[markup.Markup], *, title: str, meaning: str
) -> markup.Markup:
    """Show how many were found and the first of them, which are listed."""
    rest = len(found) - len(listed)
    return markup.element(
        "div",
        markup.element("h3", f"{title}: {len(found):,}"),
        webpage.page.note(meaning),
        markup.element("ul", listed),
        webpage.page.note(f"… and {rest:,} more") if rest else None,
        class_="reason",
    )


def _class_name(label: str) -> str:
    return labels.EXPRESSIONS[int(label)] if int(label) >= 0 else "bad label"


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
