"""Page of an audit: the likeliest label errors with their probabilities, copies and neighbours.

Owns which images the page shows and how a doubted label looks on it.
"""

from collections.abc import Mapping

import numpy as np

import webpage.page
from trainer.label_audit import findings as findings_lib
from trainer.reports import thumbnails
from webpage import colours, markup

_SHOWN_CLASSES = 3
_SHOWN_COPIES = 4
_SHOWN_GROUPS = 20
_SMALL = 40
"""Side of a neighbour's picture in pixels."""

_NEIGHBOURS_NOTE = (
    "Below each image are the most similar ones by the features of the network that judged it, of "
    "those that this network was not trained on either, with their labels; and its copies, which "
    "are files with the same content. A label that the network doubts is not always wrong: some "
    "faces are rare, and some show two expressions."
)


def images(found: findings_lib.Findings, *, shown: np.ndarray) -> np.ndarray:
    """Return the images that the page shows: int64[K], ascending."""
    near = [found.neighbours(image) for image in shown.tolist()]
    groups = [group[:_SHOWN_COPIES] for group in found.disagreeing()[:_SHOWN_GROUPS]]
    return np.unique(np.concatenate([shown, *near, *groups]).astype(np.int64))


def render(
    found: findings_lib.Findings,
    *,
    shown: np.ndarray,
    pictures: thumbnails.Thumbnails,
    about: Mapping[str, str],
) -> str:
    """Return the page's HTML.

    Args:
      found: the findings.
      shown: int64[S], the images whose labels are shown as doubtful, in order.
      pictures: JPEG files of `images`.
      about: how the audit was made.
    """
    section = webpage.page.Section
    return webpage.page.page(
        "Label audit of the training split",
        lead=[
            webpage.page.tiles(_tiles(found)),
            webpage.page.facts(about),
        ],
        sections=[
            section("errors", "Likeliest label errors", _errors(found, shown, pictures)),
            section("classes", "Classes", _classes(found)),
            section("pairs", "Labels and what they should be", _pairs(found)),
            section("copies", "Copies with different labels", _disagreeing(found, pictures)),
        ],
    )


def _tiles(found: findings_lib.Findings) -> list[tuple[str, str, str]]:
    count = int(found.found.is_error.sum())
    return [
        ("images", f"{len(found.labels):,}", "judged, each once"),
        ("probably wrong", f"{count:,}", f"{count / len(found.labels):.1%} of the labels"),
        ("accuracy", f"{found.accuracy:.3f}", "out of fold, on the labels as they are"),
        ("copies", f"{len(found.disagreeing()):,}", "groups with several labels"),
    ]


def _errors(
    found: findings_lib.Findings, shown: np.ndarray, pictures: thumbnails.Thumbnails
) -> list[markup.Content]:
    if not len(shown):
        return [webpage.page.note("No label is probably wrong by this rule.")]
    cards = [
        _card(found, image, number=number, pictures=pictures)
        for number, image in enumerate(shown.tolist(), start=1)
    ]
    count = int(found.found.is_error.sum())
    note = f"{len(shown):,} of {count:,}, the likeliest first; suspects.csv has all."
    return [
        webpage.page.note(note),
        webpage.page.note(_NEIGHBOURS_NOTE),
        webpage.page.grid(cards, kind="specimens suspects"),
    ]


def _card(
    found: findings_lib.Findings, image: int, *, number: int, pictures: thumbnails.Thumbnails
) -> markup.Markup:
    names = found.class_names
    label, suggested = names[found.labels[image]], names[found.found.suggested[image]]
    name = str(found.filenames[image])
    return markup.element(
        "figure",
        markup.element("figcaption", f"{number}. {label} → {suggested}"),
        markup.element(
            "div",
            _picture(found, image, pictures, side=thumbnails.SIDE),
            webpage.page.bars(_bars(found, image)),
            class_="specimen",
        ),
        markup.element(
            "div",
            [_small(found, other, pictures) for other in found.neighbours(image).tolist()],
            class_="neighbours",
        ),
        _copies(found, image),
        markup.name_of_file(name),
        title=name,
    )


