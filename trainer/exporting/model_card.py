"""Model card of an export (Mitchell et al. 2019, "Model Cards for Model Reporting").

Owns its text, below the front matter of card_metadata. Every number comes from the run's own files:
nothing is measured or estimated here.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from affectnet_tfds import features
from trainer.data import exact_resize
from trainer.exporting import card_metadata, parity_check
from trainer.models import build
from trainer.run import ensemble, trained_run

_DRAWN = """\
> **Trained on drawn faces, not on AffectNet or any photograph.** For smoke tests only: it says
> nothing about people, so do not use it on them.
"""

_PARTLY_DRAWN = """\
> **Partly trained on drawn faces:** so are those of its runs below whose data are called drawn. For
> smoke tests only: what these add says nothing about people.
"""

_LICENCE = (
    "A model holds no image, but is trained on them: read your own licence before you redistribute "
    "one."
)

_UNKNOWN_LICENCE = "not recorded; ask whom they are from."

_DRAWN_LICENCE = (
    "Drawn faces are the project's own, and models trained on them may be redistributed under its "
    "licence (Apache-2.0). This does not hold for models trained on photographs."
)

_LIMITS = """\
- It predicts the expression that annotators would name in an image, not what a person feels. Faces
  do not show that reliably (Barrett et al. 2019, Psychological Science in the Public Interest
  20(1)).
{of_data}- People, ages and situations are not represented evenly in its training data{by_group}.
- It expects one face, cropped as the pipeline crops it. `python -m trainer.predict` does that;
  other margins cost accuracy.
- Not for decisions about people: hiring, policing, credit, insurance, medicine. In the European
  Union, emotion recognition at work and in education is prohibited but for medical and safety
  reasons (Regulation (EU) 2024/1689, Article 5(1)(f)).
"""

_AFFECTNET_LIMITS = """\
- Each of AffectNet's labels is one annotator's: on 36,000 images labelled twice, the two agreed on
  60.7 % (Mollahosseini et al. 2019). No classifier should be trusted beyond that.
- Its images were found by searching the web for words of emotion.
"""

_USE = {
    "keras": """\
import keras
import numpy as np
import trainer.serving  # Of this project: registers the layers of the model.

model = keras.saving.load_model("model.keras")
crops = np.zeros((1, {side}, {side}, 3), np.uint8)
print(model.get_layer("probabilities").class_names, model(crops)["probabilities"].numpy())""",
    "savedmodel": """\
import numpy as np
import tensorflow as tf

model = tf.saved_model.load("saved_model")
crops = np.zeros((1, {side}, {side}, 3), np.uint8)
names = model.signatures["class_names"]()["class_names"].numpy().astype(str)
print(names, model.signatures["serving_default"](crops=crops)["probabilities"].numpy())""",
    "onnx": """\
import json

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
crops = np.zeros((1, {side}, {side}, 3), np.uint8)
names = json.loads(session.get_modelmeta().custom_metadata_map["class_names"])
print(names, session.run(["probabilities"], {{"crops": crops}})[0])""",
    "tflite": """\
import zipfile

import numpy as np
from ai_edge_litert.interpreter import Interpreter

