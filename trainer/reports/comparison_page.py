"""Runs side by side: a table to print, and a page."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import webpage.page
from trainer.evaluation import paired_comparison
from trainer.reports import tables
from webpage import colours, markup

_NUMBERS = (
    ("accuracy", ("accuracy",)),
    ("balanced accuracy", ("balanced_accuracy",)),
    ("top-2 accuracy", ("top2_accuracy",)),
    ("macro F1", ("macro", "f1")),
    ("M measure", ("m_measure",)),
    ("ECE", ("calibration", "ece")),
    ("NLL", ("calibration", "nll")),
)
_BARS = (("accuracy", "accuracy"), ("macro F1", "macro_f1"), ("M measure", "m_measure"))


def table(
    runs: "Sequence[paired_comparison.Run]", pairs: "Sequence[paired_comparison.Pair]"
) -> str:
    """Lay the comparison out as plain text: a column a run, then a row a pair."""
    width = max(18, *(len(run.name) for run in runs))
    lines = [" " * 18 + "".join(f"  {run.name:>{width}}" for run in runs)]
    lines += [
        f"{said:<18}" + "".join(f"  {_value(run, keys):>{width}}" for run in runs)
        for said, keys in _NUMBERS
    ]
    return "\n".join([*lines, "", *(_sentence(runs, pair) for pair in pairs), *_doubts(runs)])


def render(
    runs: "Sequence[paired_comparison.Run]", pairs: "Sequence[paired_comparison.Pair]"
) -> str:
    """Return the page."""
    section = webpage.page.Section
    return webpage.page.page(
        f"Comparison of {len(runs)} runs",
        lead=[
            webpage.page.note(f"Judged on the same {len(runs[0].made.labels):,} examples."),
            _differing_data(runs),
        ],
        sections=[
            section("numbers", "Side by side", _numbers(runs)),
            section("tests", "Do they differ?", _tests(runs, pairs)),
            section("classes", "F1 of each class", _classes(runs)),
            section("protocols", "Protocols", [_protocol(run) for run in runs]),
        ],
    )


def _numbers(runs: "Sequence[paired_comparison.Run]") -> list[markup.Content]:
    heads = ["", *(run.name for run in runs)]
    rows = [[said, *(_value(run, keys) for run in runs)] for said, keys in _NUMBERS]
    drawn = [_bars(said, name, runs) for said, name in _BARS]
    return [
        webpage.page.table(heads, rows),
        webpage.page.note("Bars: the number and its 95 % interval."),
        drawn,
    ]


def _bars(said: str, name: str, runs: "Sequence[paired_comparison.Run]") -> list[markup.Markup]:
    rows = []
    for k, run in enumerate(runs):
        low, high = run.metrics.get("intervals_95", {}).get(name) or (None, None)
        value = run.metrics["macro"]["f1"] if name == "macro_f1" else run.metrics[name]
        around = f" ({low:.3f} to {high:.3f})" if low is not None else ""
        rows.append(
            (
                run.name,
                [webpage.page.Bar(value or 0, f"{_text(value)}{around}", colours.SERIES[k % 6])],
            )
        )
    return [
        markup.element("h3", said),
        markup.element("div", webpage.page.bars(rows), class_="wide"),
    ]


def _tests(
    runs: "Sequence[paired_comparison.Run]", pairs: "Sequence[paired_comparison.Pair]"
) -> list[markup.Content]:
    heads = [
        "first",
        "second",
        "difference",
        "only first right",
        "only second right",
        "exact p",
        "mid-p",
        "Holm",
    ]
    rows = [
        [
            runs[pair.first].name,
            runs[pair.second].name,
            f"{pair.difference:+.3f}",
            f"{pair.result.only_first:,}",
            f"{pair.result.only_second:,}",
            *map(_p, (pair.result.exact_p, pair.result.mid_p, pair.adjusted_p)),
        ]
        for pair in pairs
    ]
    return [
        [markup.element("p", _sentence(runs, pair)) for pair in pairs],
        webpage.page.table(heads, rows, texts=2),
        webpage.page.note(
            "McNemar's test on the examples that only one of the two has right: how probable so uneven a division is "
            "if neither is better. Read the mid-p value (Fagerland et al. 2013); Holm is that value adjusted for the "
            "number of pairs. It says nothing about another training with another seed."
        ),
    ]


def _classes(runs: "Sequence[paired_comparison.Run]") -> markup.Markup:
    names = runs[0].made.class_names
    by_run = [{row["name"]: row["f1"] for row in run.metrics["per_class"]} for run in runs]
    rows = [[name, *(_text(scores.get(name)) for scores in by_run)] for name in names]
    return webpage.page.table(["class", *(run.name for run in runs)], rows)


def _protocol(run: "paired_comparison.Run") -> list[markup.Markup]:
    return [markup.element("h3", run.name), webpage.page.facts(run.metrics.get("protocol", {}))]


def _differing_data(runs: "Sequence[paired_comparison.Run]") -> markup.Markup | None:
    doubts = _doubts(runs)
    return markup.element("p", " ".join(doubts), class_="warning") if doubts else None


def _doubts(runs: "Sequence[paired_comparison.Run]") -> list[str]:
    data = {run.metrics.get("protocol", {}).get("data") for run in runs}
    said = "The same pictures with the same labels, but from different builds: their crops may differ. See the protocols."
    return [said] if len(data) > 1 else []


def _sentence(runs: "Sequence[paired_comparison.Run]", pair: "paired_comparison.Pair") -> str:
    first, second = runs[pair.first].name, runs[pair.second].name
    if pair.result.only_first == pair.result.only_second:
        return f"{first} and {second} have equally many examples right"
    better, worse = (first, second) if pair.difference > 0 else (second, first)
    sure = "a difference" if pair.adjusted_p < 0.05 else "chance can explain that"
    several = ", adjusted for several pairs" if len(runs) > 2 else ""
    return (
        f"{better} is more accurate than {worse} by {100 * abs(pair.difference):.1f} points: {sure} "
        f"(McNemar mid-p = {_p(pair.adjusted_p)}{several})"
    )


def _value(run: "paired_comparison.Run", keys: Sequence[str]) -> str:
    value: Any = run.metrics
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return _text(value)


def _text(value: float | None) -> str:
    return tables.number(math.nan if value is None else value)


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1g}"