def _bars(
    found: findings_lib.Findings, image: int
) -> list[tuple[markup.Content, list[webpage.page.Bar]]]:
    """Return the label's probability and those of the likeliest other classes."""
    probs = found.probabilities[image]
    label = int(found.labels[image])
    others = [code for code in np.argsort(-probs, kind="stable").tolist() if code != label]
    return [
        (
            found.class_names[code],
            [
                webpage.page.Bar(
                    float(probs[code]),
                    f"{probs[code]:.0%}",
                    colours.VERMILION if code == label else colours.BLUE,
                )
            ],
        )
        for code in [label, *others[: _SHOWN_CLASSES - 1]]
    ]


def _picture(
    found: findings_lib.Findings, image: int, pictures: thumbnails.Thumbnails, *, side: int
) -> markup.Markup:
    alt = f"image labelled {found.class_names[found.labels[image]]}"
    return markup.image(pictures[image], alt=alt, width=side, height=side)


def _small(
    found: findings_lib.Findings, image: int, pictures: thumbnails.Thumbnails
) -> markup.Markup:
    return markup.element(
        "span",
        _picture(found, image, pictures, side=_SMALL),
        markup.element("small", found.class_names[found.labels[image]]),
        title=str(found.filenames[image]),
    )


def _copies(found: findings_lib.Findings, image: int) -> markup.Content:
    copies = found.copies(image)
    if not len(copies):
        return None
    listed = ", ".join(
        f"{found.filenames[other]} ({found.class_names[found.labels[other]]})"
        for other in copies[:_SHOWN_COPIES].tolist()
    )
    more = len(copies) - _SHOWN_COPIES
    return webpage.page.note(f"copies: {listed}{f' and {more} more' if more > 0 else ''}")


def _classes(found: findings_lib.Findings) -> markup.Markup:
    is_error = found.found.is_error
    rows = []
    for label, name in enumerate(found.class_names):
        here = found.labels == label
        count, errors = int(here.sum()), int(is_error[here].sum())
        gained = int((is_error & (found.found.suggested == label)).sum())
        share = f"{errors / count:.1%}" if count else ""
        rows.append([name, f"{count:,}", f"{errors:,}", share, f"{gained:,}"])
    heads = ["class", "images", "probably wrong", "share", "probably of this class elsewhere"]
    return webpage.page.table(heads, rows)


def _pairs(found: findings_lib.Findings) -> list[markup.Content]:
    size = len(found.class_names)
    counts = np.zeros((size, size), np.int64)
    wrong = np.flatnonzero(found.found.is_error)
    np.add.at(counts, (found.labels[wrong], found.found.suggested[wrong]), 1)
    rows = [
        [name, *(f"{count:,}" if count else "" for count in counts[label].tolist())]
        for label, name in enumerate(found.class_names)
    ]
    return [
        webpage.page.note("A row a label as given, a column the class that is suggested."),
        webpage.page.table(["", *found.class_names], rows),
    ]


def _disagreeing(
    found: findings_lib.Findings, pictures: thumbnails.Thumbnails
) -> list[markup.Content]:
    groups = found.disagreeing()
    if not groups:
        return [webpage.page.note("Copies of an image have the same label everywhere.")]
    cards = [_group(found, group.tolist(), pictures) for group in groups[:_SHOWN_GROUPS]]
    note = f"{len(groups):,} groups; at least one label of each is wrong. {len(cards)} are shown."
    return [webpage.page.note(note), webpage.page.grid(cards, kind="specimens suspects")]


def _group(
    found: findings_lib.Findings, group: list[int], pictures: thumbnails.Thumbnails
) -> markup.Markup:
    shown = [_small(found, image, pictures) for image in group[:_SHOWN_COPIES]]
    names = [markup.name_of_file(str(found.filenames[image])) for image in group[:_SHOWN_COPIES]]
    return markup.element("figure", markup.element("div", shown, class_="neighbours"), names)
