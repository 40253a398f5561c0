"""Group section: gaps between groups and every group's numbers, on the page and as printed lines.

Owns the texts; the numbers are evaluation.groups'.
"""

import math
from collections.abc import Iterator

import webpage.page
from trainer.evaluation import intervals
from trainer.evaluation.groups import gaps, group_results
from webpage import markup, numbers

_NOTE = (
    "Groups of fewer than {least} images are shown without numbers, and nothing is compared with "
    "them. A gap is that of the two groups furthest apart, with the 95 % interval that holds for "
    "all pairs at once (bootstrap of the images). Of the same classes: as if each group had the "
    "classes of all groups together, since a group of easy expressions is not a group that is "
    "served better. p: permutation test within the classes, adjusted for all rows (Holm); groups "
    "are said to differ below {level:g}. Such a difference says nothing about its cause, and none "
    "found is no proof that there is none: see how wide the intervals are."
)
_NONE = "No two groups of an attribute have enough images to be compared."


def lines(found: group_results.GroupResults) -> Iterator[str]:
    """Yield the lines to print: the largest gap by each attribute, and by intersections.

    Intersections without one are counted: of many attributes there would be a screenful.
    """
    few = f"fewer than two groups of {found.least_images} images: nothing is compared"
    too_fine = 0
    for division in found.divisions:
        if not division.measured:
            if group_results.JOINED in division.name:
                too_fine += 1
            elif division.groups:
                yield f"groups        {division.name}: {few}"
            else:
                yield f"groups        {division.name}: not known of any image"
            continue
        gap = division.measured.of_adjusted
        best, worst = division.gap_groups(gap)
        low, high = gap.interval
        verdict = "differ" if division.differs else "no difference shown"
        yield (
            f"groups        {division.name}: {verdict}, largest gap of the same classes "
            f"{numbers.number(gap.difference)} ({low:.3f} to {high:.3f}; {best.name} above "
            f"{worst.name}), p {_p(division.adjusted_p)}"
        )
    if too_fine:
        yield f"groups        {too_fine} of the intersections: {few}"


def content(found: group_results.GroupResults) -> list[markup.Content]:
    """Return the section of the page."""
    compared = [division for division in found.divisions if division.measured]
    note = _NOTE.format(least=found.least_images, level=group_results.LEVEL)
    heads = ["by", "largest gap in accuracy", "largest gap of the same classes", "groups", "p"]
    rows = [_summary(division) for division in compared]
    summary = webpage.page.table(heads, rows, texts=3) if rows else markup.element("p", _NONE)
    return [
        *[
            markup.element("p", _verdict(division), class_="warning")
            for division in compared
            if division.differs
        ],
        summary,
        webpage.page.note(note),
        [_division(division) for division in found.divisions],
    ]


def _verdict(division: group_results.Division) -> str:
    assert division.measured
    gap = division.measured.of_adjusted
    best, worst = division.gap_groups(gap)
    low, high = gap.interval
    return (
        f"By {division.name}, accuracy differs: of the same classes, {best.name} is "
        f"{100 * gap.difference:.1f} points above {worst.name} (95 %: {100 * low:.1f} to "
        f"{100 * high:.1f})."
    )


def _summary(division: group_results.Division) -> list[str]:
    assert division.measured
    return [
        division.name,
        _gap(division, division.measured.accuracy),
        _gap(division, division.measured.of_adjusted),
        f"{len(division.compared)} of {len(division.groups)}",
        _p(division.adjusted_p),
    ]


def _gap(division: group_results.Division, gap: gaps.Gap) -> str:
    best, worst = division.gap_groups(gap)
    low, high = gap.interval
    difference = f"{numbers.number(gap.difference)} ({low:.3f} to {high:.3f})"
    return f"{difference}: {best.name} above {worst.name}"


def _division(division: group_results.Division) -> markup.Markup:
    heads = [
        division.name,
        "images",
        "accuracy",
        "95 %",
        "of the same classes",
        "balanced accuracy",
        "macro F1",
        "M",
        "ECE",
        "NLL",
    ]
    rows = [_row(group) for group in division.groups]
    if division.unknown:
        rows.append(["not known", f"{division.unknown:,}", *[""] * (len(heads) - 2)])
    is_open = division.differs or group_results.JOINED not in division.name
    table = webpage.page.table(heads, rows)
    if is_open:
        return markup.element("div", markup.element("h3", f"By {division.name}"), table)
    return webpage.page.more(f"By {division.name}", table)


def _row(group: group_results.Group) -> list[str]:
    counted = [group.name, f"{group.num_images:,}"]
    found = group.evaluated
    if not found:
        return [*counted, "too few", *[""] * 7]
    scores = found.classification
    adjusted = math.nan if group.adjusted_accuracy is None else group.adjusted_accuracy
    return [
        *counted,
        numbers.number(scores.accuracy),
        _interval(found.intervals["accuracy"]),
        *map(
            numbers.number,
            (
                adjusted,
                scores.balanced_accuracy,
                scores.macro.f1,
                scores.m_measure,
                found.calibrated.ece,
                found.calibrated.nll,
            ),
        ),
    ]


def _interval(ends: intervals.Interval) -> str:
    return "-" if math.isnan(ends.low) else f"{ends.low:.3f} to {ends.high:.3f}"


def _p(p: float | None) -> str:
    if p is None:
        return "-"
    return "below 0.001" if p < 0.001 else f"{p:.3f}"
