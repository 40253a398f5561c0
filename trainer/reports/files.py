"""The judgement for people: a table to print, and the files to keep: metrics.json, predictions.csv,
pictures, the page.

Owns layout, never a number: those come from findings, and from the history that the loop recorded.
The page itself is `pages`'. Figures are built as objects, which Agg draws: pyplot would keep global
state and could look for a display.
"""

import json
import pathlib
from collections.abc import Mapping, Sequence

from runtime import atomic_file
from trainer.evaluation import metrics, predictions, results
from trainer.reports import figures


def write(
    found: results.EvaluationResults,
    *,
    made: predictions.Predictions,
    page: str,
    folder: pathlib.Path,
    history: Sequence[Mapping[str, float]],
    protocol: Mapping[str, str],
) -> Mapping[str, pathlib.Path]:
    """Write the judgement and its pictures into a folder and return their paths by file name.

    Args: found: the numbers. made: the predictions they are of. page: report.html, made by
      pages.evaluation. folder: made if missing; files of an earlier report are replaced. history: a
      mapping an epoch, in order, with any of loss, accuracy, val_loss, val_accuracy, and epoch
        (counted from 1 where it is missing).
      protocol: what the numbers were measured on: data set, split, what was selected on what. It
        goes to metrics.json as it is; `split` is named in the picture as well.
    """
    files = {
        "report.html": page.encode("utf-8", errors="replace"),
        "metrics.json": to_json(found, protocol=protocol).encode(),
        "predictions.csv": predictions.to_csv(made).encode("utf-8", errors="replace"),
        "confusion_matrix.png": figures.png(
            figures.confusion_figure(found.judgement, split=protocol.get("split", ""))
        ),
        "curves.png": figures.png(figures.curves_figure(history)),
    }
    return {
        name: atomic_file.replace(folder / name, content=content) for name, content in files.items()
    }


def to_json(
    found: metrics.ClassificationMetrics | results.EvaluationResults, *, protocol: Mapping[str, str]
) -> str:
    """Return the protocol and the numbers as the text of a JSON file."""
    fields = {"protocol": dict(protocol), **found.to_json()}
    return json.dumps(fields, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
