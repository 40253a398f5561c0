"""Publication of an evaluation: its numbers, report files, printed lines and event of the log.

Owns the part of an evaluation that does not depend on whose model it was: predictions of a run of
ours and of a model of others become the same report, so that trainer.compare takes both.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import simplejpeg
import tensorflow as tf

from runtime import json_log
from trainer.data import dataset_version, examples
from trainer.evaluation import predictions, results
from trainer.evaluation.groups import group_results, grouping
from trainer.reports import (
    attributes,
    figures,
    group_section,
    model_page,
    tables,
    thumbnails,
)
from trainer.reports import files as files_lib
from trainer.reports.sections import explanation, file_links, model_facts

_JPEG_QUALITY = 80


_NO_LAYERS = (
    "Not available: only the outputs of this model are known, and its layers cannot be looked into."
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class About:
    """What a report says besides the numbers.

    Attributes:
      model: path of the model, or those of an ensemble, for the log.
      protocol: what the numbers were measured on.
      remark: on the model, for the printed line of the main metrics.
      models: one, or those of an ensemble; empty where nothing is known of them.
      history: of the training, an epoch a row; empty where it is not known.
      ms_per_face: milliseconds that the model takes for a face, where that was measured.
      grouped: by which attributes the numbers are divided.
      explain: makes the pictures of what spoke for a class; or why there are none.
    """

    model: str | pathlib.Path
    protocol: Mapping[str, str]
    remark: str
    models: Sequence[model_facts.ModelFacts] = ()
    history: figures.History = ()
    ms_per_face: float | None = None
    grouped: grouping.Grouping = grouping.Grouping()
    explain: explanation.Explain | str = _NO_LAYERS


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluated:
    """An evaluation: its numbers, the predictions that they are of, and the report's files."""

    results: results.EvaluationResults
    predictions: predictions.Predictions
    files: Mapping[str, pathlib.Path]
    """By file name: report.html, metrics.json, predictions.csv and two figures."""
    groups: group_results.GroupResults | None = None
    """The numbers by group, where examples have attributes."""


def publish(
    preds: predictions.Predictions,
    *,
    split: examples.Split,
    version: dataset_version.Version,
    folder: pathlib.Path,
    about: About,
) -> Evaluated:
    """Compute the numbers of predictions, write and print their report.

    Args:
      preds: of the split's examples, in their order.
      split: of the version, or a part of one.
      version: the data.
      folder: of the report.
      about: what the report says besides the numbers.
    """
    evaluation = dataclasses.replace(
        results.evaluate(preds, attributes=attributes.of(split)), ms_per_face=about.ms_per_face
    )
    preds = dataclasses.replace(preds, attributes=about.grouped.attributes_of(split))
    groups = about.grouped.evaluate(preds)
    subject = model_page.Subject(
        protocol=about.protocol,
        models=about.models,
        history=about.history,
        links=_links(version, folder=folder),
    )
    page = model_page.render(
        evaluation,
        preds=preds,
        thumbnails_by_index=stored_thumbnails(
            version, split=split, indices=thumbnails.wanted(preds)
        ),
        subject=subject,
        groups=groups,
        explain=about.explain,
    )
    files = files_lib.write(
        evaluation,
        preds=preds,
        page=page,
        folder=folder,
        history=about.history,
        protocol=about.protocol,
        groups=groups,
    )
    _print(evaluation, split=split.name, remark=about.remark, groups=groups, files=files)
    _write_event(evaluation, split=split.name, data=version.name, about=about, folder=folder)
    return Evaluated(results=evaluation, predictions=preds, files=files, groups=groups)


def protocol_of_data(
    version: dataset_version.Version, *, split: examples.Split, subset: str
) -> dict[str, str]:
    """Return the part of a protocol that says what was evaluated on; `subset` in words, or ""."""
    drawn = " (drawn faces, not AffectNet)" if version.is_drawn else ""
    return {
        "data": f"{version.name}{drawn}, fingerprint {version.fingerprint}",
        "split": split.name,
        **({"subset": subset} if subset else {}),
        "examples": f"{split.num_examples:,}",
    }


def _links(version: dataset_version.Version, *, folder: pathlib.Path) -> list[file_links.FileLink]:
    """Return links from the page to the files beside it and to those of the data."""
    return [
        *file_links.of_report(files_lib.CONTENTS),
        *file_links.of_run(folder),
        *file_links.of_data(version.path, folder=folder),
    ]


def stored_thumbnails(
    version: dataset_version.Version, *, split: examples.Split, indices: np.ndarray
) -> thumbnails.Thumbnails:
    """Return small JPEGs of some examples, from the stored images, not from network inputs."""
    stored = examples.read(version, split=split.name, size_px=thumbnails.SIDE, cache="none")
    pixels = stored.fetch(tf.constant(split.positions[indices])).numpy()
    jpegs = (
        simplejpeg.encode_jpeg(each, quality=_JPEG_QUALITY, colorspace="RGB") for each in pixels
    )
    return dict(zip(indices.tolist(), jpegs, strict=True))


def _print(
    evaluation: results.EvaluationResults,
    *,
    split: str,
    remark: str,
    groups: group_results.GroupResults | None,
    files: Mapping[str, pathlib.Path],
) -> None:
    """Print the table of metrics, a line of the main ones, and the paths of the report."""
    found = evaluation.classification
    print(tables.table(found))
    print(
        f"evaluated     {split} accuracy {found.accuracy:.3f}, macro-F1 {found.macro.f1:.3f}, "
        f"M {found.m_measure:.3f}  ({remark})"
    )
    for name, each in evaluation.affect.items():
        agreement = f"CCC {each.ccc:.3f}, RMSE {each.rmse:.3f}, of {each.num_examples:,} annotated"
        print(f"{name:<13} {agreement if each.num_examples else 'no annotated'} examples")
    for line in group_section.lines(groups) if groups else ():
        print(line)
    print(f"report        {'  '.join(str(path) for path in files.values())}", flush=True)


def _write_event(
    evaluation: results.EvaluationResults,
    *,
    split: str,
    data: str,
    about: About,
    folder: pathlib.Path,
) -> None:
    found = evaluation.classification
    json_log.write(
        "evaluation",
        model_dir=str(about.model),
        data=data,
        split=split,
        examples=found.num_examples,
        accuracy=found.accuracy,
        balanced_accuracy=found.balanced_accuracy,
        macro_f1=found.macro.f1,
        m_measure=found.m_measure,
        report_dir=str(folder),
    )
