"""Card metadata: the front matter of a model card, which Hugging Face's Hub reads.

Owns the keys, which are those of huggingface_hub's ModelCardData, and what of a run they say. That
package was rejected as a dependency of exports: it is only a YAML mapping, and a test reads it with
the package.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from affectnet_tfds import dataset_paths

_LIBRARIES = {"keras": "keras", "savedmodel": "tf", "onnx": "onnx", "tflite": "tflite"}
"""Format of an export to the Hub's name of the library that loads it."""

_SHARED = {"license": "apache-2.0"}
_DATA_TERMS = {"license": "other", "license_name": "terms-of-the-training-data"}

_METRICS = (
    ("accuracy", "Accuracy", ("accuracy",)),
    ("balanced_accuracy", "Balanced accuracy", ("balanced_accuracy",)),
    ("f1", "Macro F1", ("macro", "f1")),
    ("m_measure", "M measure (Hand & Till 2001)", ("m_measure",)),
)
"""Type and name on the Hub, and the keys in metrics.json."""


def text(
    *,
    name: str,
    format: str,
    data: Sequence[str],
    is_drawn: bool,
    metrics: Mapping[str, Any] | None,
) -> str:
    """Return the front matter, with the lines that begin and end it.

    Args:
      name: of the model.
      format: of the export.
      data: names of the versions that it was trained on.
      is_drawn: whether all of them are drawn faces, which may be redistributed.
      metrics: content of its metrics.json; None if it was not evaluated.
    """
    fields: dict[str, Any] = {
        **(_SHARED if is_drawn else _DATA_TERMS),
        "library_name": _LIBRARIES[format],
        "pipeline_tag": "image-classification",
        "tags": [
            "facial-expression-recognition",
            "affectnet-faces",
            *(["drawn-faces"] if is_drawn else []),
        ],
    }
    if metrics is not None:
        results = _results(metrics, data=data[0])
        fields |= {
            "metrics": [each["type"] for each in results["metrics"]],
            "model-index": [{"name": name, "results": [results]}],
        }
    return f"---\n{yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)}---"


def _results(metrics: Mapping[str, Any], *, data: str) -> dict[str, Any]:
    """Return the numbers of an evaluation; those that are undefined are left out."""
    protocol = metrics["protocol"]
    # "affectnet_faces/affectnet8/1.0.0, fingerprint …", in a protocol of ours.
    evaluated_on = protocol.get("data", data).split(",")[0].split(" ")[0]
    return {
        "task": {"type": "image-classification", "name": "Facial expression recognition"},
        "dataset": {
            "name": evaluated_on,
            "type": dataset_paths.DATASET_NAME,
            "split": protocol["split"],
        },
        "metrics": [
            {"type": kind, "value": round(value, 6), "name": title}
            for kind, title, keys in _METRICS
            if (value := _value(metrics, keys)) is not None
        ],
    }


def _value(metrics: Mapping[str, Any], keys: Sequence[str]) -> float | None:
    value: Any = metrics
    for key in keys:
        value = value[key]
    return None if value is None else float(value)
