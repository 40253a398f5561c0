"""Sections of the evaluation page on classes, mistakes, calibration, valence and arousal.

Owns their texts; the charts are chart_sections'.
"""

import math
from collections.abc import Sequence

import webpage.page
from trainer.evaluation import calibration as calibration_lib
from trainer.evaluation import ccc, metrics, predictions, results
from trainer.reports import chart_sections, figures, thumbnails
from webpage import markup, numbers

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


def interval(evaluation: results.EvaluationResults, name: str) -> str:
    """Return the 95 % interval of a headline metric in words."""
    low, high = evaluation.intervals[name]
    return "no interval" if math.isnan(low) else f"95 %: {low:.3f} to {high:.3f}"


def classes(classification: metrics.ClassificationMetrics) -> markup.Markup:
    """Show the scores of each class, and their averages."""
    by_name = [
        *zip(classification.class_names, classification.per_class, strict=True),
        ("macro", classification.macro),
        ("weighted", classification.weighted),
    ]
    rows = [_scores(name, scores) for name, scores in by_name]
    return webpage.page.table(["class", "precision", "recall", "F1", "examples"], rows)


def _scores(name: str, scores: metrics.Scores) -> list[str]:
    values = (scores.precision, scores.recall, scores.f1)
    return [name, *map(numbers.number, values), f"{scores.support:,}"]


def mistakes(
    preds: predictions.Predictions, thumbnails_by_index: thumbnails.Thumbnails
) -> list[markup.Content]:
    """Show the most confident mistakes."""
    indices = thumbnails.mistakes(preds).tolist()
    if not indices:
        return [markup.element("p", "None: every example was predicted correctly.")]
    note = "Truth → prediction and its probability. Often it is the label that is wrong."
    gallery = thumbnails.gallery(preds, indices, thumbnails=thumbnails_by_index)
    return [webpage.page.note(note), gallery]


def roc(preds: predictions.Predictions) -> list[markup.Content]:
    """Show the ROC curve of each class."""
    drawn = chart_sections.roc(preds)
    if not drawn:
        text = "No curve: each needs examples of its class and of another."
        return [markup.element("p", text)]
    return [webpage.page.grid(drawn, kind="small")]


def calibration(evaluation: results.EvaluationResults) -> list[markup.Content]:
    """Show calibration, as predicted and at the fitted temperature."""
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


def _calibration_numbers(measured: calibration_lib.Calibration) -> list[str]:
    return [numbers.number(value) for value in (measured.ece, measured.nll, measured.brier)]


def seven(classification: metrics.ClassificationMetrics) -> list[markup.Content]:
    """Show the numbers on 7 classes."""
    examples = f"{classification.num_examples:,} examples"
    pairs = f"{classification.m_pairs_used} of {classification.m_pairs_possible} pairs"
    note = (
        "The same model on the first 7 classes: examples of the others are left out, and so are "
        "their probabilities; the rest is scaled to sum to one."
    )
    tiles = [
        ("accuracy", numbers.number(classification.accuracy), examples),
        ("balanced accuracy", numbers.number(classification.balanced_accuracy), ""),
        ("macro F1", numbers.number(classification.macro.f1), ""),
        ("M measure", numbers.number(classification.m_measure), pairs),
    ]
    return [webpage.page.tiles(tiles), webpage.page.note(note)]


def affect(
    evaluation: results.EvaluationResults, preds: predictions.Predictions
) -> list[markup.Content]:
    """Show the numbers of valence and arousal, and what was predicted for what."""
    columns = ["", "CCC", "its interval", "Pearson", "RMSE", "sign agreement", "examples"]
    rows = [
        _affect_row(name, each, interval=interval(evaluation, f"{name}_ccc"))
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
    cells = map(numbers.number, values)
    return [name, numbers.number(each.ccc), interval, *cells, f"{each.num_examples:,}"]


def learning_curves(history: figures.History) -> list[markup.Content]:
    """Show loss and accuracy by epoch."""
    drawn = chart_sections.learning_curves(history)
    if not drawn:
        return [markup.element("p", "No history was recorded.")]
    return [webpage.page.grid(drawn)]
