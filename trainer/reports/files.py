"""Report files of an evaluation: report.html, metrics.json, predictions.csv and two PNG figures.

Owns their names and how they are written, never a number: those come from evaluation.results and
from the training history.
"""

import json
import pathlib
from collections.abc import Mapping

from runtime import atomic_file
from trainer.evaluation import metrics, predictions, results
from trainer.evaluation.groups import group_results
from trainer.reports import figures

CONTENTS = (
    ("predictions.csv", "probabilities of every example"),
    ("metrics.json", "all numbers of this page"),
    ("confusion_matrix.png", "the confusion matrix as a picture"),
    ("curves.png", "the learning curves as a picture"),
)
"""Files beside the page, and what is in them."""


def write(
    evaluation: results.EvaluationResults,
    *,
    preds: predictions.Predictions,
    page: str,
    folder: pathlib.Path,
    history: figures.History,
    protocol: Mapping[str, str],
    groups: group_results.GroupResults | None = None,
) -> Mapping[str, pathlib.Path]:
    """Write the report into a folder and return the paths by file name.

    Args:
      evaluation: the numbers.
      preds: the predictions that they describe.
      page: report.html, from model_page.render.
      folder: made if missing; files of an earlier report are replaced.
      history: of the training, in order; epochs are counted from 1 where `epoch` is missing.
      protocol: what the numbers were measured on: data set, split, what was selected on what. It
        goes to metrics.json as it is; `split` is named in the confusion matrix as well.
      groups: the numbers by group, where examples have attributes.
    """
    confusion = figures.confusion_figure(evaluation.classification, split=protocol.get("split", ""))
    contents = {
        "report.html": page.encode("utf-8", errors="replace"),
        "metrics.json": to_json(evaluation, protocol=protocol, groups=groups).encode(),
        "predictions.csv": predictions.to_csv(preds).encode("utf-8", errors="replace"),
        "confusion_matrix.png": figures.png(confusion),
        "curves.png": figures.png(figures.curves_figure(history)),
    }
    return {
        name: atomic_file.replace(folder / name, content=content)
        for name, content in contents.items()
    }


def to_json(
    evaluation: metrics.ClassificationMetrics | results.EvaluationResults,
    *,
    protocol: Mapping[str, str],
    groups: group_results.GroupResults | None = None,
) -> str:
    """Return the protocol and the numbers as the text of a JSON file."""
    fields = {"protocol": dict(protocol), **evaluation.to_json()}
    if groups:
        fields["groups"] = groups.to_json()
    return json.dumps(fields, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
