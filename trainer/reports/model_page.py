"""Evaluation page: report.html, the numbers of a run with the images behind them.

Owns the sections and their texts; the charts are chart_sections', the matrix confusion_section's.
"""

import math
from collections.abc import Mapping, Sequence

import webpage.page
from trainer.evaluation import calibration, ccc, metrics, predictions, results
from trainer.evaluation.groups import group_results
from trainer.reports import (
    chart_sections,
    confusion_section,
    figures,
    group_section,
    tables,
    thumbnails,
)
from webpage import markup

FILE = "report.html"

_HEADLINES = (
    ("accuracy", "accuracy"),
    ("balanced accuracy", "balanced_accuracy"),
    ("top-2 accuracy", "top2_accuracy"),
    ("macro F1", "macro_f1"),
    ("M measure", "m_measure"),
)
"""Title of each tile, and the metric's name in intervals.classification."""

_DRAWN_WARNING = "Drawn faces, not AffectNet: smoke test only."
_CALIBRATION_NOTE = (
    "ECE: expected calibration error of the highest probability, 15 bins of equal width (Guo et "
    "al. 2017). "
)
_TEMPERATURE_NOTE = (
    "The temperature named is fitted on this whole split, by negative log-likelihood; it is "
    "evaluated on each half of the images with the temperature fitted on the other half. "
)
_NLL_NOTE = (
    "NLL: mean negative log-likelihood, in nats. Brier: mean squared error over all classes (0 to "
    "2)."
)


def render(
    evaluation: results.EvaluationResults,
    *,
    preds: predictions.Predictions,
    thumbnails_by_index: thumbnails.Thumbnails,
    history: figures.History,
    protocol: Mapping[str, str],
    groups: group_results.GroupResults | None = None,
) -> str:
    """Return the page's HTML.

    Args:
      evaluation: the numbers.
      preds: the predictions that they describe.
      thumbnails_by_index: images of the examples that `thumbnails.wanted` names; examples that
        are missing here are shown without one.
      history: see files.write.
      protocol: what the numbers were measured on.
      groups: the numbers by group, where examples have attributes.
    """
    section = webpage.page.Section
    confusion = confusion_section.section(
        preds,
        confusion=evaluation.classification.confusion,
        thumbnails_by_index=thumbnails_by_index,
    )
    sections = [
        section("confusion", "Confusion matrix", confusion),
        section("classes", "Classes", _classes(evaluation.classification)),
        section("mistakes", "Most confident mistakes", _mistakes(preds, thumbnails_by_index)),
        section("roc", "One class against the rest (ROC)", _roc(preds)),
        section("calibration", "Calibration", _calibration(evaluation)),
    ]
    if evaluation.seven:
        sections.append(section("seven", "On 7 classes", _seven(evaluation.seven)))
    if evaluation.affect:
        sections.append(section("affect", "Valence and arousal", _affect(evaluation, preds)))
    if groups:
        sections.append(section("groups", "By group", group_section.content(groups)))
    sections.append(section("curves", "Learning curves", _learning_curves(history)))
    model = protocol.get("model", "a model")
    title = f"Evaluation report: {model} on {protocol.get('split', 'a split')}"
    return webpage.page.page(title, lead=_lead(evaluation, protocol), sections=sections)


def _lead(
    evaluation: results.EvaluationResults, protocol: Mapping[str, str]
) -> list[markup.Content]:
    classification = evaluation.classification
    warnings = [line for line in tables.gaps(classification) if line]
    if "drawn faces" in " ".join(protocol.values()):
        warnings.insert(0, _DRAWN_WARNING)
    note = (
        f"{classification.num_examples:,} examples. M over {classification.m_pairs_used} of "
        f"{classification.m_pairs_possible} class pairs (Hand & Till 2001). Intervals: 95 %, by "
        "the jackknife over the images."
    )
    return [
        [markup.element("p", line, class_="warning") for line in warnings],
        webpage.page.tiles(_headline_tiles(evaluation)),
        webpage.page.note(note),
        webpage.page.facts(protocol),
    ]


def _headline_tiles(evaluation: results.EvaluationResults) -> list[tuple[str, str, str]]:
    classification = evaluation.classification
    values = {
        "accuracy": classification.accuracy,
        "balanced_accuracy": classification.balanced_accuracy,
        "top2_accuracy": classification.top2_accuracy,
        "macro_f1": classification.macro.f1,
        "m_measure": classification.m_measure,
    }
    return [
        (title, tables.number(values[name]), _interval(evaluation, name))
        for title, name in _HEADLINES
    ]