names = zipfile.ZipFile("model.tflite").read("labels.txt").decode().split()
run = Interpreter(model_path="model.tflite").get_signature_runner("serving_default")
crops = np.zeros((1, {side}, {side}, 3), np.uint8)
print(names, run(crops=crops)["probabilities"])""",
}


_EARLIER = (
    "Evaluated by an earlier release, {how}, which no export does: evaluate again (`python -m "
    "trainer.evaluate --model_dir=…`), and export then."
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facts:
    """Content of a card.

    Attributes:
      run: the model: a run or an ensemble.
      best_epochs: epoch that the weights of each of its runs are from.
      num_parameters: of its networks together.
      training: how each of its runs was trained, by name, in order.
      metrics: its metrics.json; None if it was not evaluated.
      heads: shapes of the outputs besides the probabilities, by name.
      format: of the export.
      quantize: none, float16 or int8.
      comparison: of the export with its network.
    """

    run: ensemble.Model
    best_epochs: Sequence[int]
    num_parameters: int
    training: Sequence[Mapping[str, str]]
    metrics: Mapping[str, Any] | None
    heads: Mapping[str, tuple[int | None, ...]]
    format: str
    quantize: str
    comparison: parity_check.Comparison


def text(facts: Facts) -> str:
    """Return the card as Markdown."""
    are_drawn = [run.data.is_drawn for run in facts.run.members]
    front_matter = card_metadata.text(
        name=ensemble.title([run.model_dir for run in facts.run.members]),
        format=facts.format,
        data=[run.data.name for run in facts.run.members],
        is_drawn=all(are_drawn),
        metrics=facts.metrics,
    )
    parts = [
        front_matter,
        "# Facial expression classifier",
        *([_DRAWN if all(are_drawn) else _PARTLY_DRAWN] if any(are_drawn) else []),
        _about(facts),
        f"## Training\n\n{_of_runs(facts.run, list(map(_listed, facts.training)))}",
        f"## Input and output\n\n{_interface(facts)}",
        f"## Use\n\n```python\n{_USE[facts.format].format(side=_side(facts))}\n```",
        f"## Data\n\n{_of_runs(facts.run, list(map(_data, facts.run.members)))}",
        f"## Evaluation\n\n{_evaluation(facts.metrics, model=facts.run)}",
        f"## Export compared with the network\n\n{_comparison(facts.comparison)}",
        f"## Limits\n\n{_limits(facts)}",
        f"## Licence\n\n{_licence(facts.run)}",
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _about(facts: Facts) -> str:
    networks = [
        (run.settings.model.model, f"weights of epoch {epoch} of {run.settings.training.epochs}")
        for run, epoch in zip(facts.run.members, facts.best_epochs, strict=True)
    ]
    parameters = f"{facts.num_parameters:,} parameters"
    if len(networks) == 1:
        ((network, weights),) = networks
        made_of = f"{network}, {parameters}, {weights}"
    else:
        rows = [
            f"{name} ({network}, {weights})"
            for name, (network, weights) in zip(_names(facts.run), networks, strict=True)
        ]
        made_of = (
            f"an ensemble of {len(rows)} runs, whose outputs are averaged, {parameters} together: "
            f"{', '.join(rows)}"
        )
    return (
        f"{facts.format} export of {made_of}. It takes images of one cropped face each and returns "
        f"a probability for each of {len(facts.run.data.class_names)} expressions."
    )


def _side(facts: Facts) -> int:
    run = facts.run.members[0]
    return run.image_size if facts.quantize == "int8" else run.data.stored_size


def _interface(facts: Facts) -> str:
    sides = dict.fromkeys(run.image_size for run in facts.run.members)
    side = _side(facts)
    if facts.quantize == "int8":
        size = (
            f"uint8 RGB [B, {side}, {side}, 3]. Integer models take this size only: resize crops "
            "by averaging"
        )
        unit = "uint8, 256 times the probability"
    else:
        size = "uint8 RGB [B, H, W, 3], any size: the model resizes them to " + (
            " and ".join(f"{each} x {each}" for each in sides)
        )
        unit = "float32"
    class_names = facts.run.data.class_names
    names = ", ".join(f"{label} {name}" for label, name in enumerate(class_names))
    heads = [
        f"- `{name}`: [{', '.join(str(n or 'B') for n in shape)}]."
        for name, shape in facts.heads.items()
    ]
    probabilities = f"- `probabilities`: {unit}, [B, {len(class_names)}]: {names}."
    return "\n".join([f"- `crops`: {size}.", probabilities, *heads])


def _listed(facts: Mapping[str, str]) -> str:
    return "\n".join(f"- {name}: {text}" for name, text in facts.items())


def _of_runs(model: ensemble.Model, texts: Sequence[str]) -> str:
    """Return the text of the run, or that of each of an ensemble's where they differ."""
    if len(set(texts)) == 1:
        return texts[0]
    return "\n\n".join(
        f"{name}:\n\n{text}" for name, text in zip(_names(model), texts, strict=True)
    )


def _names(model: ensemble.Model) -> list[str]:
    return ensemble.names([run.model_dir for run in model.members])


def _data(run: trained_run.Run) -> str:
    counts = ", ".join(f"{count:,} {split}" for split, count in run.data.counts.items())
    crop = run.data.crop
    faces = "crop settings not recorded"
    if crop:
        aligned = "aligned by landmarks, " if crop["align"] else ""
        margin = f"margin {crop['margin_frac']:g} of the box's longer side on each side"
        if crop.get("like", "none") != "none":
            aligned, margin = "", f"cropped as {crop['like']} does (--like={crop['like']})"
        encoding = run.data.encoding.upper()
        faces = f"{aligned}{margin}, stored at {crop['image_size']} px as {encoding}"
    drawn = " (drawn faces)" if run.data.is_drawn else ""
    return (
        f"- {run.data.name}{drawn}: {counts} examples\n"
        f"- fingerprint `{run.data.fingerprint}`\n"
        f"- faces: {faces}; input of the network at {run.image_size} px"
    )


