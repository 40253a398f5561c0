"""Comparison of evaluated runs: a table to print, and comparison.html.

Owns which numbers are shown side by side and the sentence about each pair's difference.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import webpage.page
from trainer.comparison import (
    curves_section,
    disagreements,
    disagreements_section,
    example_images,
    settings_section,
    training_record,
)
from trainer.evaluation import paired_comparison
from webpage import colours, markup, numbers

_NUMBERS = (
    ("accuracy", ("accuracy",)),
    ("balanced accuracy", ("balanced_accuracy",)),
    ("top-2 accuracy", ("top2_accuracy",)),
    ("macro F1", ("macro", "f1")),
    ("M measure", ("m_measure",)),
    ("ECE", ("calibration", "ece")),
    ("NLL", ("calibration", "nll")),
    ("ms a face", ("ms_per_face",)),
)
"""Title of each number, and its keys in metrics.json."""

_BARS = (("accuracy", "accuracy"), ("macro F1", "macro_f1"), ("M measure", "m_measure"))
"""Title of each bar chart, and the name of its interval in metrics.json."""

_SIGNIFICANCE_LEVEL = 0.05
_TEST_NOTE = (
    "McNemar's test on the examples that only one of the two has correct: how probable so uneven a "
    "division is if both are equally accurate. Read the mid-p value (Fagerland et al. 2013); Holm "
    "is that value adjusted for the number of pairs. The test does not cover the variation between "
    "trainings with different seeds."
)
_DIFFERENT_BUILDS = (
    "The same images with the same labels, but from different builds: their crops may differ. See "
    "the protocols."
)

Runs = Sequence[paired_comparison.Run]
Pairs = Sequence[paired_comparison.Pair]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Background:
    """What is known of the runs besides their evaluations."""

    records: Sequence[training_record.TrainingRecord]
    images: example_images.Images


def background(runs: Runs, *, folders: Sequence[str], data_dir: str | None) -> Background:
    """Read settings, histories and the images on which the runs disagree.

    Args:
      runs: of the folders.
      folders: as they were given.
      data_dir: folder of the data set; None: where the runs had it.

    Raises:
      errors.UserError: if a file of a run is damaged, or `data_dir` lacks the data.
    """
    records = training_record.load(folders)
    groups = disagreements.groups(paired_comparison.aligned(runs))
    rows = [row for group in groups[: disagreements.MOST_GROUPS] for row in group.shown.tolist()]
    known = [record.data_dir for record in records if record.data_dir]
    found = example_images.read(
        runs[0],
        rows=rows,
        data_dirs=[data_dir] if data_dir else [*known, None],
        is_named=bool(data_dir),
    )
    return Background(records=records, images=found)


def table(runs: Runs, pairs: Pairs) -> str:
    """Return the comparison as text: a column a run, then a sentence a pair."""
    width = max(18, *(len(run.name) for run in runs))
    lines = [" " * 18 + "".join(f"  {run.name:>{width}}" for run in runs)]
    for title, keys in _measured(runs):
        cells = (f"  {_value(run, keys):>{width}}" for run in runs)
        lines.append(f"{title:<18}{''.join(cells)}")
    sentences = [_sentence(runs, pair) for pair in pairs]
    return "\n".join([*lines, "", *sentences, *_warnings(runs)])


def render(runs: Runs, pairs: Pairs, *, about: Background) -> str:
    """Return the page's HTML."""
    section = webpage.page.Section
    names = [run.name for run in runs]
    disagreeing = disagreements_section.section(
        names,
        paired_comparison.aligned(runs),
        images=about.images.by_row,
        missing=about.images.missing,
    )
    note = f"Evaluated on the same {len(runs[0].preds.labels):,} examples."
    warnings = [markup.element("p", text, class_="warning") for text in _warnings(runs)]
    return webpage.page.page(
        f"Comparison of {len(runs)} runs",
        lead=[webpage.page.note(note), warnings],
        sections=[
            section("numbers", "Side by side", _numbers(runs)),
            section("tests", "Significance", _tests(runs, pairs)),
            section("classes", "F1 of each class", _classes(runs)),
            section(
                "settings", "Settings that differ", settings_section.section(names, about.records)
            ),
            section("curves", "Learning curves", curves_section.section(names, about.records)),
            section("disagreements", "Images on which the runs disagree", disagreeing),
            section("protocols", "Protocols", [_protocol(run) for run in runs]),
        ],
    )


