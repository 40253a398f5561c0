"""The evaluation report: report.html beside a run's numbers, with the pictures that the numbers are
about."""

import math
from collections.abc import Mapping, Sequence

import webpage.page
from trainer.evaluation import calibration, ccc, metrics, predictions, results
from trainer.reports import chart_sections, confusion_section, tables, thumbnails
from webpage import markup

FILE = "report.html"

_HEADLINES = (
    ("accuracy", "accuracy"),
    ("balanced accuracy", "balanced_accuracy"),
    ("top-2 accuracy", "top2_accuracy"),
    ("macro F1", "macro_f1"),
    ("M measure", "m_measure"),
)


def render(
    found: results.EvaluationResults,
    *,
    made: predictions.Predictions,
    shown: thumbnails.Thumbnails,
    history: Sequence[Mapping[str, float]],
    protocol: Mapping[str, str],
) -> str:
    """Return the report's HTML.

    Args:
      found: the numbers.
      made: the predictions they are of.
      shown: pictures of the examples that `thumbnails.wanted` names; others are shown without.
      history: a mapping an epoch; see report.write.
      protocol: what the numbers were measured on.
    """
    section = webpage.page.Section
    sections = [
        section("confusion", "Confusion matrix", confusion_section.section(made, shown=shown)),
        section("classes", "Classes", _classes(found.judgement)),
        section("mistakes", "Most confident mistakes", _mistakes(made, shown)),
        section("roc", "One class against the rest (ROC)", _roc(made)),
        section("calibration", "Calibration", _calibration(found)),
    ]
    if found.seven:
        sections.append(section("seven", "On 7 classes", _seven(found.seven)))
    if found.affect:
        sections.append(section("affect", "Valence and arousal", _affect(found, made)))
    sections.append(section("curves", "Learning curves", _learning(history)))
    title = f"Evaluation report: {protocol.get('model', 'a model')} on {protocol.get('split', 'a split')}"
    return webpage.page.page(title, lead=_lead(found, protocol), sections=sections)


def _lead(found: results.EvaluationResults, protocol: Mapping[str, str]) -> list[markup.Content]:
    judgement = found.judgement
    values = {name: getattr(judgement, name, math.nan) for _, name in _HEADLINES} | {
        "macro_f1": judgement.macro.f1
    }
    tiles = [
        (said, tables.number(values[name]), _interval(found, name)) for said, name in _HEADLINES
    ]
    gaps = [markup.element("p", line, class_="warning") for line in tables.gaps(judgement) if line]
    drawn = "drawn faces" in " ".join(protocol.values())
    return [
        markup.element(
            "p", "Drawn faces, not AffectNet: the program works, no more.", class_="warning"
        )
        if drawn
        else None,
        webpage.page.tiles(tiles),
        webpage.page.note(
            f"{judgement.num_examples:,} examples. M over {judgement.m_pairs_used} of {judgement.m_pairs_possible} "
            "class pairs (Hand & Till 2001). Intervals: 95 %, from 1,000 bootstrap resamples of the pictures."
        ),
        gaps,
        webpage.page.facts(protocol),
    ]


def _interval(found: results.EvaluationResults, name: str) -> str:
    low, high = found.intervals[name]
    return "no interval" if math.isnan(low) else f"95 %: {low:.3f} to {high:.3f}"


def _classes(judgement: metrics.ClassificationMetrics) -> markup.Markup:
    named = [*zip(judgement.class_names, judgement.per_class, strict=True)]
    rows = [
        _scores(name, scores)
        for name, scores in [*named, ("macro", judgement.macro), ("weighted", judgement.weighted)]
    ]
    return webpage.page.table(["class", "precision", "recall", "F1", "examples"], rows)


def _scores(name: str, scores: metrics.Scores) -> list[str]:
    return [
        name,
        *(tables.number(n) for n in (scores.precision, scores.recall, scores.f1)),
        f"{scores.support:,}",
    ]


def _mistakes(made: predictions.Predictions, shown: thumbnails.Thumbnails) -> list[markup.Content]:
    numbers = thumbnails.mistakes(made).tolist()
    if not numbers:
        return [markup.element("p", "There is none: every example was predicted right.")]
    return [
        webpage.page.note(
            "Truth → prediction and its probability. Often it is the label that is wrong."
        ),
        thumbnails.pictures(made, numbers, thumbnails=shown),
    ]


def _roc(made: predictions.Predictions) -> list[markup.Content]:
    drawn = chart_sections.roc(made)
    if not drawn:
        return [
            markup.element(
                "p", "A curve needs examples of the class and of others: there are none."
            )
        ]
    return [webpage.page.grid(drawn, kind="small")]


def _calibration(found: results.EvaluationResults) -> list[markup.Content]:
    before, scaling = found.calibrated, found.scaling
    heads = ["", "ECE", "NLL", "Brier"]
    rows = [["as the model says", *_three(before)]]
    drawn = [chart_sections.reliability("as the model says", before)]
    note = "ECE: expected calibration error of the highest probability, 15 bins of equal width (Guo et al. 2017). "
    if scaling:
        rows.append([f"at temperature {scaling.temperature:.3f}", *_three(scaling.after)])
        drawn.append(
            chart_sections.reliability(f"at temperature {scaling.temperature:.3f}", scaling.after)
        )
        note += (
            "The temperature named is fitted on this whole split, by negative log-likelihood; it is judged on each "
            "half of the pictures with the temperature fitted on the other half. "
        )
    note += "NLL: mean negative log-likelihood, in nats. Brier: mean squared error over all classes (0 to 2)."
    charts = webpage.page.grid([*drawn, chart_sections.confidence(before)])
    return [webpage.page.table(heads, rows), webpage.page.note(note), charts]


def _three(measured: calibration.Calibration) -> list[str]:
    return [tables.number(value) for value in (measured.ece, measured.nll, measured.brier)]


def _seven(judgement: metrics.ClassificationMetrics) -> list[markup.Content]:
    tiles = [
        ("accuracy", tables.number(judgement.accuracy), f"{judgement.num_examples:,} examples"),
        ("balanced accuracy", tables.number(judgement.balanced_accuracy), ""),
        ("macro F1", tables.number(judgement.macro.f1), ""),
        (
            "M measure",
            tables.number(judgement.m_measure),
            f"{judgement.m_pairs_used} of {judgement.m_pairs_possible} pairs",
        ),
    ]
    return [
        webpage.page.tiles(tiles),
        webpage.page.note(
            "The same model on the first 7 classes: examples of the others are left out, and so are their "
            "probabilities; the rest is scaled to sum to one."
        ),
    ]


def _affect(
    found: results.EvaluationResults, made: predictions.Predictions
) -> list[markup.Content]:
    heads = ["", "CCC", "Pearson", "RMSE", "sign agreement", "examples"]
    rows = [_agreement(name, each) for name, each in found.affect.items()]
    drawn = [
        chart_sections.affect(name, truth, said) for name, (truth, said) in made.affect.items()
    ]
    note = "CCC: concordance (Lin 1989). Sign agreement: share of equal signs. Examples without a value are left out."
    return [webpage.page.table(heads, rows), webpage.page.note(note), webpage.page.grid(drawn)]


def _agreement(name: str, each: ccc.AffectMetrics) -> list[str]:
    values = (each.ccc, each.pearson, each.rmse, each.sign_agreement)
    return [name, *map(tables.number, values), f"{each.num_examples:,}"]


def _learning(history: Sequence[Mapping[str, float]]) -> list[markup.Content]:
    drawn = chart_sections.learning(history)
    return [webpage.page.grid(drawn) if drawn else markup.element("p", "No history was recorded.")]