def _evaluation(metrics: Mapping[str, Any] | None, *, model: ensemble.Model) -> str:
    if metrics is None and len(model.members) > 1:
        return (
            "Not evaluated as an ensemble: run `python -m trainer.evaluate --model_dir=…,… "
            "--report_dir=…`, and export it with the same `--report_dir`."
        )
    if metrics is None:
        return "Not evaluated yet: run `python -m trainer.evaluate --model_dir=…`."
    protocol = [f"- {name}: {value}" for name, value in metrics["protocol"].items()]
    summary = {
        "accuracy": metrics["accuracy"],
        "balanced accuracy": metrics["balanced_accuracy"],
        "macro F1": metrics["macro"]["f1"],
        "M measure (Hand & Till 2001)": metrics["m_measure"],
    }
    rows = [f"| {name} | {_number(value)} |" for name, value in summary.items()]
    per_class = [_class_row(row) for row in metrics["per_class"]]
    how = _as_no_export(metrics["protocol"], model=model)
    return "\n".join(
        [
            *protocol,
            *(["", _EARLIER.format(how=how)] if how else []),
            "",
            "| | |",
            "|---|---|",
            *rows,
            "",
            "| class | precision | recall | F1 | examples |",
            "|---|---|---|---|---|",
            *per_class,
            *_groups(metrics.get("groups")),
        ]
    )


def _as_no_export(protocol: Mapping[str, str], *, model: ensemble.Model) -> str:
    """Return how an evaluation computed that exports do not; "" if it did as they do."""
    if not exact_resize.PROTOCOL.items() <= protocol.items():
        return "on images that were decoded straight to the network's size"
    trained_in = {run.settings.training.precision for run in model.members} - {"float32"}
    if trained_in and build.PRECISION not in protocol:
        return f"in {' and '.join(sorted(trained_in))}"
    return ""


def _groups(groups: Mapping[str, Any] | None) -> list[str]:
    """Return the numbers by each attribute; those of intersections are in metrics.json."""
    if not groups:
        return []
    rows: list[str] = []
    gaps: list[str] = []
    for division in groups["divisions"]:
        if " & " not in division["by"]:
            rows += [_group_row(division["by"], group) for group in division["groups"]]
        gaps += _gap(division)
    note = (
        f"By group; those of fewer than {groups['least_images']} images have no numbers. Of the "
        "same classes: as if each group had the classes of all groups together."
    )
    return [
        "",
        note,
        "",
        "| by | group | images | accuracy | 95 % | of the same classes | macro F1 |",
        "|---|---|---|---|---|---|---|",
        *rows,
        *(["", *gaps] if gaps else []),
    ]


def _limits(facts: Facts) -> str:
    homepages = {run.data.homepage for run in facts.run.members}
    return _LIMITS.format(
        of_data=_AFFECTNET_LIMITS if features.HOMEPAGE in homepages else "",
        by_group=_by_group(facts.metrics),
    )


def _licence(model: ensemble.Model) -> str:
    """Return what the data of a model's runs allow, each once."""
    if all(run.data.is_drawn for run in model.members):
        return _DRAWN_LICENCE
    stated = {run.data.name: run.data.license for run in model.members if not run.data.is_drawn}
    terms = [
        f"Licence of its training data, {name}: {license or _UNKNOWN_LICENCE}"
        for name, license in stated.items()
    ]
    return "\n\n".join([*terms, _LICENCE])


def _by_group(metrics: Mapping[str, Any] | None) -> str:
    if not (metrics and metrics.get("groups")):
        return ", and accuracy was not measured by group"
    return (
        "; accuracy was measured by group on the images of the evaluation, which says nothing of "
        "other people and other cameras"
    )


def _group_row(by: str, group: Mapping[str, Any]) -> str:
    low, high = (group.get("intervals_95", {}).get("accuracy") or (None, None))[:2]
    ends = "-" if low is None or high is None else f"{low:.3f} to {high:.3f}"
    numbers = (
        _number(group.get("accuracy")),
        ends,
        _number(group.get("adjusted_accuracy")),
        _number(group.get("macro", {}).get("f1")),
    )
    name = group["group"].replace("|", "\\|")
    return f"| {by} | {name} | {group['num_images']:,} | {' | '.join(numbers)} |"


def _gap(division: Mapping[str, Any]) -> list[str]:
    """Return the line of a division whose groups were compared."""
    gap = division.get("largest_adjusted_gap")
    if not gap:
        return []
    low, high = gap["interval_95"]
    p = division["adjusted_p"]
    p_text = "below 0.001" if p < 0.001 else f"{p:.3f}"
    return [
        f"- by {division['by']}: largest gap of the same classes {gap['difference']:.3f} "
        f"({low:.3f} to {high:.3f}), {gap['best']} above {gap['worst']}; p {p_text} (permutation "
        "test, Holm)"
    ]


def _class_row(row: Mapping[str, Any]) -> str:
    scores = " | ".join(_number(row[name]) for name in ("precision", "recall", "f1"))
    return f"| {row['name']} | {scores} | {row['support']} |"


def _comparison(comparison: parity_check.Comparison) -> str:
    lines = [f"- largest difference of an output: {comparison.largest:.2g}, on {comparison.on}"]
    if comparison.exported_accuracy is not None:
        lines.append(
            f"- accuracy on {comparison.num_evaluated:,} validation crops: "
            f"{comparison.exported_accuracy:.4f} exported, {comparison.network_accuracy:.4f} before"
        )
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