def _interval(evaluation: results.EvaluationResults, name: str) -> str:
    low, high = evaluation.intervals[name]
    return "no interval" if math.isnan(low) else f"95 %: {low:.3f} to {high:.3f}"


def _classes(classification: metrics.ClassificationMetrics) -> markup.Markup:
    by_name = [
        *zip(classification.class_names, classification.per_class, strict=True),
        ("macro", classification.macro),
        ("weighted", classification.weighted),
    ]
    rows = [_scores(name, scores) for name, scores in by_name]
    return webpage.page.table(["class", "precision", "recall", "F1", "examples"], rows)


def _scores(name: str, scores: metrics.Scores) -> list[str]:
    values = (scores.precision, scores.recall, scores.f1)
    return [name, *map(tables.number, values), f"{scores.support:,}"]


def _mistakes(
    preds: predictions.Predictions, thumbnails_by_index: thumbnails.Thumbnails
) -> list[markup.Content]:
    indices = thumbnails.mistakes(preds).tolist()
    if not indices:
        return [markup.element("p", "None: every example was predicted correctly.")]
    note = "Truth → prediction and its probability. Often it is the label that is wrong."
    gallery = thumbnails.gallery(preds, indices, thumbnails=thumbnails_by_index)
    return [webpage.page.note(note), gallery]


def _roc(preds: predictions.Predictions) -> list[markup.Content]:
    drawn = chart_sections.roc(preds)
    if not drawn:
        text = "No curve: each needs examples of its class and of another."
        return [markup.element("p", text)]
    return [webpage.page.grid(drawn, kind="small")]


def _calibration(evaluation: results.EvaluationResults) -> list[markup.Content]:
    by_title = {"as predicted": evaluation.calibrated}
    note = _CALIBRATION_NOTE
    if evaluation.scaling:
        title = f"at temperature {evaluation.scaling.temperature:.3f}"
        by_title[title] = evaluation.scaling.after
        note += _TEMPERATURE_NOTE
    rows = [[title, *_calibration_numbers(each)] for title, each in by_title.items()]
    drawn = [chart_sections.reliability(title, each) for title, each in by_title.items()]
    return [
        webpage.page.table(["", "ECE", "NLL", "Brier"], rows),
        webpage.page.note(note + _NLL_NOTE),
        webpage.page.grid([*drawn, chart_sections.confidence(evaluation.calibrated)]),
    ]


def _calibration_numbers(measured: calibration.Calibration) -> list[str]:
    return [tables.number(value) for value in (measured.ece, measured.nll, measured.brier)]


def _seven(classification: metrics.ClassificationMetrics) -> list[markup.Content]:
    examples = f"{classification.num_examples:,} examples"
    pairs = f"{classification.m_pairs_used} of {classification.m_pairs_possible} pairs"
    note = (
        "The same model on the first 7 classes: examples of the others are left out, and so are "
        "their probabilities; the rest is scaled to sum to one."
    )
    tiles = [
        ("accuracy", tables.number(classification.accuracy), examples),
        ("balanced accuracy", tables.number(classification.balanced_accuracy), ""),
        ("macro F1", tables.number(classification.macro.f1), ""),
        ("M measure", tables.number(classification.m_measure), pairs),
    ]
    return [webpage.page.tiles(tiles), webpage.page.note(note)]


def _affect(
    evaluation: results.EvaluationResults, preds: predictions.Predictions
) -> list[markup.Content]:
    columns = ["", "CCC", "its interval", "Pearson", "RMSE", "sign agreement", "examples"]
    rows = [
        _affect_row(name, each, interval=_interval(evaluation, f"{name}_ccc"))
        for name, each in evaluation.affect.items()
    ]
    drawn = [chart_sections.affect(name, *pair) for name, pair in preds.affect.items()]
    note = (
        "CCC: concordance (Lin 1989). Sign agreement: share of equal signs. Examples without a "
        "value are left out."
    )
    return [
        webpage.page.table(columns, rows),
        webpage.page.note(note),
        webpage.page.grid(drawn),
    ]


def _affect_row(name: str, each: ccc.AffectMetrics, *, interval: str) -> Sequence[str]:
    values = (each.pearson, each.rmse, each.sign_agreement)
    numbers = map(tables.number, values)
    return [name, tables.number(each.ccc), interval, *numbers, f"{each.num_examples:,}"]


def _learning_curves(history: figures.History) -> list[markup.Content]:
    drawn = chart_sections.learning_curves(history)
    if not drawn:
        return [markup.element("p", "No history was recorded.")]
    return [webpage.page.grid(drawn)]
