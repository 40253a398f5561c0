"""Evaluation page: report.html, the numbers of a run with the images behind them.

Owns which sections there are, and their order.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import webpage.page
from trainer.data import dataset_version
from trainer.evaluation import predictions, results
from trainer.evaluation.groups import group_results
from trainer.reports import (
    confusion_section,
    figures,
    group_section,
    page_sections,
    tables,
    thumbnails,
)
from trainer.reports.sections import (
    explanation,
    file_links,
    frequent_confusions,
    model_facts,
    precision_recall,
    slice_charts,
)
from webpage import markup, numbers

FILE = "report.html"

_Section = webpage.page.Section

_HEADLINES = (
    ("accuracy", "accuracy"),
    ("balanced accuracy", "balanced_accuracy"),
    ("top-2 accuracy", "top2_accuracy"),
    ("macro F1", "macro_f1"),
    ("M measure", "m_measure"),
)
"""Title of each tile, and the metric's name in intervals.classification."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Subject:
    """What a page is about: models, what they were evaluated on, and the files of both.

    Attributes:
      protocol: what the numbers were measured on.
      models: one, or those of an ensemble; empty where nothing is known of them.
      history: of the training, an epoch a row; empty where it is not known.
      links: to files.
    """

    protocol: Mapping[str, str]
    models: Sequence[model_facts.ModelFacts] = ()
    history: figures.History = ()
    links: Sequence[file_links.FileLink] = ()


def render(
    evaluation: results.EvaluationResults,
    *,
    preds: predictions.Predictions,
    thumbnails_by_index: thumbnails.Thumbnails,
    subject: Subject,
    groups: group_results.GroupResults | None = None,
    explain: explanation.Explain | str = "",
) -> str:
    """Return the page's HTML.

    Args:
      evaluation: the numbers.
      preds: the predictions that they describe.
      thumbnails_by_index: images of the examples that `thumbnails.wanted` names; examples that
        are missing here are shown without one.
      subject: what the page is about.
      groups: the numbers by group, where examples have attributes.
      explain: makes the pictures of what spoke for a class; or why there are none; "": no section.
    """
    protocol = subject.protocol
    title = (
        f"Evaluation report: {protocol.get('model', 'a model')} on "
        f"{protocol.get('split', 'a split')}"
    )
    sections = [
        *_about(subject),
        *_of_classes(evaluation, preds=preds, thumbnails_by_index=thumbnails_by_index),
        *_explained(preds, explain=explain),
        *_of_probabilities(evaluation, preds=preds),
        *_of_parts(evaluation, preds=preds),
        *([_Section("groups", "By group", group_section.content(groups))] if groups else []),
        _folded("curves", "Learning curves", page_sections.learning_curves(subject.history)),
    ]
    return webpage.page.page(title, lead=_lead(evaluation, subject), sections=sections)


def _about(subject: Subject) -> list[webpage.page.Section]:
    """Return the sections on the model, and on what it was evaluated on."""
    is_known = any(each.facts for each in subject.models)
    protocol = [webpage.page.facts(subject.protocol), file_links.listed(subject.links)]
    return [
        *([_Section("model", "Model", model_facts.section(subject.models))] if is_known else []),
        _Section("evaluation", "Evaluation", protocol),
    ]


def _of_classes(
    evaluation: results.EvaluationResults,
    *,
    preds: predictions.Predictions,
    thumbnails_by_index: thumbnails.Thumbnails,
) -> list[webpage.page.Section]:
    """Return the sections on classes and on mistakes."""
    classification = evaluation.classification
    matrix = confusion_section.section(
        preds, confusion=classification.confusion, thumbnails_by_index=thumbnails_by_index
    )
    frequent = frequent_confusions.section(
        classification.confusion, names=preds.class_names, anchor=confusion_section.ANCHOR
    )
    return [
        _Section("confusion", "Confusion matrix", matrix),
        _Section("confusions", "Most frequent confusions", frequent),
        _Section("classes", "Classes", page_sections.classes(classification)),
        _Section(
            "mistakes",
            "Most confident mistakes",
            page_sections.mistakes(preds, thumbnails_by_index),
        ),
    ]


def _explained(
    preds: predictions.Predictions, *, explain: explanation.Explain | str
) -> list[webpage.page.Section]:
    """Return the section on what spoke for the mistakes, if there is one."""
    if not explain:
        return []
    content = explanation.section(preds, mistakes=thumbnails.mistakes(preds), explain=explain)
    return [_folded("explained", "What spoke for the mistakes", content)]


def _of_probabilities(
    evaluation: results.EvaluationResults, *, preds: predictions.Predictions
) -> list[webpage.page.Section]:
    """Return the sections on the probabilities and their thresholds."""
    thresholds = precision_recall.section(preds)
    calibration = page_sections.calibration(evaluation)
    return [
        _folded("thresholds", "Precision and recall by threshold", thresholds),
        _folded("roc", "One class against the rest (ROC)", page_sections.roc(preds)),
        _folded("calibration", "Calibration", calibration),
    ]


def _of_parts(
    evaluation: results.EvaluationResults, *, preds: predictions.Predictions
) -> list[webpage.page.Section]:
    """Return the sections on parts of the split and on other outputs, as far as there are any."""
    found = []
    if evaluation.slices:
        found.append(
            _folded("slices", "Parts of the split", slice_charts.section(evaluation.slices))
        )
    if evaluation.seven:
        found.append(_folded("seven", "On 7 classes", page_sections.seven(evaluation.seven)))
    if evaluation.affect:
        affect = page_sections.affect(evaluation, preds)
        found.append(_folded("affect", "Valence and arousal", affect))
    return found


def _folded(anchor: str, title: str, body: markup.Content) -> webpage.page.Section:
    return _Section(anchor, title, body, is_folded=True)


def _lead(evaluation: results.EvaluationResults, subject: Subject) -> list[markup.Content]:
    classification = evaluation.classification
    warnings = [line for line in tables.gaps(classification) if line]
    if "drawn faces" in " ".join(subject.protocol.values()):
        warnings.insert(0, dataset_version.DRAWN_NOTE)
    note = (
        f"{classification.num_examples:,} examples. M over {classification.m_pairs_used} of "
        f"{classification.m_pairs_possible} class pairs (Hand & Till 2001). Intervals: 95 %, by "
        "the jackknife over the images."
    )
    return [
        [markup.element("p", line, class_="warning") for line in warnings],
        model_facts.sentence(subject.models),
        webpage.page.tiles(_headline_tiles(evaluation)),
        webpage.page.note(note),
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
        (title, numbers.number(values[name]), page_sections.interval(evaluation, name))
        for title, name in _HEADLINES
    ]