def _measured(runs: Runs) -> list[tuple[str, tuple[str, ...]]]:
    """Return the numbers to show: the time of a face only where it was measured of some model."""
    return [
        (title, keys)
        for title, keys in _NUMBERS
        if keys != ("ms_per_face",) or any("ms_per_face" in run.metrics for run in runs)
    ]


def _numbers(runs: Runs) -> list[markup.Content]:
    columns = ["", *(run.name for run in runs)]
    rows = [[title, *(_value(run, keys) for run in runs)] for title, keys in _measured(runs)]
    return [
        webpage.page.table(columns, rows),
        webpage.page.note("Bars: the number and its 95 % interval."),
        [_bars(title, name, runs) for title, name in _BARS],
    ]


def _bars(title: str, name: str, runs: Runs) -> list[markup.Markup]:
    rows = [
        (run.name, [_bar(run, name=name, colour=colours.SERIES[k % 6])])
        for k, run in enumerate(runs)
    ]
    bars = webpage.page.bars(rows)
    return [markup.element("h3", title), markup.element("div", bars, class_="wide")]


def _bar(run: paired_comparison.Run, *, name: str, colour: str) -> webpage.page.Bar:
    value = run.metrics["macro"]["f1"] if name == "macro_f1" else run.metrics[name]
    label = _text(value)
    # Reports of earlier versions have no intervals, and an undefined interval is null.
    low, high = run.metrics.get("intervals_95", {}).get(name) or (None, None)
    if low is not None:
        label += f" ({low:.3f} to {high:.3f})"
    return webpage.page.Bar(value or 0, label, colour)


def _tests(runs: Runs, pairs: Pairs) -> list[markup.Content]:
    columns = [
        "first",
        "second",
        "difference",
        "only first correct",
        "only second correct",
        "exact p",
        "mid-p",
        "Holm",
    ]
    return [
        [markup.element("p", _sentence(runs, pair)) for pair in pairs],
        webpage.page.table(columns, [_test_row(runs, pair) for pair in pairs], texts=2),
        webpage.page.note(_TEST_NOTE),
    ]


def _test_row(runs: Runs, pair: paired_comparison.Pair) -> list[str]:
    p_values = (pair.result.exact_p, pair.result.mid_p, pair.adjusted_p)
    return [
        runs[pair.first].name,
        runs[pair.second].name,
        f"{pair.difference:+.3f}",
        f"{pair.result.only_first:,}",
        f"{pair.result.only_second:,}",
        *map(_p, p_values),
    ]


def _classes(runs: Runs) -> markup.Markup:
    by_run = [{row["name"]: row["f1"] for row in run.metrics["per_class"]} for run in runs]
    rows = [[name, *(_text(f1.get(name)) for f1 in by_run)] for name in runs[0].preds.class_names]
    return webpage.page.table(["class", *(run.name for run in runs)], rows)


def _protocol(run: paired_comparison.Run) -> list[markup.Markup]:
    return [markup.element("h3", run.name), webpage.page.facts(run.metrics.get("protocol", {}))]


def _warnings(runs: Runs) -> list[str]:
    data = {run.metrics.get("protocol", {}).get("data") for run in runs}
    return [_DIFFERENT_BUILDS] if len(data) > 1 else []


def _sentence(runs: Runs, pair: paired_comparison.Pair) -> str:
    better, worse = runs[pair.first].name, runs[pair.second].name
    if pair.result.only_first == pair.result.only_second:
        return f"{better} and {worse} are equally accurate"
    if pair.difference < 0:
        better, worse = worse, better
    is_significant = pair.adjusted_p < _SIGNIFICANCE_LEVEL
    verdict = "significant difference" if is_significant else "no significant difference"
    adjusted = ", adjusted for several pairs" if len(runs) > 2 else ""
    return (
        f"{better} is more accurate than {worse} by {100 * abs(pair.difference):.1f} points: "
        f"{verdict} (McNemar mid-p = {_p(pair.adjusted_p)}{adjusted})"
    )


def _value(run: paired_comparison.Run, keys: Sequence[str]) -> str:
    value: Any = run.metrics
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return _text(value)


def _text(value: float | None) -> str:
    return numbers.number(math.nan if value is None else value)


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1g}"
